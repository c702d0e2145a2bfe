//! Patterns of `scan … match`: `*`, `?`, `[a-z]`, `[^x]`, `\` before a plain character.

/// Tells whether the whole text fits the pattern. Takes at most pattern × text steps.
pub(super) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut on) = (0, 0);
    // Where the last star stood and what of the text it had not taken yet.
    let mut star: Option<(usize, usize)> = None;
    while on < text.len() {
        let rest = pattern.get(at..).unwrap_or_default();
        if let [b'*', ..] = rest {
            star = Some((at + 1, on));
            at += 1;
        } else if let Some(used) = text.get(on).and_then(|byte| one(rest, *byte)) {
            at += used;
            on += 1;
        } else if let Some((after, taken)) = star {
            star = Some((after, taken + 1));
            (at, on) = (after, taken + 1);
        } else {
            return false;
        }
    }
    let rest = pattern.get(at..).unwrap_or_default();
    rest.iter().all(|byte| *byte == b'*')
}

/// Returns how much of the pattern the byte used up, if it fits.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (fits, used) = in_class(class, byte);
            fits.then_some(used + 1)
        }
        [b'\\', plain, ..] => (*plain == byte).then_some(2),
        [plain, ..] => (*plain == byte).then_some(1),
    }
}

/// Tells whether the byte is in the class, and how long the class is with its closing bracket.
fn in_class(class: &[u8], byte: u8) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut fits = false;
    loop {
        match class.get(at..).unwrap_or_default() {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', plain, ..] => {
                fits |= *plain == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                fits |= (*low.min(high)..=*low.max(high)).contains(&byte);
                at += 3;
            }
            [plain, ..] => {
                fits |= *plain == byte;
                at += 1;
            }
        }
    }
    (fits != negated, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_redis() {
        let cases = [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c*", "abcd", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[c-a]x", "bx", true),
            ("[^a]x", "ax", false),
            ("[^a]x", "bx", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("**a", "bba", true),
            ("h[ae]llo", "hillo", false),
            ("[]a", "a", false),
        ];
        for (pattern, text, fits) in cases {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                fits,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn many_stars_do_not_take_forever() {
        assert!(!matches(&b"a*".repeat(200), &vec![b'b'; 500]));
        assert!(!matches(
            &[b"a*".repeat(200), b"b".to_vec()].concat(),
            &vec![b'a'; 500]
        ));
    }
}
