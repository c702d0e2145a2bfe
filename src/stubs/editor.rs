//! The settings by which editors find the annotations.

use serde_json::json;

use crate::stubs::File;

/// Luau's signs that plain Lua does not have.
const SIGNS: &[&str] = &["+=", "-=", "*=", "/=", "%=", "^=", "//=", "continue"];

/// Returns the files. They stay as they are when they are there.
pub(super) fn files() -> Vec<File> {
    let settings = json!({
        "runtime.version": "Lua 5.1",
        "runtime.nonstandardSymbol": SIGNS,
        "runtime.path": ["scripts/?.lua", "stdlib/?.lua", ".kladka/types/stdlib/?.lua"],
        "workspace.library": [".kladka/types"],
        "workspace.ignoreDir": ["data", "pickup-dir"],
        "workspace.checkThirdParty": false,
    });
    let emmy = json!({
        "runtime": {
            "version": "Lua5.1",
            "nonstandardSymbol": SIGNS,
            "requirePattern": ["?.lua"],
        },
        "workspace": {
            "workspaceRoots": ["scripts", "stdlib"],
            "library": [".kladka/types", ".kladka/types/stdlib"],
            "ignoreDir": ["data", "pickup-dir"],
        },
    });
    [(".luarc.json", settings), (".emmyrc.json", emmy)]
        .into_iter()
        .map(|(path, settings)| File {
            path: path.to_owned(),
            text: format!("{settings:#}\n"),
            keep: true,
        })
        .collect()
}
