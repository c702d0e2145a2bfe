//! The commands of the REPL: lines that begin with a colon.

use serde_json::Value as Json;

use crate::base::{Code, Fault, closest};
use crate::kinds;

/// What a command asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    /// To be told about the commands.
    Help,
    /// Another language.
    Language(&'static str),
    /// The services.
    Services,
    /// The documentation of a name.
    Doc(String),
    /// Another `ctx.request.input`.
    Input(Json),
    /// That texts may change things, or not.
    Write(bool),
    /// To read the scripts again.
    Reload,
    /// The end.
    Quit,
}

/// What `:help` says.
pub(super) const HELP: &str = "\
A line is an expression or statements; it goes on until it is complete. `_` is the last value.
Variables, functions and imports stay; `ctx` is there with everything.

:help              this
:lang lua|rhai     go on in the other language; each keeps its variables
:services          the services
:doc NAME          what a function or a service does; :type is the same
:input JSON        what ctx.request.input is
:write on|off      whether lines may change anything: keys, and peers by other requests than GET, HEAD, OPTIONS
:reload            read scripts, objects and settings again; variables stay
:quit              the end; so is Ctrl-D. Ctrl-C ends a line that runs.";

/// The names of the commands.
pub(super) const NAMES: &[&str] = &[
    "help", "lang", "services", "doc", "type", "input", "write", "reload", "quit",
];

/// Returns the names of the languages.
pub(super) fn languages() -> Vec<&'static str> {
    let engines = kinds::engines();
    engines
        .iter()
        .map(|engine| engine.language().name)
        .collect()
}

/// Tells whether what was typed is a command.
pub(super) fn is_one(text: &str) -> bool {
    text.trim_start().starts_with(':') && !text.trim_start().starts_with("::")
}

impl Command {
    /// Reads a command.
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        let text = text.trim().trim_start_matches(':');
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let bare = |command: Self| match rest {
            "" => Ok(command),
            _ => Err(refused(format!("':{name}' takes nothing"))),
        };
        match name {
            "help" => bare(Self::Help),
            "services" => bare(Self::Services),
            "reload" => bare(Self::Reload),
            "quit" => bare(Self::Quit),
            "lang" => {
                let known = languages();
                let named = known.iter().find(|own| **own == rest);
                let refuse = || refused(format!("':lang' takes {}", known.join(" or ")));
                named.copied().map(Self::Language).ok_or_else(refuse)
            }
            "write" => match rest {
                "on" => Ok(Self::Write(true)),
                "off" => Ok(Self::Write(false)),
                _ => Err(refused("':write' takes on or off".to_owned())),
            },
            "doc" | "type" if rest.is_empty() => Err(refused(format!("':{name}' takes a name"))
                .hint("Such as `:doc ctx.kvdb`, `:doc json.parse` or the name of a service.")),
            "doc" | "type" => Ok(Self::Doc(rest.to_owned())),
            "input" => serde_json::from_str(rest)
                .map(Self::Input)
                .map_err(|error| {
                    refused(format!("':input' takes JSON: {error}"))
                        .hint("Such as `:input {\"year\": 2013}`.")
                }),
            _ => Err(unknown(name)),
        }
    }
}

fn refused(message: String) -> Fault {
    Fault::new(Code::BadArguments, message)
}

fn unknown(name: &str) -> Fault {
    let fault = refused(format!("there is no command ':{name}'"));
    match closest(name, NAMES.iter().copied()) {
        Some(near) => fault.hint(format!("Did you mean `:{near}`?")),
        None => fault.hint("`:help` tells which there are."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_and_what_is_none_is_explained() {
        let cases = [
            (":help", Command::Help),
            ("  :quit ", Command::Quit),
            (":lang rhai", Command::Language("rhai")),
            (":doc ctx.kvdb", Command::Doc("ctx.kvdb".to_owned())),
            (":type json.parse", Command::Doc("json.parse".to_owned())),
            (":write on", Command::Write(true)),
            (":write  off", Command::Write(false)),
            (
                ":input {\"a\": 1}",
                Command::Input(serde_json::json!({"a": 1})),
            ),
        ];
        for (text, command) in cases {
            assert!(is_one(text), "{text}");
            assert_eq!(Command::read(text).unwrap(), command, "{text}");
        }
        for (text, word) in [
            (":halp", "`:help`"),
            (":xyzzy", "`:help`"),
            (":lang perl", "lua or rhai"),
            (":write", "on or off"),
            (":quit now", "takes nothing"),
            (":doc", "a name"),
            (":input {", "JSON"),
        ] {
            let fault = Command::read(text).unwrap_err();
            assert!(fault.block().contains(word), "{text}: {fault:?}");
        }
        assert!(!is_one("x:y()") && !is_one("::x") && !is_one(""));
    }

    #[test]
    fn every_command_is_in_the_help() {
        for name in NAMES {
            assert!(HELP.contains(&format!(":{name}")), "{name}");
        }
    }
}
