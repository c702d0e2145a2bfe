//! What a REPL on another process reaches of this server: keys and peers. Services it calls by `kladka.service.invoke`.
//!
//! No script comes this way: the REPL runs its own and asks for single steps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::admin::Parts;
use crate::admin::native::operation;
use crate::base::{Cid, Fault, Millis};
use crate::connect::http::send_for;
use crate::contract::{Connections as _, Effect, Native, Running};
use crate::kvdb::told;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// The command, as Redis calls it.
    command: String,
    /// Its arguments, each in base64.
    #[serde(default)]
    args: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    /// The connection.
    name: String,
    /// What to send.
    asked: Json,
    /// How long the caller waits.
    timeout: Millis,
}

pub(super) fn operations(parts: &Arc<Parts>) -> Vec<Arc<dyn Native>> {
    vec![
        operation(
            "kladka.kvdb.run",
            "Runs a command of the key/value store.",
            Effect::Write,
            parts,
            |parts, input: Run| async move { run(&parts, &input).await },
        ),
        operation(
            "kladka.outgoing.send",
            "Sends a request over a connection.",
            Effect::Network,
            parts,
            |parts, input: Send| async move {
                let runtime = &parts.configuration.runtime;
                let connection = runtime.outgoing("http", &input.name)?;
                let deadline = Instant::now() + Duration::from(input.timeout);
                send_for(connection, input.asked, Cid::fresh(), deadline).await
            },
        ),
    ]
}

async fn run(parts: &Parts, input: &Run) -> Result<Json, Fault> {
    let command = told::command(&input.command, &input.args)?;
    let reply = match parts.direct.ports.kvdb.run(command) {
        Running::Done(reply) => reply?,
        Running::Later(reply) => reply.await?,
    };
    Ok(json!({ "reply": told::reply(&reply) }))
}
