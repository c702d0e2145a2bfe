//! The list of attacks: data in `lua/` and `rhai/`, one file for each class.
//!
//! An attack begins with a heading: `--! NAME [OPTION] … => EXPECTED or EXPECTED` (`//!` in Rhai). What follows is the body
//! of `handle`; with the option `file` it is the whole file, in which `@NAME@` stands for the service, and with `deploy`
//! a whole file that is deployed to the running server. `twice` calls it twice and looks at the second answer. `wait 2s`
//! says how long the call may wait, `cpu 0.5s` what it may compute where that is not the CPU budget of a call. `@CANARY@`, `@PORT@` and `@PROJECT@` stand for what must
//! not be reached, `@100*text@` for so many repetitions.
//!
//! Expected is an error code, or `payload.r` as JSON.

use std::time::Duration;

/// The classes, in the order of the table.
pub(super) const CLASSES: [&str; 7] = [
    "escape", "leak", "time", "memory", "depth", "returns", "api",
];

/// One attack.
#[derive(Clone, Debug)]
pub(super) struct Attack {
    /// Its class.
    pub(super) class: &'static str,
    /// Its language: `lua` or `rhai`.
    pub(super) lang: &'static str,
    /// What it is called.
    pub(super) name: String,
    /// How it is run.
    pub(super) by: By,
    /// What may be seen.
    pub(super) expected: Vec<String>,
    /// What the call may take.
    pub(super) budget: Duration,
    /// Whether that is time on the clock rather than the processor's.
    pub(super) waits: bool,
    /// Whether its second answer counts.
    pub(super) twice: bool,
    /// Body or file.
    text: String,
}

/// How an attack is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// It is the body of a service.
    Call,
    /// It is the file of a service.
    File,
    /// It is a file to be deployed.
    Deploy,
}

/// What must not be reached.
#[derive(Clone, Debug)]
pub(super) struct Marks {
    /// A file outside the project.
    pub(super) canary: String,
    /// A port where somebody listens.
    pub(super) port: u16,
    /// The project.
    pub(super) project: String,
}

impl Attack {
    /// Returns its service, which is also its channel and its file.
    pub(super) fn service(&self) -> String {
        format!("{}.{}.{}", self.lang, self.class, self.name)
    }

    /// Returns the file of its service.
    pub(super) fn source(&self, marks: &Marks) -> String {
        let text = self
            .text
            .replace("@CANARY@", &marks.canary)
            .replace("@PORT@", &marks.port.to_string())
            .replace("@PROJECT@", &marks.project);
        let text = repeated(&text);
        let name = self.service();
        match (self.by, self.lang) {
            (By::Call, "lua") => format!(
                "return service {{ name = \"{name}\", handle = function(ctx)\n{text}\nend }}\n"
            ),
            (By::Call, _) => {
                format!("service(#{{ name: \"{name}\" }});\nfn handle(ctx) {{\n{text}\n}}\n")
            }
            (By::File | By::Deploy, _) => text.replace("@NAME@", &name),
        }
    }
}

/// Writes out `@100*text@`.
fn repeated(text: &str) -> String {
    let mut parts = text.split('@');
    let mut all = parts.next().unwrap_or_default().to_owned();
    while let Some(part) = parts.next() {
        let times = part
            .split_once('*')
            .and_then(|(times, what)| Some(what.repeat(times.parse().ok()?)));
        if let Some(written) = times {
            all += &written;
            all += parts.next().unwrap_or_default();
        } else {
            all.push('@');
            all += part;
        }
    }
    all
}

/// Reads all attacks of a language.
pub(super) fn attacks(lang: &'static str) -> Vec<Attack> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/attacks");
    let read = |class| {
        let path = format!("{dir}/{lang}/{class}.{lang}");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        parse(class, lang, &text)
    };
    CLASSES.into_iter().flat_map(read).collect()
}

/// Reads the attacks of one file.
pub(super) fn parse(class: &'static str, lang: &'static str, text: &str) -> Vec<Attack> {
    let sign = if lang == "lua" { "--! " } else { "//! " };
    let mut found: Vec<Attack> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(sign), found.last_mut()) {
            (Some(heading), _) => found.push(heading_of(class, lang, heading)),
            (None, Some(attack)) => {
                attack.text += line;
                attack.text.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

fn heading_of(class: &'static str, lang: &'static str, heading: &str) -> Attack {
    let (head, expected) = heading
        .split_once(" => ")
        .unwrap_or_else(|| panic!("{heading}"));
    let mut parts = head.split(['[', ']']).map(str::trim);
    let name = parts.next().unwrap_or_default().to_owned();
    let mut attack = Attack {
        class,
        lang,
        name,
        by: By::Call,
        expected: expected
            .split(" or ")
            .map(|it| it.trim().to_owned())
            .collect(),
        budget: Duration::from_millis(250),
        waits: false,
        twice: false,
        text: String::new(),
    };
    for option in parts.filter(|option| !option.is_empty()) {
        match option.split_once(' ') {
            Some(("wait", time)) => {
                let seconds: f64 = time.trim_end_matches('s').parse().unwrap();
                attack.budget = Duration::from_secs_f64(seconds);
                attack.waits = true;
            }
            Some(("cpu", time)) => {
                let seconds: f64 = time.trim_end_matches('s').parse().unwrap();
                attack.budget = Duration::from_secs_f64(seconds);
            }
            _ if option == "file" => attack.by = By::File,
            _ if option == "deploy" => {
                attack.by = By::Deploy;
                // The top level of a file may run for a second: to see what it defines, and in its place.
                attack.budget = Duration::from_secs(2);
            }
            _ if option == "twice" => attack.twice = true,
            _ => panic!("{heading}: no option '{option}'"),
        }
    }
    attack
}
