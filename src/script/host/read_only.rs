//! What a call may do that only reads: the table of host functions says what each touches.
//!
//! The mark stands on the message, so it holds for the services that a call invokes, too. What is not known to be
//! harmless is refused.

use crate::base::{Code, Fault, Value};
use crate::contract::{Args, Effect, HostFn};
use crate::script::host::split;

/// The requests that ask a peer and change nothing there.
const SAFE: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// Refuses a host function that would change something.
pub(super) fn permit(function: &HostFn, args: &Args) -> Result<(), Fault> {
    if !changes(function, args) {
        return Ok(());
    }
    let path = function.path;
    let message = format!("'{path}' would change something, and this call may only read");
    Err(Fault::new(Code::ReadOnly, message)
        .hint("In the REPL, `:write on` allows it, as `kladka repl --write` does from the start."))
}

fn changes(function: &HostFn, args: &Args) -> bool {
    if matches!(function.effect, Effect::Pure | Effect::Read) {
        return false;
    }
    match split(function.path) {
        // The service that it calls is asked the same at each step.
        ("", "invoke") | ("outgoing.http", "get" | "head" | "ping") => false,
        ("outgoing.http", "send") => !is_safe(args),
        _ => true,
    }
}

/// Tells whether the request that a table describes is a safe one. A method that is none is explained by the function.
fn is_safe(args: &Args) -> bool {
    let request = args.get(1).and_then(Value::as_map);
    let method = request.and_then(|request| request.get("method"));
    match method {
        Some(Value::Text(method)) => SAFE.contains(&method.as_str()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Map;
    use crate::kinds;

    /// All that a call that only reads may do although it does more than read state of our own.
    const ALLOWED: &[&str] = &[
        "invoke",
        "outgoing.http.get",
        "outgoing.http.head",
        "outgoing.http.ping",
        // It depends on the method; there is none in this test.
        "outgoing.http.send",
    ];

    #[test]
    fn what_changes_something_is_refused_and_nothing_else() {
        let (mut n_refused, mut n_allowed) = (0, 0);
        for function in kinds::tables().into_iter().flatten() {
            let harmless = matches!(function.effect, Effect::Pure | Effect::Read);
            let allowed = harmless || ALLOWED.contains(&function.path);
            let result = permit(function, &Args::default());
            assert_eq!(result.is_ok(), allowed, "{}", function.path);
            n_refused += usize::from(result.is_err());
            n_allowed += usize::from(!harmless && result.is_ok());
        }
        assert!(n_refused > 15, "{n_refused}");
        assert_eq!(n_allowed, ALLOWED.len());
    }

    #[test]
    fn a_request_is_judged_by_its_method() {
        let tables = kinds::tables();
        let mut all = tables.into_iter().flatten();
        let send = all.find(|it| it.path == "outgoing.http.send").unwrap();
        let cases = [
            (Value::text("GET"), true),
            (Value::text("HEAD"), true),
            (Value::text("OPTIONS"), true),
            (Value::text("POST"), false),
            (Value::text("DELETE"), false),
            (Value::text("get"), false),
            (Value::Int(1), true),
            (Value::Null, true),
        ];
        for (method, allowed) in cases {
            let shown = format!("{method:?}");
            let mut request = Map::new();
            request.set("method", method);
            let args = Args::new(vec![Value::Null, Value::Map(request)]);
            let result = permit(send, &args);
            assert_eq!(result.is_ok(), allowed, "{shown}");
            let code = result.err().map(|fault| fault.code());
            assert!(code.is_none_or(|code| code == Code::ReadOnly));
        }
    }
}
