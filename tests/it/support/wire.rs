//! A client of our own: one connection, kept alive, where each byte of an answer counts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A connection that stays open between calls.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Wire {
    /// Connects to `http://host:port`.
    pub(crate) fn connect(url: &str) -> std::io::Result<Self> {
        let address = url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks for a path and returns status and body; an answer that breaks off is an error.
    pub(crate) fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>), String> {
        self.try_get(path).map_err(|error| error.to_string())
    }

    fn try_get(&mut self, path: &str) -> std::io::Result<(u16, Vec<u8>)> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: load\r\n\r\n");
        self.0.get_mut().write_all(head.as_bytes())?;
        let status = self.line()?;
        let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let code = code.ok_or_else(|| std::io::Error::other(format!("no status in {status:?}")))?;
        let mut length = None;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
        }
        let length = length.ok_or_else(|| std::io::Error::other("no content-length"))?;
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((code, body))
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other("the connection was closed"));
        }
        Ok(line.trim_end().to_owned())
    }
}
