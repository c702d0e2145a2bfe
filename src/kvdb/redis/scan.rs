//! `scan` over a cluster: one node after the other.

use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, RedisError, Value};

use crate::contract::Command;

/// Looks at the next keys. The cursor is `node:cursor of that node`, nodes in the order of their
/// slots.
pub(super) async fn scan(
    cluster: &mut ClusterConnection,
    command: &Command,
) -> Result<Value, RedisError> {
    let cursor = command
        .args
        .first()
        .and_then(|arg| std::str::from_utf8(arg).ok());
    let (mut node, mut cursor) = cursor.and_then(read).ok_or_else(bad_cursor)?;
    let masters = masters(cluster).await?;
    loop {
        let master = masters.get(node).ok_or_else(bad_cursor)?;
        let (next, keys) = page(cluster, master, cursor, command).await?;
        (node, cursor) = if next == 0 {
            (node + 1, 0)
        } else {
            (node, next)
        };
        let over = node >= masters.len();
        // An empty page of a node that is done tells nothing: the next node may have more.
        if over || next != 0 || !keys.is_empty() {
            let cursor = if over {
                "0".to_owned()
            } else {
                format!("{node}:{cursor}")
            };
            return Ok(Value::Array(vec![
                Value::BulkString(cursor.into_bytes()),
                Value::Array(keys),
            ]));
        }
    }
}

async fn page(
    cluster: &mut ClusterConnection,
    (host, port): &(String, u16),
    cursor: u64,
    command: &Command,
) -> Result<(u64, Vec<Value>), RedisError> {
    let mut packed = Cmd::new();
    packed.arg("SCAN").arg(cursor);
    for arg in command.args.iter().skip(1) {
        packed.arg(arg.as_ref());
    }
    let (host, port) = (host.clone(), *port);
    let route = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
    Ok(redis::from_redis_value(
        answer(cluster, packed, route).await?,
    )?)
}

async fn answer(
    cluster: &mut ClusterConnection,
    command: Cmd,
    route: RoutingInfo,
) -> Result<Value, RedisError> {
    match cluster.route_command(command, route).await? {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(value),
    }
}

fn read(cursor: &str) -> Option<(usize, u64)> {
    match cursor.split_once(':') {
        None if cursor == "0" => Some((0, 0)),
        None => None,
        Some((node, inner)) => Some((node.parse().ok()?, inner.parse().ok()?)),
    }
}

fn bad_cursor() -> RedisError {
    redis::make_extension_error("ERR".to_owned(), Some("invalid cursor".to_owned()))
}

/// Returns the addresses of the masters in the order of their first slot.
async fn masters(cluster: &mut ClusterConnection) -> Result<Vec<(String, u16)>, RedisError> {
    let mut ask = Cmd::new();
    ask.arg("CLUSTER").arg("SLOTS");
    let anyone = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
    let slots = answer(cluster, ask, anyone).await?;
    let ranges: Vec<Vec<Value>> = redis::from_redis_value(slots)?;
    let mut found: Vec<(i64, (String, u16))> = Vec::new();
    for range in ranges {
        let [Value::Int(first), _, Value::Array(node), ..] = range.as_slice() else {
            continue;
        };
        let [Value::BulkString(host), Value::Int(port), ..] = node.as_slice() else {
            continue;
        };
        let host = String::from_utf8_lossy(host).into_owned();
        let address = (host, u16::try_from(*port).unwrap_or_default());
        if !found.iter().any(|(_, known)| *known == address) {
            found.push((*first, address));
        }
    }
    found.sort_by_key(|(first, _)| *first);
    Ok(found.into_iter().map(|(_, address)| address).collect())
}
