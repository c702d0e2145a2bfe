//! HTTP clients: one for each connection and core, made at first use, with a guard on where they connect to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::base::{Code, Fault};
use crate::connect::http::outgoing_spec::HttpOutgoingSpec;
use crate::contract::CoreLocal;
use crate::net::plain_client;

/// How long an unused connection to a peer is kept: shorter than most servers keep theirs.
const KEEP: Duration = Duration::from_secs(30);

/// The clients of one core.
#[derive(Default)]
pub(super) struct Clients {
    by_id: RefCell<HashMap<u64, (Weak<HttpOutgoingSpec>, reqwest::Client)>>,
}

impl CoreLocal for Clients {}

impl Clients {
    /// Returns the client of a connection; those of connections that were edited or deleted are let go.
    pub(super) fn of(
        &self,
        id: u64,
        spec: &Arc<HttpOutgoingSpec>,
    ) -> Result<reqwest::Client, Fault> {
        if let Some((_, client)) = self.by_id.borrow().get(&id) {
            return Ok(client.clone());
        }
        let client = build(spec)?;
        let mut by_id = self.by_id.borrow_mut();
        by_id.retain(|_, (spec, _)| spec.strong_count() > 0);
        by_id.insert(id, (Arc::downgrade(spec), client.clone()));
        Ok(client)
    }
}

#[cfg(test)]
impl Clients {
    /// Returns how many clients are kept.
    pub(super) fn len(&self) -> usize {
        self.by_id.borrow().len()
    }
}

/// Builds a client: no proxy of the environment, no redirect, no cookie, and no way to a forbidden address.
pub(super) fn build(spec: &HttpOutgoingSpec) -> Result<reqwest::Client, Fault> {
    let mut builder = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("kladka/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(spec.timeout.connect.into())
        .pool_idle_timeout(KEEP)
        .http2_max_header_list_size(32 << 10)
        .dns_resolver(Arc::new(Careful));
    if spec.url.starts_with("https:") {
        builder = builder.tls_danger_accept_invalid_certs(!spec.tls.verify);
        if !spec.tls.ca_file.is_empty() {
            builder = builder.tls_certs_merge(authorities(&spec.tls.ca_file)?);
        }
    } else {
        builder = builder.tls_backend_preconfigured(plain_client()?);
    }
    builder.build().map_err(|error| {
        Fault::new(Code::OutgoingFailed, "the client cannot be made").detail(chain(&error))
    })
}

fn authorities(path: &str) -> Result<Vec<reqwest::Certificate>, Fault> {
    let unusable = |error: &dyn fmt::Display| {
        Fault::new(
            Code::Certificate,
            format!("ca_file '{path}' cannot be used: {error}"),
        )
    };
    let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
    let found = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&error))?;
    if found.is_empty() {
        return Err(unusable(&"it holds no certificate"));
    }
    Ok(found)
}

/// Returns an error with all its causes, for the log.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error)
        .skip(1)
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Walks an error and its causes.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (**cause).source())
}

/// Tells whether an address must never be called: link-local ones serve the secrets of a cloud machine.
pub(super) fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => forbidden_v4(address),
        IpAddr::V6(address) => forbidden_v6(address),
    }
}

fn forbidden_v4(address: Ipv4Addr) -> bool {
    // The metadata services of two clouds stand outside of the link-local range.
    let elsewhere = [
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(192, 0, 0, 192),
    ];
    address.is_link_local() || elsewhere.contains(&address)
}

fn forbidden_v6(address: Ipv6Addr) -> bool {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    // IPv4 may hide in three kinds of IPv6: mapped, compatible, and translated (64:ff9b::/96).
    let [.., a, b] = address.segments();
    let translated = address.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]);
    let [[a, b], [c, d]] = [a.to_be_bytes(), b.to_be_bytes()];
    let hidden = address
        .to_ipv4()
        .or(translated.then(|| Ipv4Addr::new(a, b, c, d)));
    address.is_unicast_link_local() || address == METADATA || hidden.is_some_and(forbidden_v4)
}

/// Resolves names like the system does, and leaves out forbidden addresses.
struct Careful;

/// A name that leads to forbidden addresses only.
#[derive(Debug)]
pub(super) struct Forbidden;

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to a link-local address, which is never called")
    }
}

impl Error for Forbidden {}

impl Resolve for Careful {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = allowed(found.collect())?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn allowed(mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Forbidden> {
    let some = !found.is_empty();
    found.retain(|address| !is_forbidden(address.ip()));
    if some && found.is_empty() {
        Err(Forbidden)
    } else {
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_forbidden_in_every_disguise() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
        ] {
            assert!(is_forbidden(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "8.8.8.8",
            "::1",
            "fd00::1",
            "2001:db8::1",
        ] {
            assert!(!is_forbidden(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_name_is_refused_only_when_nothing_allowed_is_left() {
        let good: SocketAddr = "10.0.0.1:0".parse().unwrap();
        let bad: SocketAddr = "169.254.169.254:0".parse().unwrap();
        assert_eq!(allowed(vec![bad, good]).unwrap(), [good]);
        assert!(allowed(vec![bad]).is_err());
        assert!(allowed(vec![]).unwrap().is_empty());
    }
}
