//! Golden files: answers as they went out, kept beside the tests and compared byte for byte.

use std::fs;
use std::path::Path;

use crate::base::{Code, Fault};
use crate::testing::cases::Exposure;
use crate::testing::compare;

/// Whether answers are compared with golden files or become them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Golden {
    /// They are compared.
    #[default]
    Compare,
    /// They become the golden files.
    Update,
}

/// Returns the path of a golden file, relative to the project.
pub(super) fn path(file: &str, case: &str, exposure: Exposure) -> String {
    let name = file.strip_prefix("tests/").unwrap_or(file);
    let name = name.strip_suffix(".cases.yaml").unwrap_or(name);
    // Files of one name in two directories have golden files of their own.
    let name = name.replace('/', ".");
    let ending = match exposure {
        Exposure::Direct | Exposure::Json => "json",
        Exposure::Xml | Exposure::Soap11 | Exposure::Soap12 => "xml",
    };
    let (case, exposure) = (slug(case), exposure.name());
    format!("tests/golden/{name}.{case}.{exposure}.{ending}")
}

/// Returns the part of the name that tells the case.
pub(super) fn slug(case: &str) -> String {
    let words = case.split(|c: char| !c.is_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("-")
}

/// Compares an answer with its golden file, or makes it one.
pub(super) fn check(project: &Path, path: &str, body: &[u8], golden: Golden) -> Result<(), Fault> {
    let full = project.join(path);
    let kept = fs::read(&full).ok();
    if kept.as_deref() == Some(body) {
        return Ok(());
    }
    if golden == Golden::Update {
        return write(&full, body);
    }
    let hint = "Look at the answer; when it is right, run `kladka test --update`.";
    let Some(kept) = kept else {
        let message = format!("there is no golden file {path}");
        return Err(Fault::new(Code::TestFailed, message).hint(hint));
    };
    let text = |bytes: &[u8]| serde_json::json!(String::from_utf8_lossy(bytes));
    let differ = compare::check(&text(&kept), &text(body)).err();
    let detail = differ.and_then(|fault| fault.detail_text().map(str::to_owned));
    let fault = Fault::new(Code::TestFailed, format!("the answer differs from {path}")).hint(hint);
    Err(match detail {
        Some(detail) => fault.detail(detail),
        None => fault,
    })
}

fn write(path: &Path, body: &[u8]) -> Result<(), Fault> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, body)).map_err(|error| {
        Fault::new(
            Code::Storage,
            format!("cannot write {}: {error}", path.display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_golden_file_is_named_after_file_case_and_exposure() {
        let path = path(
            "tests/a/get_rate.cases.yaml",
            "Explicit date (2013)",
            Exposure::Soap12,
        );
        let wanted = "tests/golden/a.get_rate.explicit-date-2013.soap12.xml";
        assert_eq!(path, wanted);
        let path = super::path("tests/x.cases.yaml", "y", Exposure::Json);
        assert_eq!(path, "tests/golden/x.y.json.json");
    }
}
