//! Where the messages on a connection end, checked before hyper reads them.
//!
//! Two servers that read a head in different ways see different requests in the same bytes. hyper takes a lone line feed
//! for the end of a line and forgets a length beside a transfer coding, as RFC 9112 allows; we refuse both.

/// What the next bytes of a connection are.
pub(super) enum Framing {
    /// Those of a head.
    Head(Head),
    /// So many more of a body.
    Body(u64),
    /// The line that says how long a chunk is, as far as it came.
    Size(Vec<u8>),
    /// So many more of a chunk and the end of its line.
    Chunk(u64),
    /// A line behind the last chunk, as far as it came.
    Trailer(Vec<u8>),
    /// Nobody here knows: hyper refuses it, or it is another protocol.
    Unknown,
}

impl Default for Framing {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

impl Framing {
    /// Looks at the next bytes. Fails with the place where a head begins that must be refused, and why.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), (usize, &'static str)> {
        let (mut rest, mut begin) = (bytes, 0);
        loop {
            match self {
                Self::Unknown => return Ok(()),
                Self::Body(left) | Self::Chunk(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX);
                    let Some(after) = rest.get(here..) else {
                        *left -= rest.len() as u64;
                        return Ok(());
                    };
                    *self = match self {
                        Self::Chunk(_) => Self::Size(Vec::new()),
                        _ => Self::default(),
                    };
                    rest = after;
                    begin = bytes.len() - rest.len();
                }
                Self::Size(line) | Self::Trailer(line) => {
                    let Some(at) = memchr::memchr(b'\n', rest) else {
                        line.extend_from_slice(rest);
                        return Ok(());
                    };
                    let (end, after) = rest.split_at(at);
                    line.extend_from_slice(end);
                    let line = std::mem::take(line);
                    *self = match self {
                        Self::Size(_) => chunk(&line),
                        _ if line.is_empty() || line == b"\r" => Self::default(),
                        _ => Self::Trailer(Vec::new()),
                    };
                    rest = after.get(1..).unwrap_or_default();
                    begin = bytes.len() - rest.len();
                }
                Self::Head(head) => {
                    let Some(at) = memchr::memchr(b'\n', rest) else {
                        head.line.extend_from_slice(rest);
                        return Ok(());
                    };
                    let (line, after) = rest.split_at(at + 1);
                    let ended = head.take(line).map_err(|why| (begin, why))?;
                    rest = after;
                    if let Some(next) = ended {
                        *self = next;
                        begin = bytes.len() - rest.len();
                    }
                }
            }
        }
    }

    /// Tells whether what came so far ends with a whole message.
    pub(super) fn is_between(&self) -> bool {
        matches!(self, Self::Head(head) if !head.begun && head.line.is_empty())
    }
}

/// Returns what follows the line that says how long a chunk is.
fn chunk(line: &[u8]) -> Framing {
    let digits = line
        .split(|byte| matches!(byte, b';' | b'\r' | b' ' | b'\t'))
        .next();
    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    let size = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    match size {
        Some(0) => Framing::Trailer(Vec::new()),
        Some(size) => size.checked_add(2).map_or(Framing::Unknown, Framing::Chunk),
        None => Framing::Unknown,
    }
}

/// A head as it comes, line by line.
#[derive(Default)]
pub(super) struct Head {
    /// The beginning of a line that has not ended; hyper bounds its length.
    line: Vec<u8>,
    begun: bool,
    has_length: bool,
    /// `None` also for a length that is no number, which hyper refuses.
    length: Option<u64>,
    has_coding: bool,
}

