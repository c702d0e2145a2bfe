//! HTTP Basic: a user name and a password in `Authorization`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Caller, Code, Fault, Faults, Inbound, ObjectName, Secret, Text};
use crate::contract::{Checked, Credentials, Env, Guard, Kind, Live, Ports};
use crate::security::{Expected, check_quotable, realm, refused, unset};

/// A user name and a password, sent with every message.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BasicSpec {
    /// The user name; it cannot hold a colon.
    pub(crate) username: String,
    /// The password. While it is empty, channels of this definition answer 503.
    #[serde(default)]
    pub(crate) password: Secret,
    /// The realm that the challenge names; the definition's own name when left out.
    #[serde(default)]
    pub(crate) realm: String,
}

/// HTTP Basic authentication.
pub(crate) struct Basic;

impl Kind for Basic {
    const NAME: &'static str = "security.basic";
    const DOC: &'static str = "HTTP Basic: a user name and a password.";
    const EXAMPLE: &'static str =
        r#"{"username": "client2", "password": "secret", "realm": "rates"}"#;

    type Spec = BasicSpec;

    fn check(spec: &BasicSpec, faults: &mut Faults) {
        check_quotable("realm", &spec.realm, faults);
        if spec.username.is_empty() || spec.username.contains(':') {
            faults.push(Fault::new(
                Code::ConfigConstraint,
                format!(
                    "username {:?} must not be empty or hold a colon",
                    spec.username
                ),
            ));
        }
    }

    fn start(name: &ObjectName, spec: Arc<BasicSpec>, _env: &Env<'_>) -> Result<Live, Fault> {
        let realm = realm(&spec.realm, name.as_str());
        Ok(Live::Guard(Arc::new(BasicGuard {
            name: Text::new(name.as_str()),
            expected: Expected::new(&pair(spec.username.as_bytes(), spec.password.reveal())),
            challenge: format!("Basic realm=\"{realm}\", charset=\"UTF-8\""),
            spec,
        })))
    }
}

struct BasicGuard {
    name: Text,
    spec: Arc<BasicSpec>,
    /// User name and password at once, so that neither is found out apart from the other.
    expected: Expected,
    challenge: String,
}

fn pair(username: &[u8], password: &str) -> Vec<u8> {
    [username, b":", password.as_bytes()].concat()
}

impl BasicGuard {
    fn decide(&self, inbound: &Inbound) -> Result<Caller, Fault> {
        self.usable()?;
        // Something is compared in any case, so that every refusal takes the same way.
        let given = presented(inbound);
        let fits = self.expected.is(given.as_deref().unwrap_or_default());
        if fits && given.is_some() {
            let name = Text::new(&self.spec.username);
            return Ok(Caller {
                security: self.name.clone(),
                name,
            });
        }
        Err(refused(&self.challenge))
    }
}

/// Returns the credentials of the only `Authorization` header, if it is Basic.
fn presented(inbound: &Inbound) -> Option<Vec<u8>> {
    let mut headers = inbound.meta.headers.get_all(AUTHORIZATION).iter();
    let (only, second) = (headers.next()?, headers.next());
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let basic = scheme.eq_ignore_ascii_case("basic") && second.is_none();
    basic.then(|| STANDARD.decode(token.trim()).ok()).flatten()
}

impl Guard for BasicGuard {
    fn check<'a>(&'a self, inbound: &'a Inbound, _ports: &'a Ports) -> Checked<'a> {
        Checked::Done(self.decide(inbound))
    }

    fn usable(&self) -> Result<(), Fault> {
        if self.spec.password.is_empty() {
            return Err(unset(&self.name));
        }
        Ok(())
    }

    fn credentials(&self) -> Option<Credentials> {
        Some(Credentials::Basic {
            username: Text::new(&self.spec.username),
            password: self.spec.password.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::tests::{Keys, guard_of, message, ports};

    async fn answer(
        body: serde_json::Value,
        headers: &[(&'static str, &str)],
    ) -> Result<Caller, Fault> {
        let ports = ports(chrono::Utc::now(), Keys::default());
        guard_of::<Basic>(body)
            .check(&message(headers, "", false), &ports)
            .decided()
            .await
    }

    fn header(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn spec() -> serde_json::Value {
        serde_json::from_str(Basic::EXAMPLE).unwrap()
    }

    #[tokio::test]
    async fn the_right_pair_is_let_in_and_named() {
        let right = header("client2:secret");
        let caller = answer(spec(), &[("authorization", &right)]).await.unwrap();
        assert_eq!((&*caller.security, &*caller.name), ("own", "client2"));
        let lower = right.replace("Basic", "basic");
        assert!(answer(spec(), &[("authorization", &lower)]).await.is_ok());
    }

    #[tokio::test]
    async fn every_wrong_credential_gets_the_same_answer() {
        let right = header("client2:secret");
        let wrong = [
            header("client2:wrong"),
            header("other:secret"),
            header("client2:"),
            header("client2"),
            header(""),
            header("client2:secret "),
            "Basic !!!".to_owned(),
            "Basic".to_owned(),
            right.replace("Basic", "Bearer"),
        ];
        let reference = format!("{:?}", answer(spec(), &[]).await.unwrap_err());
        for given in &wrong {
            let fault = answer(spec(), &[("authorization", given)])
                .await
                .unwrap_err();
            assert_eq!(fault.status(), 401);
            let challenge = &fault.headers().first().unwrap().1;
            assert_eq!(challenge, "Basic realm=\"rates\", charset=\"UTF-8\"");
            assert_eq!(format!("{fault:?}"), reference, "{given}");
        }
        let twice = [("authorization", &*right), ("authorization", &*right)];
        assert_eq!(answer(spec(), &twice).await.unwrap_err().status(), 401);
    }

    #[tokio::test]
    async fn a_definition_without_a_password_lets_nobody_in() {
        let body = serde_json::json!({"username": "client2"});
        for given in [header("client2:"), header("client2:x")] {
            let fault = answer(body.clone(), &[("authorization", &given)])
                .await
                .unwrap_err();
            assert_eq!(fault.code(), Code::GuardUnavailable);
        }
    }

    #[test]
    fn a_realm_cannot_break_out_of_its_quotes() {
        use crate::contract::{AnyKind as _, Of};
        let body = serde_json::json!({"username": "a:b", "realm": "x\", y=\""});
        assert_eq!(Of::<Basic>::NEW.normal(&body).unwrap_err().0.len(), 2);
    }
}
