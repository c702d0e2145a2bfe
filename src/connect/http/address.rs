//! Where a call goes: below the connection's address, whatever the script says.
//!
//! A script gives a path, parameters and a query. Nothing of it can reach another host, or leave the part of the
//! path that the operator chose.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::base::{Code, Fault, Map, Value};

/// What stays as it is in a parameter: RFC 3986's unreserved characters.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// What stays as it is in a path that is written out.
const LITERAL: &AsciiSet = &PARAMETER
    .remove(b'/')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':');

/// Checks a path with `{name}` parameters; an empty one is none.
pub(super) fn check_template(path: &str) -> Result<(), Fault> {
    let refuse = |why: &str| Err(refused(format!("path {path:?} {why}")));
    if path.is_empty() {
        return Ok(());
    }
    if !path.starts_with('/') || path.contains("//") || path.contains("://") {
        return refuse("must begin with one slash and hold no empty segment");
    }
    if path.contains(['@', '\\', '?', '#', '%']) || path.contains(char::is_control) {
        return refuse("must hold no '@', '\\', '?', '#', '%' or control character");
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return refuse("must hold no '.' or '..' as a segment");
    }
    Ok(())
}

/// Joins the connection's address, the path with its parameters, and the query.
pub(super) fn join(
    base: &Url,
    template: &str,
    params: &Map,
    query: &BTreeMap<String, Vec<String>>,
) -> Result<Url, Fault> {
    check_template(template)?;
    let path = fill(template, params)?;
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    let whole = format!("{prefix}{path}");
    url.set_path(if whole.is_empty() { "/" } else { &whole });
    if !query.is_empty() {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for (name, values) in query {
            for value in values {
                pairs.append_pair(name, value);
            }
        }
        // A plus is a space in forms only; %20 is one everywhere. A true plus is %2B already.
        url.set_query(Some(&pairs.finish().replace('+', "%20")));
    }
    // Everything above keeps to the host; this is the lock on that door.
    let same = url.origin() == base.origin() && url.username().is_empty();
    if !same || !url.path().starts_with(prefix) {
        return Err(refused(format!(
            "path {template:?} leaves the connection's address"
        )));
    }
    Ok(url)
}

fn fill(template: &str, params: &Map) -> Result<String, Fault> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or_else(|| {
            refused(format!(
                "path {template:?} opens a brace and does not close it"
            ))
        })?;
        filled.extend(utf8_percent_encode(before, LITERAL));
        filled.push_str(&parameter(name, params)?);
        rest = after;
    }
    filled.extend(utf8_percent_encode(rest, LITERAL));
    // A dot beside a parameter of dots would still be a step up.
    if filled
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
    {
        return Err(refused(format!(
            "path {template:?} becomes '.' or '..' with its parameters"
        )));
    }
    Ok(filled)
}

fn parameter(name: &str, params: &Map) -> Result<String, Fault> {
    let value = params.get(name).filter(|value| !value.is_null());
    let text = value.and_then(Value::to_text).ok_or_else(|| {
        refused(format!("the path needs the parameter '{name}'"))
            .hint(format!("Give it: params = {{ {name} = … }}."))
    })?;
    if text.is_empty() || text.contains(char::is_control) {
        return Err(refused(format!(
            "parameter '{name}' is empty or holds control characters"
        )));
    }
    Ok(utf8_percent_encode(&text, PARAMETER).to_string())
}

/// Returns the fault of a call that a script must not make.
pub(super) fn refused(message: String) -> Fault {
    Fault::new(Code::OutgoingArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(base: &str, path: &str, params: &[(&str, &str)]) -> Result<String, Fault> {
        let params = params
            .iter()
            .map(|(n, v)| ((*n).into(), Value::text(v)))
            .collect();
        join(&Url::parse(base).unwrap(), path, &params, &BTreeMap::new()).map(String::from)
    }

    #[test]
    fn paths_are_joined_below_the_address_and_encoded_once() {
        for (base, path, params, expected) in [
            ("http://h", "", &[][..], "http://h/"),
            ("http://h/a/", "", &[], "http://h/a"),
            ("http://h/a", "/b c/ż", &[], "http://h/a/b%20c/%C5%BC"),
            (
                "http://h:81/a",
                "/users/{id}/x",
                &[("id", "7")],
                "http://h:81/a/users/7/x",
            ),
            (
                "http://h",
                "/{id}",
                &[("id", "a/b?c#d@e%2e..")],
                "http://h/a%2Fb%3Fc%23d%40e%252e..",
            ),
            ("http://h", "/{id}.json", &[("id", "x")], "http://h/x.json"),
            ("http://h", "/odata('x')", &[], "http://h/odata('x')"),
        ] {
            assert_eq!(url(base, path, params).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn a_script_cannot_choose_the_host_or_leave_the_path() {
        for path in [
            "http://evil/",
            "//evil/",
            "evil",
            "/a//evil",
            "@evil",
            "/@evil",
            "/../a",
            "/a/../../b",
            "/%2e%2e/a",
            "/a%2fb",
            "/.",
            "/a\r\nHost: evil",
            "/a\0",
            "/a?x=1",
            "/a#x",
            "/\\evil",
            "/{missing}",
            "/{open",
        ] {
            let fault = url("http://h/base", path, &[])
                .err()
                .unwrap_or_else(|| panic!("{path:?} was accepted"));
            assert_eq!(fault.code(), Code::OutgoingArgument, "{path:?}");
        }
        for value in ["", "..", ".", "a\r\nb", "\0"] {
            assert!(
                url("http://h/base", "/x/{id}", &[("id", value)]).is_err(),
                "{value:?}"
            );
        }
        assert!(url("http://h/base", "/x/.{id}", &[("id", ".")]).is_err());
    }

    #[test]
    fn a_query_is_encoded_and_lists_are_repeated() {
        let query = [
            (
                "$filter".to_owned(),
                vec!["month(QUOTE_DATE) eq 9 & x+y".to_owned()],
            ),
            ("a".to_owned(), vec!["1".to_owned(), "2".to_owned()]),
        ];
        let base = Url::parse("http://h/p").unwrap();
        let url = join(&base, "", &Map::new(), &query.into_iter().collect()).unwrap();
        let expected = "http://h/p?%24filter=month%28QUOTE_DATE%29%20eq%209%20%26%20x%2By&a=1&a=2";
        assert_eq!(url.as_str(), expected);
    }
}
