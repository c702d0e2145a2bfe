//! Tests of the stubs.

use crate::kinds;
use crate::script::context::{FIELDS, REQUEST, RESPONSE};
use crate::script::host;
use crate::stubs::{Known, all};

fn text_of(path: &str) -> String {
    let known = Known {
        functions: kinds::tables().into_iter().flatten().collect(),
        ..Known::default()
    };
    let files = all(&known);
    let file = files.into_iter().find(|file| file.path == path);
    file.unwrap().text
}

#[test]
fn every_host_function_stands_in_both_languages() {
    let lua = text_of(".kladka/types/kladka.lua") + text_of(".kladka/types/project.lua").as_str();
    let rhai = text_of(".kladka/types/kladka.d.rhai");
    for function in kinds::tables().into_iter().flatten() {
        let name = host::split(function.path).1;
        let property = host::is_property(function);
        let in_lua = [
            format!(".{name}("),
            format!(":{name}("),
            format!("---@field {name} "),
        ];
        assert!(
            in_lua.iter().any(|it| lua.contains(it)),
            "{}",
            function.path
        );
        let in_rhai = if property {
            format!("fn get {name}(")
        } else {
            format!("fn {name}(")
        };
        assert!(rhai.contains(&in_rhai), "{}", function.path);
    }
}

#[test]
fn every_field_of_ctx_is_annotated() {
    let lua = text_of(".kladka/types/kladka.lua");
    for name in [FIELDS, REQUEST, RESPONSE].concat() {
        let field = [format!("---@field {name} "), format!("---@field {name}? ")];
        assert!(field.iter().any(|it| lua.contains(it)), "{name}");
    }
    let spaces = kinds::tables().into_iter().flatten();
    let spaces = spaces.filter(|it| it.receiver == crate::contract::Receiver::Ctx);
    for space in spaces
        .map(|it| host::split(it.path).0)
        .filter(|it| !it.is_empty())
    {
        assert!(
            lua.contains(&format!("---@field {space} kladka.{space}")),
            "{space}"
        );
    }
}
