//! Mends what can be mended without changing what the rest means.

use std::collections::BTreeMap;

use crate::base::{Code, Fault};
use crate::check::{Finding, Fix};
use crate::config::Project;

/// Writes all fixes into their files; returns how many.
pub(crate) fn apply(project: &Project, findings: &[Finding]) -> Result<usize, Fault> {
    let mut files: BTreeMap<&str, Vec<&Fix>> = BTreeMap::new();
    for fix in findings.iter().filter_map(|finding| finding.fix.as_ref()) {
        files.entry(&fix.path).or_default().push(fix);
    }
    let mut count = 0;
    for (path, fixes) in files {
        let file = project.root().join(path);
        let failed = |error: std::io::Error| {
            Fault::new(Code::Storage, format!("cannot mend {path}: {error}"))
        };
        let text = std::fs::read_to_string(&file).map_err(failed)?;
        let fixes = apart(fixes);
        count += fixes.len();
        std::fs::write(&file, mended(&text, &fixes)).map_err(failed)?;
    }
    Ok(count)
}

/// Returns fixes from the last to the first; of several that touch each other the first counts, so that what one wrote
/// is not written over by another.
fn apart(mut fixes: Vec<&Fix>) -> Vec<&Fix> {
    fixes.sort_by_key(|fix| (fix.span.line, fix.span.column));
    let mut kept: Vec<&Fix> = Vec::with_capacity(fixes.len());
    for fix in fixes {
        let clear = kept.last().is_none_or(|last| {
            last.span.line < fix.span.line || last.span.column + last.span.width <= fix.span.column
        });
        if clear {
            kept.push(fix);
        }
    }
    kept.reverse();
    kept
}

/// Returns a text with its fixes; the last first, so that none moves another.
fn mended(text: &str, fixes: &[&Fix]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for fix in fixes {
        let index = (fix.span.line as usize).checked_sub(1);
        if let Some(line) = index.and_then(|index| lines.get_mut(index)) {
            let before = (fix.span.column as usize).saturating_sub(1);
            let head: String = line.chars().take(before).collect();
            let tail: String = line
                .chars()
                .skip(before + fix.span.width as usize)
                .collect();
            *line = format!("{head}{}{tail}", fix.with);
        }
    }
    lines.concat()
}

#[cfg(test)]
mod tests {
    use crate::base::Span;

    use super::*;

    fn fix(column: u32, width: u32, with: &str) -> Fix {
        Fix {
            path: String::new(),
            span: Span {
                line: 2,
                column,
                width,
            },
            with: with.to_owned(),
        }
    }

    #[test]
    fn fixes_of_one_line_do_not_move_each_other() {
        let (one, two) = (fix(5, 4, "kvdb"), fix(10, 3, "incr"));
        let text = "é\nctx.kvd1:inc(k)\n";
        let fixes = apart(vec![&one, &two]);
        assert_eq!(mended(text, &fixes), "é\nctx.kvdb:incr(k)\n");
    }

    #[test]
    fn of_fixes_that_touch_each_other_one_is_written() {
        let (one, again, other) = (fix(5, 4, "kvdb"), fix(5, 4, "kvdb"), fix(7, 2, "x"));
        let fixes = apart(vec![&one, &again, &other]);
        assert_eq!(mended("\nctx.kvd1:inc(k)\n", &fixes), "\nctx.kvdb:inc(k)\n");
    }
}
