//! WS-Security `UsernameToken`: a user name and a password, or its digest, in the header of a SOAP message.

mod token;

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Caller, Code, Fault, Faults, Inbound, Millis, ObjectName, Secret, Text};
use crate::contract::{Checked, Command, Env, Guard, Kind, KvReply, Live, Ports, Running};
use crate::security::wss::token::{Stamp, Token, Unread};
use crate::security::{Expected, refused, unset};
use crate::xml;

/// How far a message may come from the future: clocks differ, but not for minutes.
const FUTURE: TimeDelta = TimeDelta::seconds(60);

/// A user name and a password in the header of SOAP messages, by the `UsernameToken` profile of WS-Security.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WssSpec {
    /// The user name.
    pub(crate) username: String,
    /// The password. While it is empty, channels of this definition answer 503.
    #[serde(default)]
    pub(crate) password: Secret,
    /// The kinds of passwords that are accepted: `digest`, `text` or both.
    #[serde(default = "digest_only")]
    pub(crate) passwords: Vec<PasswordKind>,
    /// Whether passwords as text are accepted without TLS, where everyone on the way can read them.
    #[serde(default)]
    pub(crate) allow_plain: bool,
    /// How old a message may be. Its nonce is remembered as long, so that it cannot be sent again.
    #[serde(default = "five_minutes")]
    pub(crate) max_clock_skew: Millis,
}

/// How a password is written in the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PasswordKind {
    /// A digest of nonce, time and password: never the password itself.
    Digest,
    /// The password as it is.
    Text,
}

fn digest_only() -> Vec<PasswordKind> {
    vec![PasswordKind::Digest]
}

fn five_minutes() -> Millis {
    Millis::seconds(300)
}

/// WS-Security `UsernameToken`.
pub(crate) struct Wss;

impl Kind for Wss {
    const NAME: &'static str = "security.wss";
    const DOC: &'static str = "WS-Security UsernameToken in the header of SOAP messages.";
    const EXAMPLE: &'static str =
        r#"{"username": "client3", "password": "secret", "passwords": ["digest"]}"#;

    type Spec = WssSpec;

    fn check(spec: &WssSpec, faults: &mut Faults) {
        let mut refuse = |message: String| {
            faults.push(Fault::new(Code::ConfigConstraint, message));
        };
        if spec.username.is_empty() {
            refuse("username must not be empty".to_owned());
        }
        if spec.passwords.is_empty() {
            refuse("passwords must hold 'digest', 'text' or both".to_owned());
        }
        if !(1_000..=86_400_000).contains(&spec.max_clock_skew.0) {
            let skew = spec.max_clock_skew;
            refuse(format!("max_clock_skew {skew} must be between 1s and 1d"));
        }
    }

    fn start(name: &ObjectName, spec: Arc<WssSpec>, _env: &Env<'_>) -> Result<Live, Fault> {
        Ok(Live::Guard(Arc::new(WssGuard {
            name: Text::new(name.as_str()),
            username: Expected::new(spec.username.as_bytes()),
            password: Expected::new(spec.password.reveal().as_bytes()),
            challenge: format!("WSSE realm=\"{name}\", profile=\"UsernameToken\""),
            window: TimeDelta::milliseconds(i64::try_from(spec.max_clock_skew.0).unwrap_or(0)),
            spec,
        })))
    }
}

struct WssGuard {
    name: Text,
    spec: Arc<WssSpec>,
    username: Expected,
    password: Expected,
    challenge: String,
    window: TimeDelta,
}

/// Why a token is refused: for the log, never for the caller.
type Cause = &'static str;

impl WssGuard {
    async fn decide(&self, inbound: &Inbound, ports: &Ports) -> Result<Caller, Fault> {
        self.usable()?;
        // What is no XML carries no token; its own fault says so, and says nothing of credentials.
        let charset = inbound.meta.header("content-type").and_then(charset);
        let document = xml::parse(&inbound.body, charset, &xml::Limits::default())?;
        let token = Token::read(&document.root()).map_err(|unread| match unread {
            Unread::Refused(cause) => self.refusal(cause),
            Unread::Unchecked => self.unchecked(),
        })?;
        let secure = inbound.meta.http.as_ref().is_some_and(|http| http.secure);
        self.judge(&token, ports.clock.now(), secure)
            .map_err(|cause| self.refusal(cause))?;
        if token.kind == PasswordKind::Digest {
            self.claim(&token, ports).await?;
        }
        let name = Text::new(&self.spec.username);
        Ok(Caller {
            security: self.name.clone(),
            name,
        })
    }

