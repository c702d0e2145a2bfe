//! Makes what a text of a session declares at its top stay: its locals become variables of the session.
//!
//! The words go and what they declare stays where it stands, so that lines and columns are those of the text.

use full_moon::ast::{Ast, Stmt};
use full_moon::node::Node;
use full_moon::tokenizer::TokenReference;

/// Rewrites a text that compiles. One that the parser does not know stays as it is: its locals end with it.
pub(crate) fn keep(text: &str) -> String {
    let Ok(ast) = full_moon::parse(text) else {
        return text.to_owned();
    };
    let mut edits = edits(&ast, text);
    // From the end, so that those before keep their places; what is put in stands behind what goes.
    edits.sort_by_key(|edit| std::cmp::Reverse((edit.from, edit.to)));
    let mut kept = text.to_owned();
    for edit in edits {
        let Some(gone) = text.get(edit.from..edit.to) else {
            continue;
        };
        let blank = gone.chars().map(|c| if c == '\n' { c } else { ' ' });
        let with: String = blank.chain(edit.then.chars()).collect();
        kept.replace_range(edit.from..edit.to, &with);
    }
    kept
}

/// Something that becomes blank, and what stands behind it then.
#[derive(Clone, Copy)]
struct Edit {
    from: usize,
    to: usize,
    then: &'static str,
}

fn edits(ast: &Ast, text: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    for statement in ast.nodes().stmts() {
        match statement {
            Stmt::LocalFunction(it) => edits.extend(gone(it.local_token())),
            Stmt::ConstFunction(it) => edits.extend(gone(it.const_token())),
            Stmt::LocalAssignment(it) => {
                edits.extend(gone(it.local_token()));
                let types = it.type_specifiers().flatten();
                let types: Vec<Edit> = types.filter_map(|it| whole(gone(it)?, text)).collect();
                if it.equal_token().is_none() {
                    edits.extend(nothing(it, types.last()));
                }
                edits.extend(types);
            }
            Stmt::ConstAssignment(it) => {
                edits.extend(gone(it.const_token()));
                let types = it.type_specifiers().flatten();
                edits.extend(types.filter_map(|it| whole(gone(it)?, text)));
            }
            _ => {}
        }
    }
    edits
}

fn gone(node: impl Node) -> Option<Edit> {
    Some(Edit {
        from: node.start_position()?.bytes(),
        to: node.end_position()?.bytes(),
        then: "",
    })
}

/// Extends an edit to the brackets that close in it: the parser leaves out the last one of a type.
fn whole(edit: Edit, text: &str) -> Option<Edit> {
    let open = |part: &str| {
        let opened = part.matches(['{', '(', '[']).count();
        opened > part.matches(['}', ')', ']']).count()
    };
    let ends = text
        .get(edit.to..)?
        .char_indices()
        .map(|(at, c)| edit.to + at + c.len_utf8());
    let mut ends = std::iter::once(edit.to).chain(ends);
    let to = ends.find(|to| text.get(edit.from..*to).is_some_and(|part| !open(part)))?;
    Some(Edit { to, ..edit })
}

/// Sets to nothing what is only declared, behind its name and type.
fn nothing(declared: &full_moon::ast::LocalAssignment, kind: Option<&Edit>) -> Option<Edit> {
    let last: Option<&TokenReference> = declared.names().iter().last();
    let name = last?.end_position()?.bytes();
    let end = kind.map_or(name, |kind| kind.to.max(name));
    Some(Edit {
        from: end,
        to: end,
        then: " = nil",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locals_at_the_top_stay_and_others_do_not() {
        let cases = [
            ("x = 1", "x = 1"),
            ("local x = 1", "      x = 1"),
            ("local x, y = f()", "      x, y = f()"),
            ("local x", "      x = nil"),
            ("local x; y = 2", "      x = nil; y = 2"),
            ("local x: number = 1", "      x         = 1"),
            (
                "local x: { [string]: number }",
                "      x                       = nil",
            ),
            (
                "local function f() return 1 end",
                "      function f() return 1 end",
            ),
            ("do local x = 1 end", "do local x = 1 end"),
            ("if y then local x = 1 end", "if y then local x = 1 end"),
            ("local s = 'ł' local t = 2", "      s = 'ł'       t = 2"),
            ("local x =\n  [[local y]]", "      x =\n  [[local y]]"),
            ("-- local x = 1", "-- local x = 1"),
            ("local = ", "local = "),
        ];
        for (text, kept) in cases {
            assert_eq!(keep(text), kept, "{text}");
        }
    }
}
