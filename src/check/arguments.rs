//! Judges the arguments of host functions that stand in the source. Only what fails for certain is told.
//!
//! A literal of a type that no argument like it takes is wrong by itself. A function that touches nothing is simply called
//! when all its arguments stand there: what fails here fails there.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::{Code, Fault, Literal, Node, Span, Value, Word};
use crate::check::invoked::literal;
use crate::check::walk::HostCall;
use crate::contract::{Arg, Args, Effect, HostCall as How, HostFn, Receiver, Started, Type};
use crate::script::host::{self, data};
use crate::script::offline;

/// The functions of `ctx.kvdb`, which take truth values, and what tables hold, for texts.
const STORE: &str = "kvdb.";

/// Returns what is wrong with a call of a host function, and where.
pub(crate) fn judge(call: &HostCall) -> Option<(Fault, Span)> {
    let function = call.function;
    let nothing = |node: &Node| matches!(node, Node::Literal(Literal::Nothing, _));
    let given = call.args.iter().rposition(|node| !nothing(node));
    let given = call.args.get(..given.map_or(0, |last| last + 1))?;
    if let Err(fault) = host::check_count(function, given.len()) {
        return Some((fault, call.span));
    }
    let pairs = function.args.iter().zip(given);
    let wrong = pairs.filter_map(|(arg, node)| {
        let fault = unfit(function, arg, node)?;
        Some((fault, place(node).unwrap_or(call.span)))
    });
    wrong.take(1).next().or_else(|| {
        let fault = tried(function, given)?;
        match given.iter().find_map(|node| key_of(&fault, node)) {
            Some(span) => Some((fault, span)),
            None => Some((unnamed(&fault), call.span)),
        }
    })
}

/// Returns where the name stands that a fault complains of: a key of a table.
fn key_of(fault: &Fault, node: &Node) -> Option<Span> {
    let Node::Map(pairs, _) = node else {
        return None;
    };
    let mut keys = pairs.iter().filter_map(|(key, _)| key.as_ref());
    let named = |key: &&Word| {
        let name = &key.text;
        let signs = [format!("`{name}`"), format!("'{name}'")];
        signs.iter().any(|name| fault.message().contains(name))
    };
    keys.find(named).map(|key| key.span)
}

/// Returns the fault without the name that was meant, which stands elsewhere.
fn unnamed(fault: &Fault) -> Fault {
    let own = Fault::new(fault.code(), fault.message());
    match fault.hint_text() {
        Some(hint) => own.hint(hint),
        None => own,
    }
}

/// Returns why a value that stands there is no such argument, where that is certain.
fn unfit(function: &HostFn, arg: &Arg, node: &Node) -> Option<Fault> {
    let store = function.path.starts_with(STORE);
    let (wanted, fits) = match (arg.ty, node) {
        (Type::Duration, _) => {
            let value = literal(node)?;
            return data::millis(&value, arg.name).err();
        }
        // Empty tables of Lua are maps and lists.
        (_, Node::Map(pairs, _)) if pairs.is_empty() => return None,
        (Type::Text, _) => ("a text", is_text(node, store)),
        // What it makes of them is seen when it is tried.
        (Type::Int, _) if store => return None,
        (Type::Int, Node::Literal(Literal::Number(number), _)) => {
            ("an integer", number.fract() == 0.0)
        }
        (Type::Int, _) => ("an integer", !is_value(node)),
        (Type::Map, Node::Map(..)) | (Type::List, Node::List(_)) => return None,
        (Type::Map, Node::List(items)) => ("a table of named values", items.is_empty()),
        (Type::Map, _) => ("a table of named values", !is_value(node)),
        (Type::List, _) => ("a list", !is_value(node)),
        _ => return None,
    };
    if fits || arg.optional && matches!(node, Node::Literal(Literal::Nothing, _)) {
        return None;
    }
    let message = format!(
        "argument `{}` must be {wanted}, got {}",
        arg.name,
        kind(node)
    );
    Some(Fault::new(Code::ScriptArgument, message))
}

fn is_text(node: &Node, store: bool) -> bool {
    match node {
        Node::Literal(Literal::Bool(_), _) | Node::List(_) | Node::Map(..) => store,
        Node::Literal(Literal::Nothing, _) | Node::Function(_) => false,
        _ => true,
    }
}

/// Tells whether a node is a value, and not something that gives one.
fn is_value(node: &Node) -> bool {
    matches!(
        node,
        Node::Literal(..) | Node::Map(..) | Node::List(_) | Node::Function(_)
    )
}

fn kind(node: &Node) -> &'static str {
    match node {
        Node::Literal(Literal::Nothing, _) => "nothing",
        Node::Literal(Literal::Bool(_), _) => "bool",
        Node::Literal(Literal::Number(_), _) => "number",
        Node::Literal(Literal::Text(_), _) => "text",
        Node::List(_) => "list",
        Node::Map(..) => "map",
        _ => "function",
    }
}

fn place(node: &Node) -> Option<Span> {
    match node {
        Node::Literal(_, span) => Some(*span),
        _ => None,
    }
}

/// Calls a function that touches nothing, and returns what it says of its arguments.
fn tried(function: &HostFn, given: &[Node]) -> Option<Fault> {
    let store = function.path.starts_with(STORE);
    if function.receiver == Receiver::Method || !(store || function.effect == Effect::Pure) {
        return None;
    }
    let values: Option<Vec<Value>> = given
        .iter()
        .enumerate()
        .map(|(index, node)| literal(node).or_else(|| stand_in(function, index)))
        .collect();
    let (args, call) = (Args::new(values?), offline::call("", "")?);
    let result = catch_unwind(AssertUnwindSafe(|| match function.call {
        How::Now(run) => run(&call, args).err(),
        // The store is out of reach, so that a command is built and goes nowhere.
        How::Either(run) => match run(&call, args) {
            Started::Done(result) => result.err(),
            Started::Later(_) => None,
        },
        How::Wait(_) => None,
    }));
    let fault = result.ok()??;
    // Without what the call at hand adds.
    (fault.code() == Code::ScriptArgument).then_some(fault)
}

/// Returns a value in the place of one that is not known, where any does.
fn stand_in(function: &HostFn, index: usize) -> Option<Value> {
    let arg = function.args.get(index)?;
    let any = match function.path.split_once('.')?.0 {
        "kvdb" => matches!(arg.name, "key" | "value"),
        "regex" => matches!(arg.name, "text" | "with"),
        _ => false,
    };
    any.then(|| Value::text("x"))
}