    fn refusal(&self, cause: Cause) -> Fault {
        refused(&self.challenge).detail(cause)
    }

    /// Refuses what would pass for checked. It depends on no credential, so it may say what it is.
    fn unchecked(&self) -> Fault {
        let message =
            "the security header holds a signature or encryption, which is not accepted here";
        Fault::new(Code::InvalidSecurity, message).header("WWW-Authenticate", &self.challenge)
    }

    /// Judges everything that the token itself tells. The credentials are compared in any case.
    fn judge(&self, token: &Token, now: DateTime<Utc>, secure: bool) -> Result<(), Cause> {
        let known = self.username.is(token.username.as_bytes());
        let fits = match token.kind {
            PasswordKind::Text => self.password.is(token.password.as_bytes()),
            PasswordKind::Digest => self.digest_fits(token),
        };
        if !self.spec.passwords.contains(&token.kind) {
            return Err("this kind of password is not accepted");
        }
        if token.kind == PasswordKind::Text && !secure && !self.spec.allow_plain {
            return Err("password as text without TLS");
        }
        if !(known & fits) {
            return Err("wrong user name or password");
        }
        let dated = token.kind == PasswordKind::Digest;
        let fresh = match &token.created {
            Some(created) => self.is_fresh(created, now),
            None => !dated,
        };
        let timely = token
            .timestamp
            .as_ref()
            .is_none_or(|stamp| self.is_timely(stamp, now));
        if fresh && timely {
            Ok(())
        } else {
            Err("expired, not yet valid, or without a time")
        }
    }

    /// Tells whether the password is the digest of nonce, time and our password.
    fn digest_fits(&self, token: &Token) -> bool {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(token.nonce.as_deref().unwrap_or_default());
        context.update(token.created.as_deref().unwrap_or_default().as_bytes());
        context.update(self.spec.password.reveal().as_bytes());
        let given = STANDARD.decode(&token.password).unwrap_or_default();
        let same = verify_slices_are_equal(context.finish().as_ref(), &given).is_ok();
        same & token.nonce.is_some() & token.created.is_some()
    }

    fn is_fresh(&self, created: &str, now: DateTime<Utc>) -> bool {
        let moment = DateTime::parse_from_rfc3339(created);
        moment.is_ok_and(|moment| {
            let age = now.signed_duration_since(moment);
            age <= self.window && age >= -FUTURE.min(self.window)
        })
    }

    /// Judges a `Timestamp` of the message, which has an end of its own.
    fn is_timely(&self, stamp: &Stamp, now: DateTime<Utc>) -> bool {
        let created = DateTime::parse_from_rfc3339(&stamp.created);
        let ends = stamp.expires.as_deref().map(DateTime::parse_from_rfc3339);
        let ends = match (created, ends) {
            (Ok(created), Some(Ok(expires))) => expires > created && expires > now,
            (Ok(_), None) => true,
            _ => false,
        };
        ends && self.is_fresh(&stamp.created, now)
    }

    /// Claims the nonce for as long as the message could be accepted; whoever comes second is refused.
    async fn claim(&self, token: &Token, ports: &Ports) -> Result<(), Fault> {
        let running = ports.kvdb.run(self.claiming(token));
        let reply = match running {
            Running::Done(reply) => reply,
            Running::Later(reply) => reply.await,
        };
        match reply {
            Ok(KvReply::Ok) => Ok(()),
            Ok(_) => Err(self.refusal("nonce used before")),
            // Without the store nobody can tell a message from its repetition.
            Err(error) => Err(Fault::new(
                Code::GuardUnavailable,
                format!("security definition '{}' cannot decide now", self.name),
            )
            .detail(error.to_string())),
        }
    }

