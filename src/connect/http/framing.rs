//! What a head says of where its message ends, checked before hyper reads it.
//!
//! Two servers that read a head in different ways see different requests in the same bytes. hyper takes a lone line feed
//! for the end of a line and forgets a length beside a transfer coding, as RFC 9112 allows; we refuse both.

/// A head as it comes, line by line.
#[derive(Default)]
pub(super) struct Head {
    /// The beginning of a line that has not ended; hyper bounds its length.
    line: Vec<u8>,
    begun: bool,
    ended: bool,
    has_length: bool,
    has_coding: bool,
}

impl Head {
    /// Looks at the next bytes of a head, and of what follows it. Fails with the reason to refuse it.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let mut rest = bytes;
        while !self.ended {
            let Some(at) = memchr::memchr(b'\n', rest) else {
                self.line.extend_from_slice(rest);
                return Ok(());
            };
            let (line, after) = rest.split_at(at + 1);
            rest = after;
            if self.line.is_empty() {
                self.end(line)?;
            } else {
                self.line.extend_from_slice(line);
                let whole = std::mem::take(&mut self.line);
                self.end(&whole)?;
            }
        }
        Ok(())
    }

    /// Tells whether the first line has not ended.
    pub(super) fn is_in_first_line(&self) -> bool {
        !self.begun
    }

    fn end(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or("a line of the head ends without a carriage return")?;
        if line.is_empty() {
            // Some clients send an empty line behind a body.
            self.ended = self.begun;
            return Ok(());
        }
        self.begun = true;
        self.has_length |= is_named(line, b"content-length");
        self.has_coding |= is_named(line, b"transfer-encoding");
        if self.has_length && self.has_coding {
            return Err("the head has both a length and a transfer encoding");
        }
        Ok(())
    }
}

fn is_named(line: &[u8], name: &[u8]) -> bool {
    let own = line.get(..name.len());
    own.is_some_and(|own| own.eq_ignore_ascii_case(name)) && line.get(name.len()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a head whole, and byte by byte; both must say the same.
    fn read(bytes: &[u8]) -> Result<(), &'static str> {
        let mut slow = Head::default();
        let each = bytes.iter().try_for_each(|byte| slow.read(&[*byte]));
        assert_eq!(Head::default().read(bytes), each);
        each
    }

    #[test]
    fn lines_must_end_with_both_characters() {
        for good in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nbody\nof lines\n",
            "GET / HTTP/1.1\r\nHost: a\r",
        ] {
            assert_eq!(read(good.as_bytes()), Ok(()), "{good:?}");
        }
        for bad in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "\nGET / HTTP/1.1\r\n\r\n",
        ] {
            let why = read(bad.as_bytes()).unwrap_err();
            assert!(why.contains("carriage return"), "{bad:?}: {why}");
        }
    }

    #[test]
    fn a_length_and_a_coding_exclude_each_other() {
        let head = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        for good in [
            "Content-Length: 1",
            "Transfer-Encoding: chunked",
            "Content-Length-Of: 1\r\nTransfer-Encoding: chunked",
        ] {
            assert_eq!(read(head(good).as_bytes()), Ok(()), "{good}");
        }
        for bad in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "transfer-encoding:chunked\r\ncontent-length:1",
        ] {
            let why = read(head(bad).as_bytes()).unwrap_err();
            assert!(why.contains("both"), "{bad}: {why}");
        }
    }
}
