//! Commands and replies as JSON: how another process uses the store through the admin port.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::base::Fault;
use crate::contract::{Command, KvReply};
use crate::kvdb::{command, fault};

/// Writes arguments.
pub(crate) fn arguments(command: &Command) -> Vec<String> {
    command
        .args
        .iter()
        .map(|arg| STANDARD.encode(arg))
        .collect()
}

/// Reads a command.
pub(crate) fn command(name: &str, args: &[String]) -> Result<Command, Fault> {
    let rule = command::TABLE.iter().find(|rule| rule.name == name);
    let rule = rule.ok_or_else(|| fault::unknown(name))?;
    let args = args.iter().map(|arg| STANDARD.decode(arg).map(Bytes::from));
    let args = args.collect::<Result<_, _>>();
    Ok(Command {
        name: rule.name,
        args: args.map_err(|_other| fault::arity(rule.name))?,
    })
}

/// Writes a reply: a text is base64 in JSON, anything else what it is.
pub(crate) fn reply(reply: &KvReply) -> Json {
    match reply {
        KvReply::Nil => Json::Null,
        KvReply::Ok => json!(true),
        KvReply::Int(number) => json!(number),
        KvReply::Data(bytes) => json!(STANDARD.encode(bytes)),
        KvReply::List(list) => list.iter().map(self::reply).collect(),
    }
}

/// Reads a reply; `None` when it is none.
pub(crate) fn read(told: &Json) -> Option<KvReply> {
    match told {
        Json::Null => Some(KvReply::Nil),
        Json::Bool(_) => Some(KvReply::Ok),
        Json::Number(number) => number.as_i64().map(KvReply::Int),
        Json::String(text) => STANDARD
            .decode(text)
            .ok()
            .map(|it| KvReply::Data(it.into())),
        Json::Array(list) => list
            .iter()
            .map(read)
            .collect::<Option<_>>()
            .map(KvReply::List),
        Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_replies_come_as_they_went() {
        let sent = Command {
            name: "set",
            args: vec![Bytes::from_static(b"key"), Bytes::from_static(b"\xff\x00")],
        };
        assert_eq!(command("set", &arguments(&sent)).unwrap(), sent);
        assert!(command("flushall", &[]).is_err());
        assert!(command("get", &["!".to_owned()]).is_err());
        for one in [
            KvReply::Nil,
            KvReply::Ok,
            KvReply::Int(-7),
            KvReply::Data(Bytes::from_static(b"\xff")),
            KvReply::List(vec![KvReply::Nil, KvReply::List(vec![KvReply::Int(1)])]),
        ] {
            assert_eq!(read(&reply(&one)), Some(one));
        }
        assert_eq!(read(&json!({})), None);
    }
}