    fn claiming(&self, token: &Token) -> Command {
        let nonce = token.nonce.as_deref().unwrap_or_default();
        let created = token.created.as_deref().unwrap_or_default();
        let hash = digest(&SHA256, &[nonce, b"\0", created.as_bytes()].concat());
        let key = format!("kladka:wss:{}:{}", self.name, URL_SAFE_NO_PAD.encode(hash));
        let lifetime = self.spec.max_clock_skew.0.max(300_000) + 60_000;
        let args = [
            key,
            String::new(),
            "NX".into(),
            "PX".into(),
            lifetime.to_string(),
        ];
        Command {
            name: "set",
            args: args.into_iter().map(Bytes::from).collect(),
        }
    }
}

/// Returns the `charset` of a media type.
fn charset(media_type: &str) -> Option<&str> {
    let mut parameters = media_type.split(';').skip(1);
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let charset = name.trim().eq_ignore_ascii_case("charset");
        charset.then(|| value.trim().trim_matches('"'))
    })
}

impl Guard for WssGuard {
    fn check<'a>(&'a self, inbound: &'a Inbound, ports: &'a Ports) -> Checked<'a> {
        Checked::Later(Box::pin(self.decide(inbound, ports)))
    }

    fn usable(&self) -> Result<(), Fault> {
        if self.spec.password.is_empty() {
            return Err(unset(&self.name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{AnyKind as _, Of};
    use crate::security::tests::{Keys, guard_of, message, ports};

    const NOW: &str = "2026-11-24T05:00:00Z";
    const SECEXT: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    const UTILITY: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    const PROFILE: &str =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0";

    fn envelope(security: &str) -> String {
        format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:w=\"{SECEXT}\" xmlns:u=\"{UTILITY}\"><s:Header>{security}</s:Header>\
             <s:Body/></s:Envelope>"
        )
    }

    fn security(inner: &str) -> String {
        format!("<w:Security>{inner}</w:Security>")
    }

    fn token(inner: &str) -> String {
        format!("<w:UsernameToken>{inner}</w:UsernameToken>")
    }

    fn text_token(username: &str, password: &str) -> String {
        envelope(&security(&token(&format!(
            "<w:Username>{username}</w:Username>\
             <w:Password Type=\"{PROFILE}#PasswordText\">{password}</w:Password>"
        ))))
    }

    /// The inner part of a digest token, as a client makes it.
    fn digest_parts(username: &str, password: &str, nonce: &[u8], created: &str) -> String {
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(nonce);
        context.update(created.as_bytes());
        context.update(password.as_bytes());
        let digest = STANDARD.encode(context.finish());
        let nonce = STANDARD.encode(nonce);
        format!(
            "<w:Username>{username}</w:Username>\
             <w:Password Type=\"{PROFILE}#PasswordDigest\">{digest}</w:Password>\
             <w:Nonce>{nonce}</w:Nonce><u:Created>{created}</u:Created>"
        )
    }

    fn digest_token(username: &str, password: &str, nonce: &[u8], created: &str) -> String {
        envelope(&security(&token(&digest_parts(
            username, password, nonce, created,
        ))))
    }

    fn spec(more: &serde_json::Value) -> serde_json::Value {
        let mut spec = serde_json::json!({"username": "client3", "password": "demo-3"});
        for (name, value) in more.as_object().unwrap() {
            spec[name] = value.clone();
        }
        spec
    }

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(NOW).unwrap().to_utc()
    }

    struct Case {
        guard: Arc<dyn Guard>,
        ports: Ports,
        secure: bool,
    }

    impl Case {
        #[expect(
            clippy::needless_pass_by_value,
            reason = "tests write the value in place"
        )]
        fn new(more: serde_json::Value) -> Self {
            let guard = guard_of::<Wss>(spec(&more));
            Self {
                guard,
                ports: ports(now(), Keys::default()),
                secure: false,
            }
        }

        async fn send(&self, body: &str) -> Result<Caller, Fault> {
            let headers = [("content-type", "text/xml; charset=utf-8")];
            self.guard
                .check(&message(&headers, body, self.secure), &self.ports)
                .decided()
                .await
        }
    }

    /// What the caller sees of a refusal.
    fn seen(fault: &Fault) -> String {
        format!(
            "{} {} {:?} {:?}",
            fault.code(),
            fault.message(),
            fault.hint_text(),
            fault.headers()
        )
    }

    #[tokio::test]
    async fn a_digest_is_let_in_once() {
        let case = Case::new(serde_json::json!({}));
        let body = digest_token("client3", "demo-3", b"0123456789abcdef", NOW);
        let caller = case.send(&body).await.unwrap();
        assert_eq!((&*caller.security, &*caller.name), ("own", "client3"));
        let replayed = case.send(&body).await.unwrap_err();
        assert_eq!(replayed.detail_text(), Some("nonce used before"));
        assert_eq!(replayed.code(), Code::Unauthorized);
        let other = digest_token("client3", "demo-3", b"another nonce", NOW);
        assert!(case.send(&other).await.is_ok());
    }

    #[tokio::test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    async fn every_refusal_looks_the_same() {
        let case = Case::new(serde_json::json!({"passwords": ["digest", "text"]}));
        let reference = seen(&case.send(&envelope("")).await.unwrap_err());
        assert!(
            reference.contains("WSSE realm=\\\"own\\\", profile=\\\"UsernameToken\\\""),
            "{reference}"
        );
        let right = digest_parts("client3", "demo-3", b"n", NOW);
        let nonce = format!("<w:Nonce>{}</w:Nonce>", STANDARD.encode(b"n"));
        let created = format!("<u:Created>{NOW}</u:Created>");
        let stamp = |created: &str, expires: &str| {
            envelope(&security(&format!(
                "<u:Timestamp><u:Created>{created}</u:Created><u:Expires>{expires}</u:Expires></u:Timestamp>{}",
                token(&right)
            )))
        };
        let refused = [
            (
                "wrong password",
                digest_token("client3", "wrong", b"n", NOW),
            ),
            ("wrong user", digest_token("other", "demo-3", b"n", NOW)),
            ("empty password", digest_token("client3", "", b"n", NOW)),
            (
                "too old",
                digest_token("client3", "demo-3", b"n", "2026-11-24T04:54:00Z"),
            ),
            (
                "from the future",
                digest_token("client3", "demo-3", b"n", "2026-11-24T05:02:00Z"),
            ),
            (
                "no time zone",
                digest_token("client3", "demo-3", b"n", "2026-11-24T05:00:00"),
            ),
            ("no time", digest_token("client3", "demo-3", b"n", "")),
            (
                "no nonce",
                envelope(&security(&token(&right.replace(&nonce, "")))),
            ),
            (
                "two nonces",
                envelope(&security(&token(&right.replace(&nonce, &nonce.repeat(2))))),
            ),
            (
                "junk nonce",
                envelope(&security(&token(
                    &right.replace(&nonce, "<w:Nonce>!</w:Nonce>"),
                ))),
            ),
            (
                "no created",
                envelope(&security(&token(&right.replace(&created, "")))),
            ),
            ("two tokens", envelope(&security(&token(&right).repeat(2)))),
            ("two headers", envelope(&security(&token(&right)).repeat(2))),
            (
                "token in body",
                envelope("").replace(
                    "<s:Body/>",
                    &format!("<s:Body>{}</s:Body>", security(&token(&right))),
                ),
            ),
            (
                "expired stamp",
                stamp("2026-11-24T04:59:00Z", "2026-11-24T04:59:30Z"),
            ),
            (
                "stamp ends before it begins",
                stamp(NOW, "2026-11-24T04:00:00Z"),
            ),
            ("text without TLS", text_token("client3", "demo-3")),
            ("no envelope", "<a/>".to_owned()),
            (
                "unknown kind",
                text_token("client3", "demo-3").replace("#PasswordText", "#Other"),
            ),
        ];
        for (name, body) in refused {
            let fault = case
                .send(&body)
                .await
                .err()
                .unwrap_or_else(|| panic!("{name} was let in"));
            assert_eq!(seen(&fault), reference, "{name}");
        }
        assert!(
            case.send(&stamp("2026-11-24T04:59:00Z", "2026-11-24T05:09:00Z"))
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_signature_or_encryption_is_refused_whatever_the_credentials_are() {
        let case = Case::new(serde_json::json!({}));
        let right = token(&digest_parts("client3", "demo-3", b"n", NOW));
        let signed = "<d:Signature xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"/>";
        let key = "<e:EncryptedKey xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"/>";
        let data = "<e:EncryptedData xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"/>";
        let deep = format!("<x:Assertion xmlns:x=\"urn:x\">{signed}</x:Assertion>");
        for part in [signed, key, data, &deep] {
            for token in [right.as_str(), ""] {
                for inner in [format!("{part}{token}"), format!("{token}{part}")] {
                    let fault = case.send(&envelope(&security(&inner))).await.unwrap_err();
                    assert_eq!(fault.code(), Code::InvalidSecurity, "{inner}");
                    assert_eq!(fault.headers()[0].0, "WWW-Authenticate");
                }
            }
        }
        let other = format!("{right}<x:Signature xmlns:x=\"urn:x\"/>");
        assert!(case.send(&envelope(&security(&other))).await.is_ok());
    }

    #[tokio::test]
    async fn text_needs_leave_and_tls_or_leave_to_go_without() {
        let body = text_token("client3", "demo-3");
        let mut case = Case::new(serde_json::json!({}));
        case.secure = true;
        assert!(case.send(&body).await.is_err(), "only digests are accepted");
        let mut case = Case::new(serde_json::json!({"passwords": ["text"]}));
        assert!(case.send(&body).await.is_err(), "no TLS");
        case.secure = true;
        assert!(case.send(&body).await.is_ok());
        let digest = digest_token("client3", "demo-3", b"n", NOW);
        assert!(case.send(&digest).await.is_err(), "only text is accepted");
        let case = Case::new(serde_json::json!({"passwords": ["text"], "allow_plain": true}));
        assert!(case.send(&body).await.is_ok());
        assert!(case.send(&text_token("client3", "demo-4")).await.is_err());
    }

    #[tokio::test]
    async fn both_versions_of_soap_carry_tokens() {
        let case = Case::new(serde_json::json!({}));
        let body = digest_token("client3", "demo-3", b"n", NOW).replace(
            "http://schemas.xmlsoap.org/soap/envelope/",
            "http://www.w3.org/2003/05/soap-envelope",
        );
        assert!(case.send(&body).await.is_ok());
    }

    #[tokio::test]
    async fn without_the_store_digests_are_refused() {
        let mut case = Case::new(serde_json::json!({}));
        case.ports = ports(
            now(),
            Keys {
                down: true,
                ..Keys::default()
            },
        );
        let fault = case
            .send(&digest_token("client3", "demo-3", b"n", NOW))
            .await
            .unwrap_err();
        assert_eq!(fault.code(), Code::GuardUnavailable);
        let fault = case
            .send(&digest_token("client3", "wrong", b"n", NOW))
            .await
            .unwrap_err();
        assert_eq!(fault.code(), Code::Unauthorized);
    }

    #[tokio::test]
    async fn a_definition_without_a_password_lets_nobody_in() {
        let case = Case::new(serde_json::json!({"password": ""}));
        let fault = case
            .send(&digest_token("client3", "", b"n", NOW))
            .await
            .unwrap_err();
        assert_eq!(fault.code(), Code::GuardUnavailable);
    }

    #[tokio::test]
    async fn what_is_no_xml_says_so() {
        let case = Case::new(serde_json::json!({}));
        assert_eq!(
            case.send("not xml").await.unwrap_err().code(),
            Code::Malformed
        );
    }

    #[test]
    fn all_problems_of_a_spec_are_told() {
        let body = serde_json::json!({"username": "", "passwords": [], "max_clock_skew": "2d"});
        assert_eq!(Of::<Wss>::NEW.normal(&body).unwrap_err().0.len(), 3);
    }
}
