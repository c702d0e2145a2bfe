//! A value as a language writes it, laid out for a terminal.

/// How wide a line may be that holds more than one value.
const WIDTH: usize = 78;
/// How many values are written; more than that nobody reads.
const MOST: usize = 1_000;
/// How deep they are written.
const DEPTH: usize = 20;
/// How much of one text is written, in letters.
const LONGEST: usize = 16 << 10;
/// What stands for what is not written.
const MORE: &str = "…";

/// A value, written.
pub(crate) enum Written {
    /// One that stands in one piece.
    Plain(String),
    /// One that holds others, each with what stands before it, such as its name.
    Group(&'static str, Vec<(String, Self)>, &'static str),
}

/// Counts what is written of one value.
pub(crate) struct Pen {
    left: usize,
    depth: usize,
}

impl Default for Pen {
    fn default() -> Self {
        Self {
            left: MOST,
            depth: 0,
        }
    }
}

impl Pen {
    /// Writes a group of members in their order, as far as there is room.
    pub(crate) fn group<T>(
        &mut self,
        open: &'static str,
        members: impl IntoIterator<Item = T>,
        close: &'static str,
        mut write: impl FnMut(&mut Self, T) -> (String, Written),
    ) -> Written {
        let mut written = Vec::new();
        self.depth += 1;
        for member in members {
            if self.left == 0 || self.depth > DEPTH {
                written.push((String::new(), Written::Plain(MORE.to_owned())));
                break;
            }
            self.left -= 1;
            written.push(write(self, member));
        }
        self.depth -= 1;
        Written::Group(open, written, close)
    }
}

/// Cuts a text that nobody reads to its end; the rest is counted.
pub(crate) fn cut(text: &str) -> (&str, Option<usize>) {
    match text.char_indices().nth(LONGEST) {
        None => (text, None),
        Some((at, _)) => {
            let (shown, rest) = text.split_at(at);
            (shown, Some(rest.chars().count()))
        }
    }
}

impl Written {
    /// Lays it out: in one line where that is short, else one member a line.
    pub(crate) fn layout(&self) -> String {
        let mut text = String::new();
        self.lay(&mut text, 0);
        text
    }

    fn lay(&self, text: &mut String, indent: usize) {
        let mut line = String::new();
        if self.flat(&mut line, WIDTH.saturating_sub(indent)) {
            text.push_str(&line);
            return;
        }
        match self {
            Self::Plain(plain) => text.push_str(plain),
            Self::Group(open, members, close) => {
                text.push_str(open.trim_end());
                for (before, member) in members {
                    text.push('\n');
                    text.extend(std::iter::repeat_n(' ', indent + 2));
                    text.push_str(before);
                    member.lay(text, indent + 2);
                    text.push(',');
                }
                text.push('\n');
                text.extend(std::iter::repeat_n(' ', indent));
                text.push_str(close.trim_start());
            }
        }
    }

    /// Writes it in one line; tells whether that fits into a width.
    fn flat(&self, line: &mut String, width: usize) -> bool {
        match self {
            Self::Plain(plain) => line.push_str(plain),
            Self::Group(open, members, close) if members.is_empty() => {
                line.push_str(open.trim_end());
                line.push_str(close.trim_start());
            }
            Self::Group(open, members, close) => {
                line.push_str(open);
                for (index, (before, member)) in members.iter().enumerate() {
                    if index > 0 {
                        line.push_str(", ");
                    }
                    line.push_str(before);
                    if !member.flat(line, width) {
                        return false;
                    }
                }
                line.push_str(close);
            }
        }
        line.chars().count() <= width && !line.contains('\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(count: usize) -> Written {
        Pen::default().group("[", 0..count, "]", |_, number| {
            (String::new(), Written::Plain(number.to_string()))
        })
    }

    #[test]
    fn short_groups_stand_in_a_line_and_long_ones_below_each_other() {
        assert_eq!(list(0).layout(), "[]");
        assert_eq!(list(3).layout(), "[0, 1, 2]");
        let nested = Pen::default().group("{ ", ["a", "b"], " }", |_, name| {
            (format!("{name} = "), list(if name == "a" { 40 } else { 2 }))
        });
        let text = nested.layout();
        assert!(text.starts_with("{\n  a = [\n    0,\n"), "{text}");
        assert!(
            text.ends_with("\n    39,\n  ],\n  b = [0, 1],\n}"),
            "{text}"
        );
    }

    fn deep(pen: &mut Pen) -> Written {
        pen.group("[", [()], "]", |pen, ()| (String::new(), deep(pen)))
    }

    #[test]
    fn what_is_too_much_or_too_deep_is_left_out() {
        let text = list(MOST + 5).layout();
        assert!(text.ends_with("999,\n  …,\n]"), "{text}");
        let text = deep(&mut Pen::default()).layout();
        assert_eq!(text.matches('[').count(), DEPTH + 1, "{text}");
        assert!(text.contains("[…]"), "{text}");
        assert_eq!(cut("abc"), ("abc", None));
        let long = "ł".repeat(LONGEST + 2);
        let (shown, more) = cut(&long);
        assert_eq!((shown.chars().count(), more), (LONGEST, Some(2)));
    }
}
