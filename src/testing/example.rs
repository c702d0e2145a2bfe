//! What the tests of a project know of its services, for people who try them.

use std::path::Path;

use serde_json::Value as Json;

use crate::base::Inbound;
use crate::contract::Declaration;
use crate::enmasse::{Sheet, SourceText};
use crate::runtime::LiveObject;
use crate::testing::cases::CasesFile;
use crate::testing::client::Client;
use crate::testing::find::{Form, find};

/// Returns the input of the first case in which a service answers.
pub(crate) fn first_input(project: &Path, service: &str) -> Option<Json> {
    let files = find(project).ok()?;
    let cases = files.into_iter().filter(|file| file.form == Form::Cases);
    let read = |path: String| {
        let text = std::fs::read_to_string(project.join(&path)).ok()?;
        let path = path.as_str().into();
        // One that cannot be read is the affair of `kladka test`.
        let (file, _) = Sheet::read::<CasesFile>(SourceText { path, text }).ok()?;
        Some(file)
    };
    let files = cases.filter_map(|file| read(file.path));
    let own = files.filter(|file| file.service.as_str() == service);
    own.flat_map(|file| file.cases)
        .find(|case| case.error.is_none())
        .map(|case| case.input)
}

/// Writes a request as a client of a channel does; nothing for a format without clients here.
pub(crate) fn request(
    channel: &LiveObject,
    declaration: &Declaration,
    input: &Json,
) -> Option<Inbound> {
    Client::of(channel)?.request(declaration, input).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_case_with_an_answer_gives_the_input() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let wanted = serde_json::json!({"year": 2013, "month": 9, "day": 3});
        for service in ["linuxjournal.get-rate", "linuxjournal.rhai.get-rate"] {
            assert_eq!(
                first_input(project, service),
                Some(wanted.clone()),
                "{service}"
            );
        }
        assert_eq!(first_input(project, "linuxjournal.update-cache"), None);
        assert_eq!(first_input(Path::new("/nowhere"), "a"), None);
    }
}
