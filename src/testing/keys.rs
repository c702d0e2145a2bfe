//! The key/value store of a test: an empty one in memory, set and read as people write values.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::base::{BoxFuture, Clock, Code, Fault, Value, closest};
use crate::contract::{Command, KeyValue, KvReply, Running};
use crate::kvdb;

/// The store of one test. Knows which key was last asked for in vain, for a hint.
pub(super) struct Keys {
    store: Arc<dyn KeyValue>,
    missed: Mutex<Option<String>>,
}

impl KeyValue for Keys {
    fn run(&self, command: Command) -> Running {
        let key = (command.name == "get").then(|| command.args.first().cloned());
        let running = self.store.run(command);
        if let (Some(key), Running::Done(Ok(reply))) = (key.flatten(), &running) {
            let missed = (*reply == KvReply::Nil).then(|| text(&key));
            *self.missed.lock().unwrap_or_else(PoisonError::into_inner) = missed;
        }
        running
    }

    fn sync(&self) -> BoxFuture<'_, Result<(), Fault>> {
        self.store.sync()
    }
}

impl Keys {
    /// Makes an empty store.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            store: kvdb::in_memory(clock),
            missed: Mutex::default(),
        }
    }

    /// Sets a key: a map becomes a hash, a list a list, anything else a text.
    pub(super) fn set(&self, key: &str, value: &Json) -> Result<(), Fault> {
        let mut args = vec![key.to_owned()];
        let name = match value {
            Json::Object(map) => {
                args.extend(
                    map.iter()
                        .flat_map(|(name, value)| [name.clone(), scalar(value)]),
                );
                "hset"
            }
            Json::Array(list) => {
                args.extend(list.iter().map(scalar));
                "rpush"
            }
            other => {
                args.push(scalar(other));
                "set"
            }
        };
        self.ask(name, &args).map(drop)
    }

    /// Compares a key with what is expected of it; null expects that there is none.
    pub(super) fn check(&self, key: &str, expected: &Json) -> Result<(), Fault> {
        let (name, args): (_, &[&str]) = match expected {
            Json::Object(_) => ("hgetall", &[key]),
            Json::Array(_) => ("lrange", &[key, "0", "-1"]),
            _ => ("get", &[key]),
        };
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let got = shape(self.ask(name, &args)?, expected.is_object());
        let expected = match expected {
            Json::Object(map) => map
                .iter()
                .map(|(name, value)| (name.clone(), json!(scalar(value))))
                .collect(),
            Json::Array(list) => list.iter().map(|value| json!(scalar(value))).collect(),
            Json::Null => Json::Null,
            other => json!(scalar(other)),
        };
        super::compare::check(&expected, &got).map_err(|fault| {
            let named = Fault::new(
                Code::TestFailed,
                format!("key '{key}': {}", fault.message()),
            );
            match self.similar(key).filter(|_| got.is_null()) {
                Some(near) => named.hint(format!("A similar key exists: {near}")),
                None => named,
            }
        })
    }

    /// Returns a hint when the last key that was asked for is not there but one like it.
    pub(super) fn hint(&self) -> Option<String> {
        let missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        let key = missed.clone()?;
        drop(missed);
        let near = self.similar(&key)?;
        Some(format!(
            "There is no key {key}; a similar one exists: {near}"
        ))
    }

    fn similar(&self, key: &str) -> Option<String> {
        let all = ["0", "count", "10000"].map(str::to_owned);
        let KvReply::List(reply) = self.ask("scan", &all).ok()? else {
            return None;
        };
        let Some(KvReply::List(keys)) = reply.into_iter().nth(1) else {
            return None;
        };
        let keys = keys.into_iter().filter_map(|key| match key {
            KvReply::Data(data) => Some(text(&data)),
            _ => None,
        });
        let keys: Vec<String> = keys.filter(|own| own != key).collect();
        // Numbers with and without zeros in front are the usual mistake.
        let bare = |key: &str| {
            let parts = key.split(':').map(|part| part.trim_start_matches('0'));
            parts.collect::<Vec<_>>().join(":")
        };
        let same = keys.iter().find(|own| bare(own) == bare(key));
        let near = || closest(key, keys.iter().map(String::as_str)).map(str::to_owned);
        same.cloned().or_else(near)
    }

    fn ask(&self, name: &'static str, args: &[String]) -> Result<KvReply, Fault> {
        let args = args.iter().map(|arg| Bytes::from(arg.clone())).collect();
        match self.store.run(Command { name, args }) {
            Running::Done(reply) => reply,
            Running::Later(_) => Err(Fault::new(Code::Internal, "the store of a test waits")),
        }
    }
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn scalar(value: &Json) -> String {
    let text = Value::from(value).to_text();
    text.map_or_else(|| value.to_string(), String::from)
}

fn shape(reply: KvReply, pairs: bool) -> Json {
    match reply {
        KvReply::Nil => Json::Null,
        KvReply::Ok => json!(true),
        KvReply::Int(number) => json!(number),
        KvReply::Data(data) => json!(text(&data)),
        KvReply::List(list) if pairs => {
            let texts: Vec<Json> = list.into_iter().map(|one| shape(one, false)).collect();
            let named = texts.chunks(2).filter_map(|pair| match pair {
                [name, value] => Some((name.as_str()?.to_owned(), value.clone())),
                _ => None,
            });
            named.collect()
        }
        KvReply::List(list) => list.into_iter().map(|one| shape(one, false)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemClock;

    #[test]
    fn values_are_compared_as_people_write_them_and_a_like_key_is_named() {
        let keys = Keys::new(Arc::new(SystemClock));
        let given = [
            ("rates:2013:09:03", json!(1.22)),
            ("list", json!(["a", 2])),
            ("hash", json!({"a": "1", "b": true})),
        ];
        for (key, value) in &given {
            keys.set(key, value).unwrap();
            keys.check(key, value).unwrap();
        }
        keys.check("gone", &Json::Null).unwrap();
        let fault = keys.check("rates:2013:9:3", &json!("1.22")).unwrap_err();
        assert_eq!(
            fault.message(),
            "key 'rates:2013:9:3': expected \"1.22\", got nothing"
        );
        assert_eq!(
            fault.hint_text(),
            Some("A similar key exists: rates:2013:09:03")
        );
        let fault = keys.check("hash", &json!({"a": 2})).unwrap_err();
        assert!(
            fault.message().contains("/a: expected \"2\", got \"1\""),
            "{fault}"
        );
        assert_eq!(
            keys.check("list", &json!("a")).unwrap_err().code(),
            Code::KeyType
        );
    }
}
