//! What may come next in a line: commands, names inside quotes, members behind a sign, words.

use crate::contract::{HostFn, Receiver};
use crate::repl::command;
use crate::script::context::{FIELDS, REQUEST, RESPONSE};
use crate::script::{Variable, host, lua, rhai};
use crate::stubs::{Known, is_dotted};

/// What has a name at this moment.
pub(crate) struct Words<'a> {
    /// The language of the line.
    pub(crate) language: &'a str,
    /// What is declared.
    pub(crate) known: &'a Known,
    /// The modules of the language.
    pub(crate) modules: &'a [String],
    /// What earlier lines defined.
    pub(crate) variables: &'a [Variable],
}

/// What a language has beside its keywords and the libraries.
const LUA: &[&str] = &[
    "assert", "error", "ipairs", "math", "next", "pairs", "parallel", "pcall", "print", "require",
    "select", "string", "table", "tonumber", "tostring", "type", "utf8",
];
const RHAI: &[&str] = &["parallel", "print", "type_of"];

/// Completes a text up to the cursor: returns where the word begins that is completed, and what may stand there.
pub(crate) fn complete(words: &Words<'_>, text: &str) -> (usize, Vec<String>) {
    let (from, mut found) = if command::is_one(text) {
        words.command(text)
    } else {
        match open_quote(text, words.is_rhai()) {
            Place::Quoted(at) => words.quoted(text, at),
            Place::Comment => (text.len(), Vec::new()),
            Place::Code => words.code(text),
        }
    };
    let prefix = text.get(from..).unwrap_or_default();
    found.retain(|word| word.starts_with(prefix));
    found.sort();
    found.dedup();
    (from, found)
}

/// Where the end of a text is.
enum Place {
    Code,
    Comment,
    /// In a text, whose quote stands at this byte.
    Quoted(usize),
}

fn open_quote(text: &str, rhai: bool) -> Place {
    let comment = if rhai { "//" } else { "--" };
    let mut place = Place::Code;
    let mut letters = text.char_indices();
    while let Some((at, c)) = letters.next() {
        place = match (place, c) {
            (Place::Code, '"' | '\'' | '`') => Place::Quoted(at),
            (Place::Code, _) if text.get(at..).is_some_and(|it| it.starts_with(comment)) => {
                Place::Comment
            }
            (Place::Quoted(from), '\\') => {
                letters.next();
                Place::Quoted(from)
            }
            (Place::Quoted(from), c) if text.get(from..).is_some_and(|it| it.starts_with(c)) => {
                Place::Code
            }
            (Place::Comment, '\n') => Place::Code,
            (place, _) => place,
        };
    }
    place
}

