//! Where Redis is, and how to dial it there.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo};
use redis::{
    IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind, RedisError, TlsMode, Value,
};

use crate::base::Fault;
use crate::kvdb::bad_url;

/// How long one attempt to connect may take.
pub(super) const DIAL: Duration = Duration::from_millis(800);

/// Where Redis is.
pub(super) enum Address {
    /// One server.
    Single(Client),
    /// A master that sentinels know by a name.
    Sentinel {
        nodes: Vec<ConnectionInfo>,
        service: String,
        master: SentinelNodeConnectionInfo,
    },
    /// A cluster.
    Cluster(Box<ClusterClient>),
}

/// A live connection.
#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Address {
    /// Reads a URL.
    pub(super) fn parse(url: &str) -> Result<Self, Fault> {
        let refused = |error: RedisError| bad_url(url).detail(error.to_string());
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad_url(url))?;
        let (tls, form) = match scheme.split_once('+') {
            Some(("redis", form)) => ("redis", form),
            Some(("rediss", form)) => ("rediss", form),
            None if matches!(scheme, "redis" | "rediss") => (scheme, ""),
            _ => return Err(bad_url(url)),
        };
        let several = Several::parse(tls, rest).ok_or_else(|| bad_url(url));
        match form {
            "" => single(url).map_err(refused),
            "sentinel" => several?
                .sentinel()
                .map_err(refused)?
                .ok_or_else(|| bad_url(url)),
            "cluster" => several?.cluster().map_err(refused),
            _ => Err(bad_url(url)),
        }
    }

    /// Connects; calls `lost` once when the connection ends.
    pub(super) async fn connect(
        &self,
        lost: impl Fn() + Send + Sync + 'static,
    ) -> Result<Connection, RedisError> {
        // The lane watches the time of each command itself.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DIAL))
            .set_response_timeout(None)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    lost();
                }
                Ok::<(), redis::aio::SendError>(())
            });
        match self {
            Self::Single(client) => {
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                connection.await.map(Connection::Single)
            }
            Self::Sentinel {
                nodes,
                service,
                master,
            } => {
                let (nodes, master) = (nodes.clone(), Some(master.clone()));
                let kind = SentinelServerType::Master;
                let mut client = SentinelClient::build(nodes, service, master, kind)?;
                let connection = client.get_async_connection_with_config(&config);
                connection.await.map(Connection::Single)
            }
            Self::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }
}

impl Connection {
    /// Sends a command and waits for its reply.
    pub(super) async fn send(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        match self {
            Self::Single(connection) => {
                let sent = connection.send_packed_command(command).await;
                sent.and_then(Value::extract_error)
            }
            Self::Cluster(connection) => Box::pin(command.query_async(connection)).await,
        }
    }
}

fn single(url: &str) -> Result<Address, RedisError> {
    let info = url.into_connection_info()?;
    // The third protocol tells types apart and reports the end of a connection.
    let settings = info
        .redis_settings()
        .clone()
        .set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings)).map(Address::Single)
}

/// An address of several nodes: `user:password@host:port,host:port/path`.
struct Several<'a> {
    scheme: &'a str,
    login: &'a str,
    nodes: Vec<&'a str>,
    path: &'a str,
}

impl<'a> Several<'a> {
    fn parse(scheme: &'a str, rest: &'a str) -> Option<Self> {
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = hosts.rsplit_once('@').unwrap_or(("", hosts));
        let nodes: Vec<_> = hosts.split(',').collect();
        let complete = nodes.iter().all(|node| !node.is_empty());
        complete.then_some(Self {
            scheme,
            login,
            nodes,
            path,
        })
    }

    /// Returns what one node needs; the login goes through the URL, which decodes its characters.
    fn info(&self, node: &str) -> Result<ConnectionInfo, RedisError> {
        let (scheme, login) = (self.scheme, self.login);
        let at = if login.is_empty() { "" } else { "@" };
        let info = format!("{scheme}://{login}{at}{node}/").into_connection_info()?;
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        Ok(info.set_redis_settings(settings))
    }

    fn infos(&self) -> Result<Vec<ConnectionInfo>, RedisError> {
        self.nodes.iter().map(|node| self.info(node)).collect()
    }

    /// The path is the master's name and maybe the number of a database. The login is the master's.
    fn sentinel(&self) -> Result<Option<Address>, RedisError> {
        let (service, database) = self.path.split_once('/').unwrap_or((self.path, "0"));
        let (false, Ok(database)) = (service.is_empty(), database.parse()) else {
            return Ok(None);
        };
        let infos = self.infos()?;
        let Some(first) = infos.first() else {
            return Ok(None);
        };
        let settings = first.redis_settings().clone().set_db(database);
        let mut master = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings);
        if self.scheme == "rediss" {
            master = master.set_tls_mode(TlsMode::Secure);
        }
        let nodes = infos.iter().map(|info| info.addr().clone());
        let bare = |address: ConnectionAddr| address.into_connection_info();
        Ok(Some(Address::Sentinel {
            nodes: nodes.map(bare).collect::<Result<_, _>>()?,
            service: service.to_owned(),
            master,
        }))
    }

    fn cluster(&self) -> Result<Address, RedisError> {
        let client = ClusterClient::builder(self.infos()?)
            .use_protocol(ProtocolVersion::RESP3)
            .connection_timeout(DIAL)
            .response_timeout(DIAL)
            .build()?;
        Ok(Address::Cluster(Box::new(client)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_address_is_read() {
        for url in [
            "redis://127.0.0.1:6379/2",
            "redis://user:p%40ss@host",
            "rediss://host:6380",
            "redis+sentinel://a:26379,b:26379/mymaster",
            "redis+sentinel://:secret@a:26379/mymaster/3",
            "rediss+sentinel://a:26379/mymaster",
            "redis+cluster://a:7000,b:7001",
            "redis+cluster://user:secret@a:7000",
        ] {
            assert!(Address::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_bad_address_is_refused_without_its_password() {
        for url in [
            "http://x:secret@host",
            "redis",
            "redis+sentinel://:secret@a:26379",
            "redis+sentinel://a:26379/name/secret",
            "redis+cluster://a:secret,,b",
            "redis+other://a:secret@b",
            "redis://:secret@host:port",
        ] {
            let fault = Address::parse(url).err().unwrap_or_else(|| panic!("{url}"));
            assert_eq!(fault.code(), crate::base::Code::ConfigConstraint, "{url}");
            assert!(!format!("{fault:?}").contains("secret"), "{url}: {fault:?}");
        }
    }
}
