//! What differs between SOAP 1.1 and 1.2, and the guess which of them a caller speaks.

use crate::base::Inbound;
use crate::contract::SoapVersion;
use crate::format::content_type::ContentType;
use crate::xml;

/// Both versions, in the order of preference when nothing tells.
pub(super) const ALL: [SoapVersion; 2] = [SoapVersion::V11, SoapVersion::V12];

/// Returns the namespace of the envelope.
pub(super) fn namespace(version: SoapVersion) -> &'static str {
    match version {
        SoapVersion::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
        SoapVersion::V12 => "http://www.w3.org/2003/05/soap-envelope",
    }
}

/// Returns the version of an envelope's namespace.
pub(super) fn of_namespace(uri: &str) -> Option<SoapVersion> {
    ALL.into_iter().find(|version| namespace(*version) == uri)
}

/// Returns the name as people and configuration write it.
pub(super) fn name(version: SoapVersion) -> &'static str {
    match version {
        SoapVersion::V11 => "1.1",
        SoapVersion::V12 => "1.2",
    }
}

/// Returns the media type of messages.
pub(super) fn media_type(version: SoapVersion) -> &'static str {
    match version {
        SoapVersion::V11 => "text/xml; charset=utf-8",
        SoapVersion::V12 => "application/soap+xml; charset=utf-8",
    }
}

/// Tells whether messages of the version may come with this media type.
pub(super) fn accepts(version: SoapVersion, kind: &ContentType) -> bool {
    let own = match version {
        SoapVersion::V11 => "text/xml",
        SoapVersion::V12 => "application/soap+xml",
    };
    // `application/xml` takes no side.
    kind.is_vague() || kind.essence == own || kind.essence == "application/xml"
}

/// Returns the version to answer in, also when the message cannot be read: by its envelope, else by
/// its media type, else by the namespace it mentions first, else 1.1.
pub(super) fn of_caller(inbound: &Inbound) -> SoapVersion {
    let kind = ContentType::of(inbound);
    let root = xml::peek_root(&inbound.body, kind.xml_charset());
    let by_root = root.and_then(|(namespace, _)| of_namespace(&namespace));
    let by_kind = || {
        ALL.into_iter()
            .find(|version| accepts_only(*version, &kind))
    };
    by_root
        .or_else(by_kind)
        .or_else(|| mentioned(&inbound.body))
        .unwrap_or(SoapVersion::V11)
}

fn accepts_only(version: SoapVersion, kind: &ContentType) -> bool {
    ALL.into_iter()
        .filter(|any| accepts(*any, kind))
        .eq([version])
}

/// How much of a broken message is searched.
const SEARCHED: usize = 8 << 10;

fn mentioned(body: &[u8]) -> Option<SoapVersion> {
    let head = body.get(..SEARCHED).unwrap_or(body);
    // Without its zero bytes UTF-16 reads like ASCII.
    let head: Vec<u8> = head.iter().copied().filter(|&byte| byte != 0).collect();
    let head = String::from_utf8_lossy(&head);
    let places = ALL
        .into_iter()
        .filter_map(|version| Some((head.find(namespace(version))?, version)));
    places
        .min_by_key(|(place, _)| *place)
        .map(|(_, version)| version)
}
