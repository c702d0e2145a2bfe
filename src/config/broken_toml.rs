//! Says where a TOML file is broken.

use crate::base::{Code, Fault, Place, Snippet};

/// Makes the fault of a file that the parser refused, with the line it stopped at.
pub(super) fn broken_toml(path: &str, text: &str, error: &toml::de::Error) -> Fault {
    let fault = Fault::new(
        Code::ConfigSyntax,
        error.message().trim().replace('\n', ", "),
    );
    let before = error.span().and_then(|span| text.get(..span.start));
    let Some(before) = before else {
        return fault.at(Place::new(path, 0, 0));
    };
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    let line = before.matches('\n').count();
    let shown = text.lines().nth(line).unwrap_or_default().to_owned();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    fault
        .at(Place::new(path, number(line + 1), number(column)))
        .showing(Snippet {
            line: shown,
            width: 1,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_that_of_the_mistake() {
        let text = "[listen]\nservices = \n";
        let error = text.parse::<toml::Table>().unwrap_err();
        let fault = broken_toml("config/server.toml", text, &error);
        let place = fault.place().unwrap();
        assert_eq!((place.line, place.column), (2, 12), "{}", fault.block());
        assert!(
            fault.block().contains("2 | services = "),
            "{}",
            fault.block()
        );
    }
}
