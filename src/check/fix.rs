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
        count += fixes.len();
        std::fs::write(&file, mended(&text, fixes)).map_err(failed)?;
    }
    Ok(count)
}

/// Returns a text with its fixes; the last first, so that none moves another.
fn mended(text: &str, mut fixes: Vec<&Fix>) -> String {
    fixes.sort_by_key(|fix| std::cmp::Reverse((fix.span.line, fix.span.column)));
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

    #[test]
    fn fixes_of_one_line_do_not_move_each_other() {
        let fix = |column, width, with: &str| Fix {
            path: String::new(),
            span: Span {
                line: 2,
                column,
                width,
            },
            with: with.to_owned(),
        };
        let (one, two) = (fix(5, 4, "kvdb"), fix(10, 3, "incr"));
        let text = "é\nctx.kvd1:inc(k)\n";
        assert_eq!(mended(text, vec![&one, &two]), "é\nctx.kvdb:incr(k)\n");
    }
}
