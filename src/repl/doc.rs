//! What `:doc` and `:services` show, out of what the editor files are made of.

use crate::base::{Code, Fault, closest};
use crate::contract::{Declaration, Field, HostFn, Receiver, Type};
use crate::script::host;
use crate::sio;
use crate::stubs::Known;

/// Explains what a name stands for: a function, a place where functions stand, or a service.
pub(super) fn of(known: &Known, language: &str, name: &str) -> Result<String, Fault> {
    let wanted = plain(name);
    if let Some(declared) = known.services.get(name) {
        return Ok(service(declared));
    }
    let functions = known.functions.iter().copied();
    let found: Vec<&HostFn> = functions
        .clone()
        .filter(|it| is_called(it, &wanted))
        .collect();
    if !found.is_empty() {
        let texts = found.into_iter().map(|it| function(it, language));
        return Ok(texts.collect::<Vec<_>>().join("\n\n"));
    }
    let inside = functions
        .clone()
        .filter(|it| host::split(it.path).0 == wanted);
    let inside: Vec<String> = inside
        .map(|it| {
            let first = it
                .doc
                .split(". ")
                .next()
                .unwrap_or_default()
                .trim_end_matches('.');
            format!("{}\n    {first}.", signature(it, language))
        })
        .collect();
    if !inside.is_empty() {
        return Ok(inside.join("\n"));
    }
    let names = functions
        .map(|it| it.path)
        .chain(known.services.keys().map(String::as_str));
    let message = format!("there is no function or service '{name}'");
    let fault = Fault::new(Code::BadArguments, message);
    Err(match closest(&wanted, names) {
        Some(near) => fault.hint(format!("Did you mean `{near}`?")),
        None => fault.hint("`:services` tells the services; Tab completes functions."),
    })
}

/// Returns the path of what a script writes: `kvdb.get` of `ctx.kvdb:get`.
fn plain(name: &str) -> String {
    let name = name
        .trim()
        .trim_end_matches(['(', ')'])
        .replace("::", ".")
        .replace(':', ".");
    name.strip_prefix("ctx.").unwrap_or(&name).to_owned()
}

/// Tells whether a name is that of a function: its path, or that without the class of a method.
fn is_called(function: &HostFn, wanted: &str) -> bool {
    let (_, name) = host::split(function.path);
    function.path == wanted || (function.receiver == Receiver::Method && name == wanted)
}

fn function(function: &HostFn, language: &str) -> String {
    let mut text = signature(function, language);
    for line in function.doc.lines() {
        text.push_str("\n    ");
        text.push_str(line.trim());
    }
    for example in function.examples {
        let code = if language == "rhai" {
            example.rhai
        } else {
            example.lua
        };
        for line in code.lines() {
            text.push_str("\n    > ");
            text.push_str(line);
        }
        text.push_str("\n    ");
        text.push_str(example.result);
    }
    text
}

/// Returns how a script calls a function.
pub(super) fn signature(function: &HostFn, language: &str) -> String {
    let (space, name) = host::split(function.path);
    let sign = if language == "rhai" { "." } else { ":" };
    let before = match function.receiver {
        Receiver::Ctx if space.is_empty() => format!("ctx{sign}{name}"),
        Receiver::Ctx => format!("ctx.{space}{sign}{name}"),
        Receiver::Library if space.is_empty() => name.to_owned(),
        Receiver::Library => format!("{space}.{name}"),
        Receiver::Method if host::is_property(function) => {
            return format!("{space} .{name} -> {}", ty(function.returns));
        }
        Receiver::Method => format!("{space} {sign}{name}"),
    };
    let args = function.args.iter().map(|arg| {
        let optional = if arg.optional { "?" } else { "" };
        match arg.ty {
            Type::Rest => format!("{}…", arg.name),
            kind => format!("{}{optional}: {}", arg.name, ty(kind)),
        }
    });
    let args = args.collect::<Vec<_>>().join(", ");
    match function.returns {
        Type::Nothing => format!("{before}({args})"),
        returns => format!("{before}({args}) -> {}", ty(returns)),
    }
}

fn ty(ty: Type) -> &'static str {
    match ty {
        Type::Nothing => "nothing",
        Type::Bool => "bool",
        Type::Int => "int",
        Type::Number => "number",
        Type::Text => "text",
        Type::Duration => "duration",
        Type::Any | Type::Rest => "any",
        Type::List | Type::Each => "list",
        Type::Map => "map",
        Type::Function => "function",
        Type::Object(class) => class,
    }
}

fn service(declared: &Declaration) -> String {
    let mut text = format!("service {}", declared.name);
    for line in declared.doc.lines() {
        text.push_str("\n    ");
        text.push_str(line);
    }
    for (word, fields) in [("input ", &declared.input), ("output", &declared.output)] {
        for field in fields.iter().flatten() {
            text += format!("\n    {word} {}", shown(field)).as_str();
        }
    }
    let place = &declared.place;
    if !place.path.is_empty() {
        text += format!("\n    {}:{}", place.path, place.line).as_str();
    }
    text
}

fn shown(field: &Field) -> String {
    let doc = if field.doc.is_empty() {
        String::new()
    } else {
        format!("   {}", field.doc)
    };
    sio::field_text(field) + doc.as_str()
}

/// Lists the services, for people and for programs.
pub(super) fn services(known: &Known) -> (String, Vec<&str>) {
    let all = known.services.iter();
    let lines = all.map(|(name, declared)| {
        let list = |fields: &Option<Vec<Field>>| {
            let fields = fields.iter().flatten().map(sio::field_text);
            fields.collect::<Vec<_>>().join(", ")
        };
        let (input, output) = (list(&declared.input), list(&declared.output));
        format!("{name}({input}) -> {{{output}}}")
    });
    let text = match known.services.len() {
        0 => "There are no services.".to_owned(),
        _ => lines.collect::<Vec<_>>().join("\n"),
    };
    (text, known.services.keys().map(String::as_str).collect())
}
