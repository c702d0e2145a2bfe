//! `scan` over a cluster: one node after the other.

use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, ErrorKind, RedisError, Value};

use crate::contract::Command;

/// Looks at the next keys. The cursor is `node:cursor of that node`, nodes in the order of their slots.
pub(super) async fn scan(
    cluster: &mut ClusterConnection,
    command: &Command,
) -> Result<Value, RedisError> {
    let cursor = command.args.first().and_then(|arg| std::str::from_utf8(arg).ok());
    let (node, inner) = cursor.and_then(read).ok_or_else(bad_cursor)?;
    let masters = masters(cluster).await?;
    let Some((host, port)) = masters.get(node).cloned() else {
        return Err(bad_cursor());
    };
    let mut packed = Cmd::new();
    packed.arg("SCAN").arg(inner);
    for arg in command.args.iter().skip(1) {
        packed.arg(arg.as_ref());
    }
    let route = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
    let Value::Array(mut page) = cluster.route_command(packed, route).await? else {
        return Err((ErrorKind::UnexpectedReturnType, "not a page of keys").into());
    };
    if let Some(Value::BulkString(next)) = page.first_mut() {
        *next = write(node, next, masters.len()).into_bytes();
    }
    Ok(Value::Array(page))
}

fn read(cursor: &str) -> Option<(usize, u64)> {
    match cursor.split_once(':') {
        None if cursor == "0" => Some((0, 0)),
        None => None,
        Some((node, inner)) => Some((node.parse().ok()?, inner.parse().ok()?)),
    }
}

/// Returns the cursor to go on with; `0` when the last node is done.
fn write(node: usize, next: &[u8], nodes: usize) -> String {
    match (next, node + 1) {
        (b"0", next_node) if next_node >= nodes => "0".to_owned(),
        (b"0", next_node) => format!("{next_node}:0"),
        (next, _) => format!("{node}:{}", String::from_utf8_lossy(next)),
    }
}

fn bad_cursor() -> RedisError {
    (ErrorKind::Extension, "ERR", "invalid cursor".to_owned()).into()
}

/// Returns the addresses of the masters in the order of their first slot.
async fn masters(cluster: &mut ClusterConnection) -> Result<Vec<(String, u16)>, RedisError> {
    let mut ask = Cmd::new();
    ask.arg("CLUSTER").arg("SLOTS");
    let slots = cluster
        .route_command(ask, RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random))
        .await?;
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
