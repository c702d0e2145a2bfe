//! `ctx.log`: lines of a service in the server's log, with the call's id, bounded per call.

use std::rc::Rc;

use crate::base::{Fault, Value};
use crate::contract::{Arg, Args, Call, Declaration, Effect, HostCall, HostFn, Receiver, Type};
use crate::sio;

/// The longest line, in bytes.
const MAX_LINE: usize = 8 << 10;
/// What a line counts beside its text: time, service and call stand in it, too. Else a script could fill the log by
/// lines without text.
const FRAME: usize = 100;

/// The namespace.
pub(crate) const TABLE: &[HostFn] = &[
    function(
        "log.debug",
        "Writes a line for people who look for a mistake.",
        |call, args| Ok(write(call, Level::Debug, args)),
    ),
    function(
        "log.info",
        "Writes a line on what happened.",
        |call, args| Ok(write(call, Level::Info, args)),
    ),
    function(
        "log.warn",
        "Writes a line on what is unexpected but handled.",
        |call, args| Ok(write(call, Level::Warn, args)),
    ),
    function(
        "log.error",
        "Writes a line on what somebody must look at.",
        |call, args| Ok(write(call, Level::Error, args)),
    ),
];

const fn function(
    path: &'static str,
    doc: &'static str,
    call: fn(&Rc<Call>, Args) -> Result<Value, Fault>,
) -> HostFn {
    const ARGS: &[Arg] = &[
        Arg {
            name: "format",
            ty: Type::Any,
            optional: false,
        },
        Arg {
            name: "values",
            ty: Type::Rest,
            optional: true,
        },
    ];
    HostFn {
        path,
        receiver: Receiver::Ctx,
        args: ARGS,
        returns: Type::Nothing,
        effect: Effect::Read,
        doc,
        examples: &[],
        call: HostCall::Now(call),
    }
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// For people who look for a mistake.
    Debug,
    /// What happened.
    Info,
    /// Unexpected but handled.
    Warn,
    /// Somebody must look.
    Error,
}

fn write(call: &Rc<Call>, level: Level, mut args: Args) -> Value {
    let shown = |value: &Value| show(value, &call.service);
    let format = shown(&args.take(0));
    let values = args.rest(1);
    let line = if values.is_empty() {
        format
    } else {
        fill(&format, &values, shown)
    };
    emit(call, level, &line);
    Value::Null
}

/// Writes a line to the log, escaped, cut and counted.
pub(crate) fn emit(call: &Call, level: Level, line: &str) {
    let used = call.log_used.get();
    let limit = call.ctx.limits.log;
    if used > limit {
        return;
    }
    let line = escape(line);
    call.log_used.set(used + line.len() + FRAME);
    if call.log_used.get() > limit {
        let (cid, service) = (call.ctx.cid.as_str(), call.service.name.as_str());
        tracing::warn!(target: "kladka::script", cid, service, "Log limit of the call reached.");
        return;
    }
    send(call, level, &line);
}

fn send(call: &Call, level: Level, line: &str) {
    let (cid, service) = (call.ctx.cid.as_str(), call.service.name.as_str());
    let job = call.ctx.job.as_ref().map(|job| job.name.as_str());
    match level {
        Level::Debug => tracing::debug!(target: "kladka::script", cid, service, job, "{line}"),
        Level::Info => tracing::info!(target: "kladka::script", cid, service, job, "{line}"),
        Level::Warn => tracing::warn!(target: "kladka::script", cid, service, job, "{line}"),
        Level::Error => tracing::error!(target: "kladka::script", cid, service, job, "{line}"),
    }
}

/// Makes one line of a text: nobody forges a second line, and it ends at the limit.
fn escape(line: &str) -> String {
    let mut clean = String::with_capacity(line.len().min(MAX_LINE));
    for c in line.chars() {
        if clean.len() >= MAX_LINE {
            clean.push_str("… (cut)");
            break;
        }
        match c {
            '\t' => clean.push('\t'),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                clean.extend(c.escape_default());
            }
            c => clean.push(c),
        }
    }
    clean
}

/// Fills `%s`, `%d` and their like with values; what does not fit stays as it is, for a log line must never fail.
fn fill(format: &str, values: &[Value], shown: impl Fn(&Value) -> String) -> String {
    let mut values = values.iter();
    let mut line = String::with_capacity(format.len() + 32);
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        line.push_str(before);
        let mark = after.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | ' '));
        let (flags, tail) = after
            .split_at_checked(mark.unwrap_or(after.len()))
            .unwrap_or((after, ""));
        let mut chars = tail.chars();
        match chars.next() {
            Some('%') if flags.is_empty() => line.push('%'),
            Some(kind @ ('s' | 'd' | 'i' | 'f' | 'g' | 'q' | 'x')) => match values.next() {
                Some(value) => line.push_str(&one(kind, flags, value, &shown)),
                None => line.extend(['%', kind]),
            },
            Some(other) => line.extend(["%", flags, &other.to_string()]),
            None => line.extend(["%", flags]),
        }
        rest = chars.as_str();
        if line.len() > MAX_LINE {
            return line;
        }
    }
    line.push_str(rest);
    line
}

fn one(kind: char, flags: &str, value: &Value, shown: impl Fn(&Value) -> String) -> String {
    let text = match (kind, value) {
        ('f', Value::Float(number)) => {
            let digits = flags
                .split_once('.')
                .and_then(|(_, digits)| digits.parse().ok());
            format!("{number:.*}", digits.unwrap_or(6_usize).min(99))
        }
        ('x', Value::Int(number)) => format!("{number:x}"),
        ('q', value) => format!("{:?}", shown(value)),
        (_, value) => shown(value),
    };
    let width = flags.split('.').next().unwrap_or_default();
    let zeros = width.starts_with('0');
    let left = width.starts_with('-');
    let width: usize = width.trim_start_matches('-').parse().unwrap_or(0).min(99);
    match (zeros, left) {
        (true, _) => format!("{text:0>width$}"),
        (_, true) => format!("{text:<width$}"),
        _ => format!("{text:>width$}"),
    }
}

/// Returns a value as a person reads it; maps and lists as JSON, without what the service declared as sensitive.
fn show(value: &Value, service: &Declaration) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Handle(handle) => format!("{handle:?}"),
        value => match value.to_text() {
            Some(text) => text.into(),
            None => sio::masked(value, service).to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_filled_and_never_fail() {
        let values = [Value::text("k"), Value::Int(7), Value::Float(1.5)];
        let shown = |value: &Value| value.to_text().unwrap().to_string();
        for (format, wanted) in [
            ("Key %s set to %d", "Key k set to 7"),
            ("%s %02d %.2f", "k 07 1.50"),
            ("%5s|%-3d|", "    k|7  |"),
            ("100%% of %s", "100% of k"),
            ("%z %s %", "%z k %"),
            ("%s%s%s%s", "k71.5%s"),
        ] {
            assert_eq!(fill(format, &values, shown), wanted, "{format}");
        }
    }

    #[test]
    fn a_line_cannot_forge_another() {
        assert_eq!(escape("a\nERROR b\r\u{1b}[0m"), "a\\nERROR b\\r\\u{1b}[0m");
        assert!(escape(&"é".repeat(MAX_LINE)).len() <= MAX_LINE + 16);
    }
}
