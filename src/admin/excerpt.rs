//! The lines of a script around those where something happened: the functions they stand in.
//!
//! Functions are found by how scripts are indented, which is the same for every language. A script that is not indented
//! shows a few lines around instead.

use std::collections::BTreeSet;

/// So many lines at most are whole functions; of longer ones only what stands near the marked lines.
const WHOLE: usize = 40;
/// How many lines around a marked one are near it.
const NEAR: usize = 2;

/// Returns lines with their numbers, from 1; where numbers jump, lines are left out. Without a mark it is the first
/// function at `own` or below.
pub(super) fn excerpt<'a>(text: &'a str, marks: &BTreeSet<u32>, own: u32) -> Vec<(u32, &'a str)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut marks: BTreeSet<usize> = marks.iter().filter_map(|mark| index(*mark)).collect();
    if marks.is_empty() {
        let start = index(own).unwrap_or(0);
        let below = lines.iter().enumerate().skip(start);
        let first = below.into_iter().find(|(_, line)| opens(line));
        marks.insert(first.map_or(start, |(at, _)| at));
    }
    let mut shown = BTreeSet::new();
    for mark in &marks {
        shown.extend(around(&lines, *mark));
    }
    if shown.len() > WHOLE {
        shown.retain(|at| marks.iter().any(|mark| mark.abs_diff(*at) <= NEAR));
    }
    let numbered = shown.into_iter().filter_map(|at| {
        let number = u32::try_from(at + 1).ok()?;
        Some((number, *lines.get(at)?))
    });
    numbered.collect()
}

fn index(line: u32) -> Option<usize> {
    usize::try_from(line).ok()?.checked_sub(1)
}

/// Returns the lines of the outermost function around a line.
fn around(lines: &[&str], mark: usize) -> std::ops::RangeInclusive<usize> {
    let line = |at: usize| lines.get(at).copied().unwrap_or_default();
    let mut least = indent(line(mark)).unwrap_or(usize::MAX);
    let mut start = opens(line(mark)).then_some(mark);
    for at in (0..mark).rev() {
        match indent(line(at)) {
            Some(own) if own < least => {
                least = own;
                if opens(line(at)) {
                    start = Some(at);
                }
            }
            _ => {}
        }
    }
    let Some(start) = start else {
        return mark.saturating_sub(NEAR)..=mark + NEAR;
    };
    let own = indent(line(start)).unwrap_or(0);
    let closes = |at: &usize| indent(line(*at)).is_some_and(|indent| indent <= own);
    let end = (start + 1..lines.len()).find(closes);
    // What is not indented may be marked and yet stand below what looks like the end.
    start..=end.unwrap_or(lines.len()).max(mark)
}

/// Returns how far a line is indented; `None` of an empty one.
fn indent(line: &str) -> Option<usize> {
    let text = line.trim_start();
    (!text.is_empty()).then(|| line.len() - text.len())
}

/// Tells whether a function begins in a line, in either language.
fn opens(line: &str) -> bool {
    let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let is_comment = line.trim_start().starts_with("--") || line.trim_start().starts_with("//");
    !is_comment
        && words
            .into_iter()
            .any(|word| word == "function" || word == "fn")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, marks: &[u32], own: u32, wanted: &[u32]) {
        let marks = marks.iter().copied().collect();
        let lines = excerpt(text, &marks, own);
        let numbers: Vec<u32> = lines.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, wanted, "{text}");
    }

    const LUA: &str = "local x = 1\n\nreturn service {\n  name = \"a\",\n  handle = function(ctx)\n    if x then\n      ctx.kvdb:get(\"a\")\n    end\n\n    ctx.log:info(\"b\")\n  end,\n}\n";
    const RHAI: &str = "service(#{ name: \"a\" });\n\n/// Doc about fn.\nfn handle(ctx) {\n    ctx.kvdb.get(\"a\");\n}\n\nfn other() {\n    1\n}\n";

    #[test]
    fn the_function_around_a_line_is_shown() {
        check(LUA, &[7], 3, &[5, 6, 7, 8, 9, 10, 11]);
        check(LUA, &[10], 3, &[5, 6, 7, 8, 9, 10, 11]);
        check(RHAI, &[5], 1, &[4, 5, 6]);
        check(RHAI, &[5, 9], 1, &[4, 5, 6, 8, 9, 10]);
    }

    #[test]
    fn without_a_mark_it_is_the_service() {
        check(LUA, &[], 3, &[5, 6, 7, 8, 9, 10, 11]);
        check(RHAI, &[], 1, &[4, 5, 6]);
        check("return service(x)\n", &[], 1, &[1]);
    }

    #[test]
    fn what_is_not_indented_shows_the_lines_around() {
        check("a\nb\nc\nd\ne\nf\n", &[3], 1, &[1, 2, 3, 4, 5]);
        check("", &[3], 1, &[]);
    }

    #[test]
    fn of_a_long_function_only_what_is_near_is_shown() {
        let text = format!("fn a() {{\n{}}}\n", "    x;\n".repeat(60));
        check(&text, &[10, 30], 1, &[8, 9, 10, 11, 12, 28, 29, 30, 31, 32]);
    }
}
