//! Bytes to text: which encoding a document is in, and the refusal of all we do not read.
//!
//! UTF-8 with or without a byte order mark, UTF-16 with one, and ISO-8859-1, US-ASCII and
//! windows-1252 where they are declared and the transport does not contradict. Everything else is
//! refused by name.

use std::borrow::Cow;

use encoding_rs::{UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::base::{Code, Fault};
use crate::xml::fault;

/// An encoding we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16,
    Latin1,
    Ascii,
    Windows1252,
}

/// Returns the text of a document. `charset` is what the transport says, if anything.
pub(crate) fn decode<'a>(bytes: &'a [u8], charset: Option<&str>) -> Result<Cow<'a, str>, Fault> {
    let transport = charset.map(known).transpose()?;
    let (marked, body) = mark(bytes)?;
    if let (Some(said), Some((seen, _))) = (transport, marked)
        && said != seen
    {
        return Err(conflict(
            "the charset of the transport",
            "the byte order mark",
        ));
    }
    if transport == Some(Encoding::Utf16) && marked.is_none() {
        return Err(unsupported("UTF-16 without a byte order mark"));
    }
    if let Some((Encoding::Utf16, big_endian)) = marked {
        let text = utf16(body, big_endian)?;
        check_declared(declared(text.as_bytes()).as_deref(), Encoding::Utf16)?;
        return Ok(Cow::Owned(text));
    }
    let declared = declared(body);
    let outer = transport.or(marked.map(|(encoding, _)| encoding));
    let encoding = match (&declared, outer) {
        (Some(name), None) => known(name)?,
        (_, outer) => outer.unwrap_or(Encoding::Utf8),
    };
    check_declared(declared.as_deref(), encoding)?;
    text(body, encoding)
}

/// The encoding that the mark tells, whether it is big-endian, and the bytes behind it.
type Mark<'a> = (Option<(Encoding, bool)>, &'a [u8]);

/// Finds the byte order mark, and refuses what looks like an encoding we do not read.
fn mark(bytes: &[u8]) -> Result<Mark<'_>, Fault> {
    let refused = [
        (&[0, 0, 0xFE, 0xFF][..], "UTF-32"),
        (&[0xFF, 0xFE, 0, 0], "UTF-32"),
        (&[0, 0, 0, b'<'], "UTF-32"),
        (&[b'<', 0, 0, 0], "UTF-32"),
        (&[0, b'<'], "UTF-16 without a byte order mark"),
        (&[b'<', 0], "UTF-16 without a byte order mark"),
        (&[0x4C, 0x6F, 0xA7, 0x94], "EBCDIC"),
    ];
    if let Some((_, name)) = refused.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(unsupported(name));
    }
    let marks = [
        (&[0xEF, 0xBB, 0xBF][..], Encoding::Utf8, false),
        (&[0xFE, 0xFF], Encoding::Utf16, true),
        (&[0xFF, 0xFE], Encoding::Utf16, false),
    ];
    let found = marks.iter().find_map(|(start, encoding, big_endian)| {
        let body = bytes.strip_prefix(*start)?;
        Some((Some((*encoding, *big_endian)), body))
    });
    Ok(found.unwrap_or((None, bytes)))
}

/// Returns the encoding name of the XML declaration; the scanner checks the declaration's grammar
/// later.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.strip_prefix(b"<?xml")?;
    let end = head.windows(2).take(1024).position(|pair| pair == b"?>")?;
    let head = std::str::from_utf8(head.get(..end)?).ok()?;
    let (_, rest) = head.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, _) = rest.strip_prefix(quote)?.split_once(quote)?;
    Some(name.to_owned())
}

fn known(name: &str) -> Result<Encoding, Fault> {
    let name = name.trim().trim_matches('"');
    let names = [
        ("utf-8", Encoding::Utf8),
        ("utf8", Encoding::Utf8),
        ("utf-16", Encoding::Utf16),
        ("utf-16le", Encoding::Utf16),
        ("utf-16be", Encoding::Utf16),
        ("iso-8859-1", Encoding::Latin1),
        ("latin1", Encoding::Latin1),
        ("us-ascii", Encoding::Ascii),
        ("ascii", Encoding::Ascii),
        ("windows-1252", Encoding::Windows1252),
    ];
    let found = names.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, encoding)| *encoding).ok_or_else(|| {
        let name: String = name.chars().take(40).collect();
        unsupported(&format!("`{name}`"))
    })
}

fn check_declared(declared: Option<&str>, actual: Encoding) -> Result<(), Fault> {
    let Some(name) = declared else { return Ok(()) };
    if known(name)? == actual {
        return Ok(());
    }
    Err(conflict(
        "the encoding of the XML declaration",
        "the bytes or the transport",
    ))
}

fn text(bytes: &[u8], encoding: Encoding) -> Result<Cow<'_, str>, Fault> {
    match encoding {
        Encoding::Utf8 | Encoding::Ascii => {
            let name = if encoding == Encoding::Ascii {
                "US-ASCII"
            } else {
                "UTF-8"
            };
            let valid = match std::str::from_utf8(bytes) {
                Ok(text) if encoding == Encoding::Utf8 || text.is_ascii() => return Ok(text.into()),
                Ok(text) => text.bytes().take_while(u8::is_ascii).count(),
                Err(error) => error.valid_up_to(),
            };
            let before = bytes.get(..valid).unwrap_or_default();
            Err(fault::bytes(before, &format!("the bytes are not {name}")))
        }
        Encoding::Latin1 => Ok(encoding_rs::mem::decode_latin1(bytes)),
        Encoding::Windows1252 => Ok(WINDOWS_1252.decode_without_bom_handling(bytes).0),
        Encoding::Utf16 => Err(unsupported("UTF-16 without a byte order mark")),
    }
}

fn utf16(bytes: &[u8], big_endian: bool) -> Result<String, Fault> {
    let encoding = if big_endian { UTF_16BE } else { UTF_16LE };
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .map(Cow::into_owned)
        .ok_or_else(|| {
            Fault::new(
                Code::Malformed,
                "XML not well-formed: the bytes are not UTF-16",
            )
        })
}

fn conflict(one: &str, other: &str) -> Fault {
    Fault::new(
        Code::Malformed,
        format!("XML encoding unclear: {one} contradicts {other}"),
    )
}

fn unsupported(name: &str) -> Fault {
    Fault::new(Code::MediaType, format!("XML encoding {name} not accepted"))
        .hint("Send UTF-8, or UTF-16 with a byte order mark.")
}
