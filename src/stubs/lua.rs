//! Annotations for Lua, as `lua-language-server` and `EmmyLua` read them.

use crate::contract::{Arg, Declaration, HostFn, Receiver, Ty, Type};
use crate::script::host;
use crate::stubs::{File, Known, identifier, line, placed};

/// What no table declares: the parts of `ctx` that are data, and the words of a file.
const FIXED: &str = include_str!("fixed.lua");

/// Returns the files: the script API, the project, the shipped modules.
pub(super) fn files(known: &Known) -> Vec<File> {
    let mut files = vec![
        File::new(".kladka/types/kladka.lua", api(known)),
        File::new(".kladka/types/project.lua", project(known)),
        File::new(".kladka/types/tests.lua", tests(known)),
    ];
    let shipped = known
        .shipped
        .iter()
        .filter(|(path, _)| path.rsplit_once('.').is_some_and(|(_, end)| end == "lua"));
    files.extend(
        shipped.map(|(path, text)| File::new(format!(".kladka/types/{path}"), (*text).to_owned())),
    );
    files
}

fn api(known: &Known) -> String {
    let mut text = String::from(
        "---@meta\n\n-- The script API. Written by `kladka stubs`; changes are lost.\n\n",
    );
    text += FIXED;
    for (space, functions) in known.places(Receiver::Ctx) {
        let owner = if space.is_empty() { "kladka.Ctx" } else { "" };
        if owner.is_empty() {
            line(
                &mut text,
                format!("---@class kladka.{space}\nlocal {space} = {{}}\n"),
            );
        }
        // `invoke` knows the services of the project.
        for function in functions.into_iter().filter(|it| it.path != "invoke") {
            let table = if space.is_empty() { "Ctx" } else { space };
            text += &method(table, function);
        }
    }
    for (library, functions) in known.places(Receiver::Library) {
        line(&mut text, format!("---@class kladka.lib.{library}"));
        if library == "json" {
            line(&mut text, "---@field null any A null in a list.");
        }
        line(&mut text, format!("{library} = {{}}\n"));
        for function in functions {
            text += &method(library, function);
        }
    }
    for (class, functions) in known.places(Receiver::Method) {
        text += &object(class, &functions);
    }
    text
}

