//! Bytes on a connection, as no decent client sends them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::{Reply, TestServer};

/// A connection to the services port.
pub(crate) struct Raw(BufReader<TcpStream>);

impl Raw {
    /// Opens a connection.
    pub(crate) fn connect(server: &TestServer) -> Self {
        let url = server.endpoint("services");
        let address = url.split("//").nth(1).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends bytes. The server may have closed meanwhile; then its answer tells.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.get_mut().write_all(bytes.as_ref()).ok();
        self
    }

    /// Reads one answer whose length is announced; `None` when the server has closed.
    pub(crate) fn reply(&mut self) -> Option<Reply> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).unwrap_or_default() == 0 {
                return None;
            }
        }
        let mut reply = Reply {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head: head.trim_end().to_owned(),
            body: String::new(),
        };
        let length = reply.header("content-length").unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        reply.body = String::from_utf8_lossy(&body).into_owned();
        Some(reply)
    }

    /// Tells whether the server closes the connection without another answer.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