impl Head {
    /// Takes the rest of a line; returns what follows the head if that was its end.
    fn take(&mut self, rest: &[u8]) -> Result<Option<Framing>, &'static str> {
        if self.line.is_empty() {
            return self.end(rest);
        }
        self.line.extend_from_slice(rest);
        let whole = std::mem::take(&mut self.line);
        self.end(&whole)
    }

    fn end(&mut self, line: &[u8]) -> Result<Option<Framing>, &'static str> {
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or("a line of the head ends without a carriage return")?;
        if line.is_empty() {
            // Some clients send an empty line behind a body.
            return Ok(self.begun.then(|| self.follows()));
        }
        if !self.begun && line == b"PRI * HTTP/2.0" {
            return Ok(Some(Framing::Unknown));
        }
        self.begun = true;
        if let Some(length) = value_of(line, b"content-length") {
            self.has_length = true;
            let length = std::str::from_utf8(length).ok();
            self.length = length.and_then(|length| length.trim().parse().ok());
        }
        self.has_coding |= value_of(line, b"transfer-encoding").is_some();
        if self.has_length && self.has_coding {
            return Err("the head has both a length and a transfer encoding");
        }
        Ok(None)
    }

    fn follows(&self) -> Framing {
        match (self.has_length, self.has_coding) {
            (true, _) => self.length.map_or(Framing::Unknown, Framing::Body),
            (false, true) => Framing::Size(Vec::new()),
            (false, false) => Framing::default(),
        }
    }
}

/// Returns the value if a line is that of a header.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (own, rest) = line.split_at_checked(name.len())?;
    rest.strip_prefix(b":")
        .filter(|_| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads bytes whole, cut in two at each place, and byte by byte; all must say the same.
    fn read(bytes: &[u8]) -> Result<(), &'static str> {
        let in_parts = |parts: &[&[u8]]| {
            let mut framing = Framing::default();
            let read = parts.iter().try_for_each(|part| framing.read(part));
            read.map_err(|(_, why)| why)
        };
        let whole = in_parts(&[bytes]);
        for at in 0..bytes.len() {
            let (one, two) = bytes.split_at(at);
            assert_eq!(in_parts(&[one, two]), whole, "{at}");
        }
        assert_eq!(in_parts(&bytes.chunks(1).collect::<Vec<_>>()), whole);
        whole
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn lines_of_heads_must_end_with_both_characters_and_those_of_bodies_need_not() {
        let post = |lines: &str, body: &str| format!("POST / HTTP/1.1\r\n{lines}\r\n{body}");
        for good in [
            GET.to_owned(),
            format!("\r\n{GET}{GET}"),
            "GET / HTTP/1.1\r\nHost: a\r".to_owned(),
            post("Content-Length: 5\r\n", "\n\na\n\n") + GET,
            post("content-length:0\r\n", "") + GET,
            post(
                "Transfer-Encoding: chunked\r\n",
                "2\r\n\n\n\r\n1A;x=y\r\nabcdefghijklmnopqrstuvwxy\n\r\n0\r\nA: b\r\n\r\n",
            ) + GET,
            post("Transfer-Encoding: chunked\r\n", "no size\r\n") + "\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\n\0".to_owned(),
        ] {
            assert_eq!(read(good.as_bytes()), Ok(()), "{good:?}");
        }
        for bad in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\r\n\n".to_owned(),
            "\nGET / HTTP/1.1\r\n\r\n".to_owned(),
            post("Content-Length: 3\r\n", "\n\na") + "GET / HTTP/1.1\n",
            post("Transfer-Encoding: chunked\r\n", "1\r\n\n\r\n0\r\n\r\n") + "GET / HTTP/1.1\n",
            post("Transfer-Encoding: chunked\r\n", "1\r\n\n\r\n0\r\n\r\n") + "GET / HTTP/1.1\n",
        ] {
            let why = read(bad.as_bytes()).unwrap_err();
            assert!(why.contains("carriage return"), "{bad:?}: {why}");
        }
    }

    #[test]
    fn a_refused_head_is_told_from_what_stands_before_it() {
        let two = format!("{GET}GET / HTTP/1.1\nHost: a\r\n\r\n");
        let mut framing = Framing::default();
        framing.read(GET.as_bytes()).unwrap();
        assert!(framing.is_between());
        framing.read(b"POST / HTTP/1.1\r\n").unwrap();
        assert!(!framing.is_between());
        let refused = Framing::default().read(two.as_bytes()).unwrap_err();
        assert_eq!(refused.0, GET.len());
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