fn object(class: &str, functions: &[&'static HostFn]) -> String {
    let mut text = format!("---@class kladka.{class}\n");
    let (properties, methods): (Vec<&HostFn>, Vec<&HostFn>) = functions
        .iter()
        .copied()
        .partition(|it| host::is_property(it));
    for property in properties {
        let name = host::split(property.path).1;
        let doc = property.doc.trim_start_matches("Property:").trim();
        line(
            &mut text,
            format!("---@field {name} {} {doc}", ty(property.returns)),
        );
    }
    let table = class.replace('.', "_");
    line(&mut text, format!("local {table} = {{}}\n"));
    for function in methods {
        text += &method(&table, function);
    }
    text
}

/// Tells whether a function is written with a dot, not a colon.
pub(crate) fn is_dotted(function: &HostFn) -> bool {
    let name = host::split(function.path).1;
    let dotted = format!(".{name}");
    let spelled = function.examples.iter().any(|it| it.lua.contains(&dotted));
    match function.receiver {
        Receiver::Library => true,
        Receiver::Method => false,
        Receiver::Ctx => spelled || name == "fail",
    }
}

/// Writes a function of a table. Those of `ctx` may be called with a colon or a dot: the annotation follows the examples.
fn method(table: &str, function: &HostFn) -> String {
    let name = host::split(function.path).1;
    let dot = is_dotted(function);
    let mut text = String::new();
    for sentence in function.doc.lines() {
        line(&mut text, format!("---{}", sentence.trim()));
    }
    for example in function.examples {
        line(
            &mut text,
            format!(
                "---`{}` is `{}`",
                example.lua.replace('\n', "\\n"),
                example.result
            ),
        );
    }
    for arg in function.args {
        let optional = if arg.optional { "?" } else { "" };
        match arg.ty {
            Type::Rest => line(&mut text, "---@param ... any"),
            ty => line(
                &mut text,
                format!(
                    "---@param {}{optional} {}",
                    arg.name,
                    given(function, arg, ty)
                ),
            ),
        }
    }
    if function.returns != Type::Nothing {
        line(&mut text, format!("---@return {}", ty(function.returns)));
    }
    let names = function.args.iter().map(|arg| match arg.ty {
        Type::Rest => "...",
        _ => arg.name,
    });
    let names: Vec<&str> = names.collect();
    let sign = if dot { '.' } else { ':' };
    line(
        &mut text,
        format!("function {table}{sign}{name}({}) end\n", names.join(", ")),
    );
    text
}

/// The type of an argument; names of services are those there are.
fn given(function: &HostFn, arg: &Arg, wanted: Type) -> String {
    match (function.path, arg.name) {
        ("invoke" | "invoke_async", "name") => "kladka.ServiceName".to_owned(),
        ("fails", "what") => "function|kladka.ServiceName".to_owned(),
        _ => ty(wanted),
    }
}

fn ty(wanted: Type) -> String {
    match wanted {
        Type::Nothing => "nil".to_owned(),
        Type::Bool => "boolean".to_owned(),
        Type::Int => "integer".to_owned(),
        Type::Number => "number".to_owned(),
        Type::Text => "string".to_owned(),
        Type::Duration => "number|string".to_owned(),
        Type::Any | Type::Rest => "any".to_owned(),
        Type::List => "any[]".to_owned(),
        Type::Map => "table<string, any>".to_owned(),
        Type::Function => "function".to_owned(),
        Type::Each => "fun(): any".to_owned(),
        Type::Object(class) => format!("kladka.{class}"),
    }
}

fn project(known: &Known) -> String {
    let mut text = String::from(
        "---@meta\n\n-- This project. Written by `kladka stubs`; changes are lost.\n\n",
    );
    line(&mut text, "---@class kladka.Outgoing");
    for kind in known.kinds() {
        line(
            &mut text,
            format!("---@field {kind} kladka.Outgoing.{kind}"),
        );
    }
    text.push('\n');
    text += &connections(known, "kladka.Outgoing", "kladka.outgoing");
    line(&mut text, "---@class kladka.Config");
    for file in &known.settings {
        line(
            &mut text,
            format!("---@field {file} table<string, any> config/user/{file}.toml"),
        );
    }
    let names: Vec<String> = known
        .services
        .keys()
        .map(|name| format!("{name:?}"))
        .collect();
    let names = if names.is_empty() {
        "string".to_owned()
    } else {
        names.join(" | ")
    };
    line(
        &mut text,
        format!("\n---@alias kladka.ServiceName {names}\n"),
    );
    for (name, declared) in &known.services {
        text += &service(name, declared);
    }
    text += &by_name(known);
    text
}

/// Writes the classes of the connections of each kind, by name.
fn connections(known: &Known, class: &str, of: &str) -> String {
    let mut text = String::new();
    for kind in known.kinds() {
        line(&mut text, format!("---@class {class}.{kind}"));
        for (_, name, place) in known.connections.iter().filter(|(it, ..)| it == kind) {
            line(
                &mut text,
                format!("---@field [{name:?}] {of}.{kind} {place}"),
            );
        }
        text.push('\n');
    }
    text
}

/// Writes what tests have: `t` and `test`.
fn tests(known: &Known) -> String {
    let mut text = String::from(
        "---@meta\n\n-- Tests. Written by `kladka stubs`; changes are lost.\n\n\
         ---@class kladka.Test: kladka.Ctx\n---@field out kladka.Out What stands in the place of peers.\n",
    );
    let places = placed(&known.tests, Receiver::Ctx);
    for space in places.keys().filter(|space| !space.is_empty()) {
        line(&mut text, format!("---@field {space} kladka.test.{space}"));
    }
    text += "local Test = {}\n\n";
    for (space, functions) in &places {
        let table = if space.is_empty() { "Test" } else { space };
        if !space.is_empty() {
            line(
                &mut text,
                format!("---@class kladka.test.{space}\nlocal {space} = {{}}\n"),
            );
        }
        // `invoke` is that of `ctx`.
        for function in functions.iter().filter(|it| it.path != "invoke") {
            text += &method(table, function);
        }
    }
    line(&mut text, "---@class kladka.Out");
    for kind in known.kinds() {
        line(&mut text, format!("---@field {kind} kladka.Out.{kind}"));
    }
    text.push('\n');
    text += &connections(known, "kladka.Out", "kladka.out");
    for (class, functions) in placed(&known.tests, Receiver::Method) {
        text += &object(class, &functions);
    }
    text + "---Declares a test.\n---@param name string What it shows.\n---@param run fun(t: kladka.Test)\nfunction test(name, run) end\n"
}

/// Writes the classes of a service: its input, its output, and the `ctx` of its function.
fn service(name: &str, declared: &Declaration) -> String {
    let class = identifier(name);
    let mut text = String::new();
    for (part, of) in [("Input", &declared.input), ("Output", &declared.output)] {
        line(
            &mut text,
            format!("---@class kladka.service.{class}.{part}"),
        );
        for field in of.iter().flatten() {
            let optional = if field.optional { "?" } else { "" };
            line(
                &mut text,
                format!(
                    "---@field {}{optional} {} {}",
                    field.name,
                    declared_type(&field.ty),
                    field.doc
                )
                .trim_end(),
            );
        }
        if of.is_none() {
            line(&mut text, "---@field [any] any");
        }
        text.push('\n');
    }
    let class = format!("kladka.service.{class}");
    let doc = declared.doc.lines().fold(String::new(), |mut doc, it| {
        line(&mut doc, format!("---{it}"));
        doc
    });
    let rest = format!(
        "---@class {class}.Request: kladka.Request\n---@field input {class}.Input\n\n\
         ---@class {class}.Response: kladka.Response\n---@field payload {class}.Output\n\n\
         {doc}---@class {class}.Ctx: kladka.Ctx\n---@field request {class}.Request\n---@field response {class}.Response\n",
    );
    line(&mut text, rest);
    text
}

/// Writes the two functions that know services by name: what each takes and gives.
fn by_name(known: &Known) -> String {
    let mut text = String::from("---@class kladka.Ctx\n");
    let names = known.services.keys();
    let invoke = known.functions.iter().find(|it| it.path == "invoke");
    // A function that takes any name beside these would win, and give anything: so each service has a field of its own.
    for (name, class) in names.clone().map(|name| (name, identifier(name))) {
        line(
            &mut text,
            format!(
                "---@field invoke fun(self: kladka.Ctx, name: {name:?}, payload?: \
                 kladka.service.{class}.Input): kladka.service.{class}.Output {}",
                invoke.map_or("", |it| it.doc)
            ),
        );
    }
    text += "local Ctx = {}\n\n";
    if known.services.is_empty() {
        text += &invoke.map(|it| method("Ctx", it)).unwrap_or_default();
    }
    line(&mut text, "---Declares a service.");
    for (name, class) in names.map(|name| (name, identifier(name))) {
        line(
            &mut text,
            format!(
                "---@overload fun(declaration: {{ name: {name:?}, \
                 handle: fun(ctx: kladka.service.{class}.Ctx), [string]: any }}): table"
            ),
        );
    }
    text += "---@param declaration kladka.Declaration\n---@return table\nfunction service(declaration) end\n";
    text
}

fn declared_type(ty: &Ty) -> String {
    match ty {
        Ty::Text | Ty::Uuid | Ty::Bytes | Ty::Date | Ty::DateTime => "string".to_owned(),
        Ty::Int => "integer".to_owned(),
        Ty::Float => "number".to_owned(),
        Ty::Decimal | Ty::Any => "any".to_owned(),
        Ty::Bool => "boolean".to_owned(),
        Ty::Map => "table<string, any>".to_owned(),
        Ty::Enum(words) => {
            let words: Vec<String> = words
                .iter()
                .map(|word| format!("{:?}", word.as_str()))
                .collect();
            words.join("|")
        }
        Ty::Model(model) => {
            let fields = model.fields.iter();
            let fields: Vec<String> = fields
                .map(|it| {
                    let optional = if it.optional { "?" } else { "" };
                    format!("{}{optional}: {}", it.name, declared_type(&it.ty))
                })
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Ty::List(of) => format!("({})[]", declared_type(of)),
    }
}
