//! Sockets and TLS, the same for every listener of the server.

mod listen;
mod tls;

pub(crate) use listen::listen;
pub(crate) use tls::{ServerTls, plain_client};
