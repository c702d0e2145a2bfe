//! Judges what a service is invoked with against what it declares.

use crate::base::{Code, Fault, Literal, Map, Node, Segment, Span, Value};
use crate::check::walk::Invocation;
use crate::contract::{Declaration, Field};
use crate::sio;

/// Returns what is wrong with an invocation, and where.
pub(crate) fn judge(invocation: &Invocation, declared: &Declaration) -> Vec<(Fault, Span)> {
    let (Some(inputs), Some(Node::Map(pairs, _))) = (&declared.input, &invocation.payload) else {
        return Vec::new();
    };
    let service = &declared.name;
    let names: Vec<&str> = inputs.iter().map(|field| field.name.as_str()).collect();
    let mut found = Vec::new();
    let given = pairs.iter().filter_map(|(key, _)| key.as_ref());
    for key in given.filter(|key| !names.contains(&key.text.as_str())) {
        let message = format!("service '{service}' has no input '{}'", key.text);
        let fault = Fault::new(Code::UndeclaredInput, message)
            .hint(format!("Its inputs are: {}.", names.join(", ")))
            .near(&key.text, names.iter().copied());
        found.push((fault, key.span));
    }
    let whole = pairs.iter().all(|(key, _)| key.is_some());
    let given = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| key.as_ref().is_some_and(|key| key.text == name))
    };
    let missing =
        |field: &&Field| !field.optional && field.default.is_none() && given(&field.name).is_none();
    if let (true, Some(field)) = (whole, inputs.iter().find(missing)) {
        let message = format!("service '{service}' needs the input '{}'", field.name);
        let hint = format!("It declares `{}`.", sio::field_text(field));
        let fault = Fault::new(Code::InputMissing, message).hint(hint);
        found.push((fault, invocation.service.span));
    }
    found.extend(unfit(declared, inputs, pairs));
    found
}

/// Binds the values that stand there as a call would bind them.
fn unfit(
    declared: &Declaration,
    inputs: &[Field],
    pairs: &[(Option<crate::base::Word>, Node)],
) -> Vec<(Fault, Span)> {
    let mut values = Map::new();
    for (key, value) in pairs {
        if let (Some(key), Some(value)) = (key, literal(value)) {
            values.set(&key.text, value);
        }
    }
    let known = inputs.iter().filter(|field| values.contains(&field.name));
    let mut part = declared.clone();
    part.input = Some(known.cloned().collect());
    let Err(rejected) = sio::bind(&part, Value::Map(values), &[]) else {
        return Vec::new();
    };
    let problems = rejected.field_errors().iter();
    let placed = problems.filter_map(|problem| {
        let Some(Segment::Name(name)) = problem.path.first() else {
            return None;
        };
        let (key, _) = pairs
            .iter()
            .find(|(key, _)| key.as_ref().is_some_and(|key| key.text == name.as_str()))?;
        let service = &declared.name;
        let pointer = problem.pointer();
        let message = format!(
            "input `{pointer}` of service '{service}' {}",
            problem.detail
        );
        Some((Fault::new(problem.code, message), key.as_ref()?.span))
    });
    placed.collect()
}

/// Returns a value that stands there as it is.
pub(crate) fn literal(node: &Node) -> Option<Value> {
    Some(match node {
        Node::Literal(Literal::Text(text), _) => Value::text(text.as_str()),
        Node::Literal(Literal::Bool(value), _) => Value::Bool(*value),
        Node::Literal(Literal::Number(it), _) => number(*it)?,
        Node::List(items) => {
            let items: Option<Vec<Value>> = items.iter().map(literal).collect();
            Value::List(items?)
        }
        Node::Map(pairs, _) => {
            let mut map = Map::new();
            for (key, value) in pairs {
                map.set(&key.as_ref()?.text, literal(value)?);
            }
            Value::Map(map)
        }
        _ => return None,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the guard keeps to whole numbers within ±2^53"
)]
fn number(number: f64) -> Option<Value> {
    // Beyond, it is not what stands there.
    let exact = number.abs() <= 9_007_199_254_740_992.0;
    exact.then(|| match number.fract() {
        0.0 => Value::Int(number as i64),
        _ => Value::Float(number),
    })
}
