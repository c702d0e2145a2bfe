//! `kladka explain`: the page of an error code.

use serde_json::json;

use crate::base::{Code, Fault};
use crate::cli::out::Out;
use crate::cli::{DONE, Ended};

pub(super) fn run(code: &str, out: Out) -> Ended {
    let wanted = code.trim().to_ascii_uppercase();
    let wanted = wanted.strip_prefix("KL-").unwrap_or(&wanted);
    let short = |code: &Code| code.as_str().trim_start_matches("KL-");
    let found = Code::ALL.iter().find(|code| short(code) == wanted);
    let Some(found) = found else {
        let fault = Fault::new(
            Code::UnknownObject,
            format!("there is no error code '{code}'"),
        )
        .hint("Codes look like KL-S101; docs/errors/ has a page for each.")
        .near(wanted, Code::ALL.iter().map(short));
        return Err(fault.into());
    };
    let document = json!({
        "code": found.as_str(),
        "title": found.title(),
        "status": found.status(),
        "exit": found.exit() as u8,
        "page": found.page(),
    });
    out.document(&document, |_| found.page().to_owned());
    Ok(DONE)
}
