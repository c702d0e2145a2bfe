//! Checks an answer against the declared outputs of a service and puts it in their order.

use crate::base::{Code, Fault, Map, Value};
use crate::contract::{Answer, Declaration, Field};
use crate::sio::fit::{Fitter, Path, Side};

/// Checks an answer: a text or bytes with a media type of their own are sent as they are.
pub(crate) fn check_answer(declaration: &Declaration, mut answer: Answer) -> Result<Answer, Fault> {
    let as_is = matches!(answer.value, Value::Text(_) | Value::Bytes(_));
    if !(as_is && answer.media_type.is_some()) {
        answer.value = check(declaration, answer.value)?;
    }
    Ok(answer)
}

/// Checks an answer against the declared outputs and puts it in their order.
pub(crate) fn check(declaration: &Declaration, value: Value) -> Result<Value, Fault> {
    let Some(fields) = &declaration.output else {
        return Ok(value);
    };
    let mut fitter = Fitter::new(Side::Output);
    let value = match value {
        Value::Map(map) => one(&mut fitter, fields, map, &Path::ROOT),
        Value::Null => one(&mut fitter, fields, Map::new(), &Path::ROOT),
        Value::List(list) => repeated(&mut fitter, fields, list),
        other => {
            let problem = || format!("must hold named values, got {}", other.kind());
            fitter.problem(&Path::ROOT, Code::OutputRejected, problem);
            Value::Null
        }
    };
    if fitter.count == 0 {
        return Ok(value);
    }
    Err(rejected(declaration, &fitter))
}

fn one(fitter: &mut Fitter, fields: &[Field], map: Map, path: &Path<'_>) -> Value {
    Value::Map(fitter.fields(fields, map, |_| None, false, path))
}

fn repeated(fitter: &mut Fitter, fields: &[Field], list: Vec<Value>) -> Value {
    let mut rows = Vec::with_capacity(list.len());
    for (index, row) in list.into_iter().enumerate() {
        let here = Path::ROOT;
        let here = here.index(index);
        match row {
            Value::Map(map) => rows.push(one(fitter, fields, map, &here)),
            Value::List(empty) if empty.is_empty() => {
                rows.push(one(fitter, fields, Map::new(), &here));
            }
            other => fitter.problem(&here, Code::OutputRejected, || {
                format!("must hold named values, got {}", other.kind())
            }),
        }
    }
    Value::List(rows)
}

/// The caller learns that the service broke its word; what it said stays in the log.
fn rejected(declaration: &Declaration, fitter: &Fitter) -> Fault {
    let told = fitter.problems.iter().map(|problem| {
        let pointer = problem.pointer();
        let place = if pointer.is_empty() {
            "the payload"
        } else {
            pointer.as_str()
        };
        format!("output `{place}` {}", problem.detail)
    });
    let detail = told.collect::<Vec<_>>().join("; ");
    let message = format!(
        "the answer of '{}' does not fit its declared output",
        declaration.name
    );
    Fault::new(Code::OutputRejected, message)
        .at(declaration.place.clone())
        .detail(detail)
}
