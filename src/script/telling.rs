//! Tells the story of a message: every host call that reaches something becomes a step of it.

use crate::base::{Fault, Place, Step, Telling, Texts, Value, Veil};
use crate::contract::{Args, Call, Effect, HostFn, Receiver, SourceSet, Type};
use crate::script::host;

/// Begins a step, if the story of the call is told. Where it is not, as in `start`, this costs a look at a pointer.
#[inline]
pub(crate) fn begin(
    call: &Call,
    function: &'static HostFn,
    args: &Args,
    place: impl FnOnce() -> Option<Place>,
) -> Option<Telling> {
    let story = call.ctx.request.story.as_ref()?;
    if !is_told(function) {
        return None;
    }
    let place = place();
    story.step(|veil| Step {
        service: call.service.name.to_string(),
        depth: call.ctx.depth,
        call: named(function, args),
        place,
        given: given(function, args, veil),
        result: None,
        took: std::time::Duration::ZERO,
    })
}

/// Ends a step that was begun.
#[inline]
pub(crate) fn end(telling: Option<Telling>, function: &HostFn, result: Result<&Value, &Fault>) {
    if let Some(telling) = telling {
        telling.end(result.map(|value| (function.returns != Type::Nothing).then_some(value)));
    }
}

/// Tells whether a function reaches something beside its arguments. What is drawn by lot may be meant as a secret.
fn is_told(function: &HostFn) -> bool {
    let reaches = function.effect != Effect::Pure && function.receiver != Receiver::Library;
    reaches && !function.path.starts_with("crypto.")
}

fn named(function: &HostFn, args: &Args) -> String {
    let (space, name) = host::split(function.path);
    let connection = match (function.receiver, args.get(0)) {
        (Receiver::Method, Some(Value::Handle(handle))) => handle.0.name(),
        _ => None,
    };
    match connection {
        Some(connection) => format!("{space}[\"{connection}\"].{name}"),
        None => function.path.to_owned(),
    }
}

fn given(function: &HostFn, args: &Args, veil: &Veil) -> String {
    let receiver = usize::from(function.receiver == Receiver::Method);
    let given = (receiver..args.len()).filter_map(|index| {
        let name = function.args.get(index - receiver).map(|arg| arg.name);
        let value = args.get(index)?;
        Some(match (name, value) {
            // Headers are told by the name of the map that holds them.
            (Some("headers"), value) => {
                let whole = Value::Map([("headers".into(), value.clone())].into_iter().collect());
                veil.show(&whole)
            }
            _ => veil.show(value),
        })
    });
    given.collect::<Vec<_>>().join(", ")
}

impl Texts for SourceSet {
    fn text(&self, path: &str) -> Option<&str> {
        Some(&self.by_path.get(path)?.text)
    }
}