impl Words<'_> {
    fn is_rhai(&self) -> bool {
        self.language == "rhai"
    }

    fn command(&self, text: &str) -> (usize, Vec<String>) {
        let start = text.len() - text.trim_start().len();
        let Some(space) = text.get(start..).and_then(|it| it.find(' ')) else {
            let names = command::NAMES.iter().map(|name| format!(":{name}"));
            return (start, names.collect());
        };
        let (name, rest) = text.split_at(start + space);
        let from = text.len() - rest.trim_start().len();
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        let found = match name.trim() {
            ":lang" => words(&command::languages()),
            ":write" => words(&["on", "off"]),
            ":doc" | ":type" => self.documented(),
            _ => Vec::new(),
        };
        (from, found)
    }

    fn documented(&self) -> Vec<String> {
        let functions = self.known.functions.iter().flat_map(|function| {
            let before = if function.receiver == Receiver::Ctx {
                "ctx."
            } else {
                ""
            };
            let space = host::split(function.path).0;
            let space = (!space.is_empty()).then(|| format!("{before}{space}"));
            [Some(format!("{before}{}", function.path)), space]
        });
        let services = self.known.services.keys().cloned();
        functions.flatten().chain(services).collect()
    }

    fn quoted(&self, text: &str, quote: usize) -> (usize, Vec<String>) {
        let (before, _) = text.split_at(quote);
        let before = before.trim_end();
        let found = if self.takes_module(before) {
            let modules = self.modules.iter();
            let slash = |name: &String| name.replace('.', "/");
            modules
                .map(|name| {
                    if self.is_rhai() {
                        slash(name)
                    } else {
                        name.clone()
                    }
                })
                .collect()
        } else if before.ends_with("ctx:invoke(") || before.ends_with("ctx.invoke(") {
            self.known.services.keys().cloned().collect()
        } else {
            let kind = before
                .strip_suffix('[')
                .and_then(|it| it.trim_end().rsplit_once("ctx.outgoing."));
            let all = self.known.connections.iter();
            let own = all.filter(|(of, ..)| kind.is_some_and(|(_, kind)| of == kind));
            own.map(|(_, name, _)| name.clone()).collect()
        };
        (quote + 1, found)
    }

    fn takes_module(&self, before: &str) -> bool {
        if self.is_rhai() {
            return before.ends_with("import");
        }
        before.trim_end_matches('(').trim_end().ends_with("require")
    }

    fn code(&self, text: &str) -> (usize, Vec<String>) {
        let part = |c: char| c.is_alphanumeric() || c == '_';
        let from = text
            .char_indices()
            .rev()
            .take_while(|(_, c)| part(*c))
            .last()
            .map_or(text.len(), |(at, _)| at);
        let (before, word) = text.split_at(from);
        let (owner, sign) = if self.is_rhai() && before.ends_with("::") {
            (before.strip_suffix("::"), "::")
        } else if before.ends_with('.') && !before.ends_with("..") {
            (before.strip_suffix('.'), ".")
        } else if before.ends_with(':') && !self.is_rhai() {
            (before.strip_suffix(':'), ":")
        } else {
            (None, "")
        };
        let found = match owner {
            Some(owner) => self.members(owner_of(owner), sign),
            // Everything at once helps nobody.
            None if word.is_empty() => Vec::new(),
            None => self.free(),
        };
        (from, found)
    }

    /// Returns the words that stand alone.
    fn free(&self) -> Vec<String> {
        let (keywords, more) = if self.is_rhai() {
            (rhai::KEYWORDS, RHAI)
        } else {
            (lua::KEYWORDS, LUA)
        };
        let words = keywords.iter().chain(more).map(|word| (*word).to_owned());
        let libraries = self.known.places(Receiver::Library).into_keys();
        let libraries = libraries.filter(|name| !name.is_empty()).map(str::to_owned);
        let own = self.variables.iter().map(|variable| variable.name.clone());
        let ctx = ["ctx".to_owned()];
        words.chain(libraries).chain(own).chain(ctx).collect()
    }

    /// Returns what may stand behind something and a sign.
    fn members(&self, owner: &str, sign: &str) -> Vec<String> {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        match owner {
            "ctx" => self.of_ctx(sign),
            "ctx.request" => names(REQUEST),
            "ctx.response" => names(RESPONSE),
            "ctx.config" => self.known.settings.iter().cloned().collect(),
            "ctx.outgoing" => self.known.kinds().into_iter().map(str::to_owned).collect(),
            _ => self.elsewhere(owner, sign),
        }
    }

    fn of_ctx(&self, sign: &str) -> Vec<String> {
        let places = self.known.places(Receiver::Ctx);
        let own = places.get("").map(Vec::as_slice).unwrap_or_default();
        let mut found = self.called(own, sign, Strictness::Sign);
        if sign == "." {
            let spaces = places.keys().filter(|space| !space.is_empty());
            let fields = FIELDS
                .iter()
                .chain(&["request", "response", "outgoing", "config"]);
            found.extend(spaces.chain(fields).map(|name| (*name).to_owned()));
        }
        found
    }

    fn elsewhere(&self, owner: &str, sign: &str) -> Vec<String> {
        let in_ctx = owner.strip_prefix("ctx.");
        if let Some(space) = in_ctx
            && let Some(functions) = self.known.places(Receiver::Ctx).get(space)
        {
            return self.called(functions, sign, Strictness::Any);
        }
        if let Some(functions) = self.known.places(Receiver::Library).get(owner) {
            return self.called(functions, sign, Strictness::Any);
        }
        let connection = in_ctx.and_then(|it| it.split_once('['));
        let connection = connection.map(|(kind, _)| kind);
        let variable = self.variables.iter().find(|it| it.name == owner);
        let class = connection.or_else(|| variable.and_then(|it| it.class));
        if let Some(class) = class
            && let Some(functions) = self.known.places(Receiver::Method).get(class)
        {
            return self.called(functions, sign, Strictness::Sign);
        }
        let members = variable.map(|it| it.members.clone());
        members.unwrap_or_default()
    }

    /// Returns functions as they are called behind a sign, and what is read like a field.
    fn called(
        &self,
        functions: &[&'static HostFn],
        sign: &str,
        strictness: Strictness,
    ) -> Vec<String> {
        let spelled = |function: &&&HostFn| {
            let field = host::is_property(function);
            self.is_rhai() || (field || is_dotted(function)) == (sign == ".")
        };
        let own = functions.iter().filter(spelled);
        let mut found: Vec<String> = own.map(|function| shown(function)).collect();
        if found.is_empty() && strictness == Strictness::Any {
            // Both signs work; one is how the documentation writes it.
            found = functions.iter().map(|function| shown(function)).collect();
        }
        found
    }
}

