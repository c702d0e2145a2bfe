//! Definitions of Rhai: the script API and the project's own names.

use crate::contract::{HostFn, Receiver, Type};
use crate::script::host;
use crate::sio;
use crate::stubs::{File, Known, line};

/// Returns the files.
pub(super) fn files(known: &Known) -> Vec<File> {
    vec![
        File::new(".kladka/types/kladka.d.rhai", api(known)),
        File::new(".kladka/types/project.d.rhai", project(known)),
    ]
}

fn api(known: &Known) -> String {
    let mut text = String::from(
        "module static;\n\n// The script API. Written by `kladka stubs`; changes are lost.\n\n",
    );
    text += "/// Declares a service.\nfn service(declaration: map);\n\n";
    text += "/// Runs functions at the same time and returns their results in order.\nfn parallel(functions: array) -> array;\n\n";
    for receiver in [Receiver::Ctx, Receiver::Library, Receiver::Method] {
        for (place, functions) in known.places(receiver) {
            let owner = if place.is_empty() { "ctx" } else { place };
            line(&mut text, format!("// {owner}\n"));
            for function in functions {
                text += &one(owner, function);
            }
        }
    }
    text
}

fn one(owner: &str, function: &HostFn) -> String {
    let name = host::split(function.path).1;
    let mut text = String::new();
    for sentence in function.doc.lines() {
        line(&mut text, format!("/// {}", sentence.trim()));
    }
    for example in function.examples {
        line(
            &mut text,
            format!(
                "/// `{}` is `{}`",
                example.rhai.replace('\n', "\\n"),
                example.result
            ),
        );
    }
    let this = owner.replace('.', "_");
    let returns = match function.returns {
        Type::Nothing => String::new(),
        other => format!(" -> {}", ty(other)),
    };
    if host::is_property(function) {
        line(
            &mut text,
            format!("fn get {name}(this: {this}){returns};\n"),
        );
        return text;
    }
    // What may be left out makes a definition of its own: Rhai tells functions apart by how many arguments they take.
    let required = function.args.iter().take_while(|it| !it.optional).count();
    for count in required..=function.args.len() {
        let args = function.args.iter().take(count);
        let args = args.map(|arg| format!(", {}: {}", arg.name, ty(arg.ty)));
        line(
            &mut text,
            format!(
                "fn {name}(this: {this}{}){returns};",
                args.collect::<String>()
            ),
        );
    }
    text.push('\n');
    text
}

fn ty(wanted: Type) -> String {
    match wanted {
        Type::Nothing => "()".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Int => "int".to_owned(),
        Type::Number => "float".to_owned(),
        Type::Text => "String".to_owned(),
        Type::Any | Type::Duration | Type::Rest => "?".to_owned(),
        Type::List | Type::Each => "array".to_owned(),
        Type::Map => "map".to_owned(),
        Type::Function => "Fn".to_owned(),
        Type::Object(class) => class.replace('.', "_"),
    }
}

fn project(known: &Known) -> String {
    let mut text = String::from(
        "module static;\n\n// This project. Written by `kladka stubs`; changes are lost.\n\n",
    );
    for (kind, name, place) in &known.connections {
        line(
            &mut text,
            format!("// ctx.outgoing.{kind}[{name:?}]  {place}"),
        );
    }
    for file in &known.settings {
        line(
            &mut text,
            format!("// ctx.config.{file}  config/user/{file}.toml"),
        );
    }
    for (name, declared) in &known.services {
        for sentence in declared.doc.lines() {
            line(&mut text, format!("\n// {sentence}"));
        }
        let list = |fields: &Option<Vec<crate::contract::Field>>| {
            let fields = fields.iter().flatten().map(sio::field_text);
            fields.collect::<Vec<_>>().join(", ")
        };
        let (input, output) = (list(&declared.input), list(&declared.output));
        line(
            &mut text,
            format!("// ctx.invoke({name:?}, #{{ {input} }}) gives #{{ {output} }}"),
        );
    }
    text
}
