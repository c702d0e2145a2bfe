//! Opens listening sockets, and says who has the port when it is taken.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use crate::base::{Code, Fault};

/// A process that holds a port.
struct Owner {
    pid: u32,
    name: String,
}

/// Opens a non-blocking listener with `SO_REUSEADDR`; port 0 takes any free port.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, Fault> {
    // The standard library sets SO_REUSEADDR on Unix, so a restart does not wait for old connections.
    let listener = TcpListener::bind(address).map_err(|error| refused(address, &error))?;
    listener
        .set_nonblocking(true)
        .map_err(|error| refused(address, &error))?;
    Ok(listener)
}

fn refused(address: SocketAddr, error: &std::io::Error) -> Fault {
    if error.kind() != ErrorKind::AddrInUse {
        let message = format!("cannot listen on {address}: {error}");
        return Fault::new(Code::ConfigConstraint, message);
    }
    let port = address.port();
    let fault = match owner(port) {
        Some(Owner { pid, name }) => Fault::new(
            Code::PortBusy,
            format!("port {port} is used by process {pid} ({name})"),
        ),
        None => Fault::new(Code::PortBusy, format!("port {port} is in use")),
    };
    fault.hint("Stop that process, or choose another port; port 0 takes any free one.")
}

/// Finds the process that listens on a port, as far as we may look.
fn owner(port: u16) -> Option<Owner> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    let mut pids = fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse::<u32>().ok()
    });
    let pid = pids.find(|pid| holds(*pid, &inodes))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(Owner {
        pid,
        name: name.trim().to_owned(),
    })
}

/// Reads the inodes of sockets that listen on `port` out of a table such as `/proc/net/tcp`.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let wanted = format!(":{port:04X}");
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        (local.ends_with(&wanted) && *state == LISTEN).then(|| (*inode).to_owned())
    };
    table.lines().skip(1).filter_map(inode).collect()
}

fn holds(pid: u32, inodes: &[String]) -> bool {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    files.flatten().any(|file| {
        let target = fs::read_link(file.path()).unwrap_or_default();
        let target = target.to_string_lossy();
        let inode = target
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.iter().any(|own| own == inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any_port() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn a_busy_port_names_the_process_that_holds_it() {
        let first = listen(any_port()).unwrap();
        let fault = listen(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(fault.code(), Code::PortBusy);
        let pid = format!("process {} (", std::process::id());
        assert!(fault.message().contains(&pid), "{fault}");
    }

    #[test]
    fn a_foreign_address_is_not_called_a_busy_port() {
        let fault = listen("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert_eq!(fault.code(), Code::ConfigConstraint);
    }

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:4272 00000000:0000 0A 0:0 00:00 0 0 0 111 1\n\
             1: 0100007F:4272 0100007F:9999 01 0:0 00:00 0 0 0 222 1\n\
             2: 0100007F:1111 00000000:0000 0A 0:0 00:00 0 0 0 333 1\n";
        assert_eq!(listening_inodes(table, 17010), ["111"]);
    }
}