/// Whether functions are offered behind a sign that is not theirs, where there are no others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strictness {
    Sign,
    Any,
}

fn shown(function: &HostFn) -> String {
    let (_, name) = host::split(function.path);
    match (host::is_property(function), function.args.is_empty()) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{name}()"),
        (false, false) => format!("{name}("),
    }
}

/// Returns what stands before a sign: a name, names behind dots, and `["…"]` behind them.
fn owner_of(text: &str) -> &str {
    let mut from = text.len();
    let mut inside = false;
    for (at, c) in text.char_indices().rev() {
        match c {
            ']' => inside = true,
            '[' => inside = false,
            c if inside || c.is_alphanumeric() || c == '_' || c == '.' => {}
            _ => break,
        }
        from = at;
    }
    text.get(from..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;
    use crate::repl::live::declaration;

    /// Completes in a project with a service, a connection, settings, modules and variables.
    fn completed(language: &str, text: &str) -> String {
        let mut known = Known {
            functions: kinds::tables().into_iter().flatten().collect(),
            settings: ["rates".to_owned()].into(),
            ..Known::default()
        };
        for name in ["linuxjournal.get-rate", "linuxjournal.update-cache"] {
            known
                .services
                .insert(name.to_owned(), declaration(name).unwrap());
        }
        known.connect("outgoing.http", "treasury.gov", "config/objects.yaml:3");
        known.connect("outgoing.http", "tax.office", "config/objects.yaml:9");
        let variable = |name: &str, class, members: &[&str]| Variable {
            name: name.to_owned(),
            class,
            members: members.iter().map(|it| (*it).to_owned()).collect(),
        };
        let variables = [
            variable("answer", Some("http.response"), &[]),
            variable("dates_of_today", None, &["day", "month"]),
        ];
        let words = Words {
            language,
            known: &known,
            modules: &["dates".to_owned(), "linuxjournal.rates".to_owned()],
            variables: &variables,
        };
        let (from, found) = complete(&words, text);
        let (before, _) = text.split_at(from);
        format!("{before}|{}", found.join(" "))
    }

    #[test]
    fn what_may_come_next_in_lua() {
        for (text, wanted) in [
            (":he", "|:help"),
            (":w", "|:write"),
            (":lang ", ":lang |lua rhai"),
            (":write o", ":write |off on"),
            (":doc ctx.kvdb.hg", ":doc |ctx.kvdb.hget ctx.kvdb.hgetall"),
            (":doc linuxjournal.g", ":doc |linuxjournal.get-rate"),
            ("ctx.k", "ctx.|kvdb"),
            ("ctx.re", "ctx.|request response"),
            ("ctx.fa", "ctx.|fail("),
            ("ctx:i", "ctx:|invoke("),
            ("ctx.kvdb:hget", "ctx.kvdb:|hget( hgetall("),
            ("ctx.kvdb.hget", "ctx.kvdb.|hget( hgetall("),
            ("local x = ctx.kvdb:lle", "local x = ctx.kvdb:|llen("),
            ("ctx.log:", "ctx.log:|debug( error( info( warn("),
            ("ctx.request.", "ctx.request.|headers http input raw soap"),
            ("ctx.response.s", "ctx.response.|status"),
            ("ctx.config.", "ctx.config.|rates"),
            ("ctx.outgoing.", "ctx.outgoing.|http"),
            (
                "ctx.outgoing.http[\"",
                "ctx.outgoing.http[\"|tax.office treasury.gov",
            ),
            ("ctx.outgoing.http['tr", "ctx.outgoing.http['|treasury.gov"),
            (
                "ctx.outgoing.http[\"treasury.gov\"]:p",
                "ctx.outgoing.http[\"treasury.gov\"]:|patch( ping() post( put(",
            ),
            (
                "ctx:invoke(\"linuxjournal.u",
                "ctx:invoke(\"|linuxjournal.update-cache",
            ),
            (
                "f(ctx:invoke( 'linuxjournal.g",
                "f(ctx:invoke( '|linuxjournal.get-rate",
            ),
            ("require(\"", "require(\"|dates linuxjournal.rates"),
            ("require 'd", "require '|dates"),
            ("json.p", "json.|parse("),
            ("answer.st", "answer.|status"),
            ("answer:js", "answer:|json()"),
            ("dates_of_today.", "dates_of_today.|day month"),
            ("dates_o", "|dates_of_today"),
            ("whi", "|while"),
            ("x = ct", "x = |ctx"),
            ("deci", "|decimal"),
            ("", "|"),
            ("x..", "x..|"),
            ("\"ctx.k", "\"|"),
            ("-- ctx.k", "-- ctx.k|"),
            ("nothing.k", "nothing.|"),
        ] {
            assert_eq!(completed("lua", text), wanted, "{text}");
        }
    }

    #[test]
    fn what_may_come_next_in_rhai() {
        for (text, wanted) in [
            (":re", "|:reload"),
            (":type json.par", ":type |json.parse"),
            ("ctx.k", "ctx.|kvdb"),
            ("ctx.i", "ctx.|invoke("),
            ("ctx.fa", "ctx.|fail("),
            ("ctx.kvdb.hget", "ctx.kvdb.|hget( hgetall("),
            ("ctx.request.h", "ctx.request.|headers http"),
            ("ctx.config.", "ctx.config.|rates"),
            (
                "ctx.outgoing.http[\"t",
                "ctx.outgoing.http[\"|tax.office treasury.gov",
            ),
            (
                "ctx.outgoing.http[\"treasury.gov\"].pin",
                "ctx.outgoing.http[\"treasury.gov\"].|ping()",
            ),
            (
                "ctx.invoke(\"",
                "ctx.invoke(\"|linuxjournal.get-rate linuxjournal.update-cache",
            ),
            ("import \"", "import \"|dates linuxjournal/rates"),
            ("json.p", "json.|parse("),
            ("answer.st", "answer.|status"),
            ("answer.js", "answer.|json()"),
            ("dates_of_today::d", "dates_of_today::|day"),
            ("dates_of_today.d", "dates_of_today.|day"),
            ("swi", "|switch"),
            ("let x = ct", "let x = |ctx"),
            ("x:", "x:|"),
            ("// ctx.k", "// ctx.k|"),
            ("`${ctx.k", "`|"),
        ] {
            assert_eq!(completed("rhai", text), wanted, "{text}");
        }
    }
}
