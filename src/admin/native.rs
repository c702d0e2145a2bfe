//! Makes an operation of a function: JSON in, typed both ways.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::base::{BoxFuture, Code, Fault};
use crate::contract::{Effect, Native};

struct Operation<F> {
    name: &'static str,
    doc: &'static str,
    effect: Effect,
    run: F,
}

/// The input of operations that take no arguments.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoArguments {
    #[serde(skip)]
    _none: (),
}

/// Returns the operation `name` that runs `run` on `state`. Unknown arguments are refused if the input type says so.
pub(super) fn operation<S, I, O, F, R>(
    name: &'static str,
    doc: &'static str,
    effect: Effect,
    state: &S,
    run: F,
) -> Arc<dyn Native>
where
    S: Clone + Send + Sync + 'static,
    I: DeserializeOwned,
    O: Serialize,
    F: Fn(S, I) -> R + Send + Sync + 'static,
    R: Future<Output = Result<O, Fault>> + Send + 'static,
{
    let state = state.clone();
    let run = move |input: Json| -> BoxFuture<'static, Result<Json, Fault>> {
        let input = serde_json::from_value(input)
            .map_err(|error| Fault::new(Code::BadArguments, format!("{name}: {error}")));
        let running = input.map(|input| run(state.clone(), input));
        Box::pin(async move {
            let output = running?.await?;
            serde_json::to_value(output)
                .map_err(|error| Fault::new(Code::Internal, format!("{name}: {error}")))
        })
    };
    Arc::new(Operation {
        name,
        doc,
        effect,
        run,
    })
}

impl<F> Native for Operation<F>
where
    F: Fn(Json) -> BoxFuture<'static, Result<Json, Fault>> + Send + Sync,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn effect(&self) -> Effect {
        self.effect
    }

    fn call(&self, input: Json) -> BoxFuture<'_, Result<Json, Fault>> {
        (self.run)(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        a: i64,
        b: i64,
    }

    #[tokio::test]
    async fn arguments_are_typed_and_an_unknown_one_is_named() {
        let add = operation(
            "kladka.test.add",
            "Adds.",
            Effect::Pure,
            &(),
            |(), pair: Pair| async move { Ok(pair.a + pair.b) },
        );
        assert_eq!(
            add.call(serde_json::json!({"a": 1, "b": 2})).await.unwrap(),
            3
        );
        let fault = add
            .call(serde_json::json!({"a": 1, "b": 2, "c": 3}))
            .await
            .unwrap_err();
        assert_eq!(fault.code(), Code::BadArguments);
        assert!(fault.message().contains("`c`"), "{fault}");
    }
}
