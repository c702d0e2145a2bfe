//! `regex`: regular expressions, the same in both languages.
//!
//! They have no look-around and no references back, so a search takes time in proportion to its text, whatever the
//! pattern. `pattern` compiles, keeps and bounds them.

use std::rc::Rc;

use regex_automata::util::interpolate;
use regex_automata::{Match, PatternID};

use crate::base::{Code, Fault, Map, Text, Value};
use crate::contract::{Arg, Args, Call, Effect, Example, HostCall, HostFn, Receiver, Type};
use crate::script::host::data::{self, arg, optional};
use crate::script::host::pattern::{Pattern, Patterns};

/// About what a value takes in a script, beside its text.
const MEMBER: usize = 64;
/// How long a replacement with groups may be.
const LONGEST: usize = 64 << 10;

const TEXT: Arg = arg("text", Type::Text);
const PATTERN: Arg = arg("pattern", Type::Text);
const LIMIT: Arg = optional("limit", Type::Int);

/// The functions of `regex`.
pub(crate) const TABLE: &[HostFn] = &[
    HostFn {
        path: "regex.test",
        receiver: Receiver::Library,
        args: &[TEXT, PATTERN],
        returns: Type::Bool,
        effect: Effect::Pure,
        doc: "Tells whether a pattern matches anywhere in a text; `^…$` for all of it. `(?i)` at the start ignores case.",
        examples: &[
            Example {
                lua: r#"regex.test("invoice 2013/09", "[0-9]{4}/[0-9]{2}")"#,
                rhai: r#"regex.test("invoice 2013/09", "[0-9]{4}/[0-9]{2}")"#,
                result: "true",
            },
            Example {
                lua: r#"regex.test("ŁÓDŹ", "(?i)^łódź$")"#,
                rhai: r#"regex.test("ŁÓDŹ", "(?i)^łódź$")"#,
                result: "true",
            },
        ],
        call: HostCall::Now(test),
    },
    HostFn {
        path: "regex.find",
        receiver: Receiver::Library,
        args: &[TEXT, PATTERN],
        returns: Type::Map,
        effect: Effect::Pure,
        doc: "Returns the first match, or nothing: its `text`, its `groups` by number, empty where a group took no part, \
              and those with a name, `(?P<year>[0-9]{4})`, also as `named`.",
        examples: &[
            Example {
                lua: r#"regex.find("due 2013-09-03", "(?P<year>[0-9]{4})-([0-9]{2})")"#,
                rhai: r#"regex.find("due 2013-09-03", "(?P<year>[0-9]{4})-([0-9]{2})")"#,
                result: r#"{"text":"2013-09","groups":["2013","09"],"named":{"year":"2013"}}"#,
            },
            Example {
                lua: r#"regex.find("abc", "[0-9]") == nil"#,
                rhai: r#"regex.find("abc", "[0-9]") == ()"#,
                result: "true",
            },
        ],
        call: HostCall::Now(find),
    },
    HostFn {
        path: "regex.find_all",
        receiver: Receiver::Library,
        args: &[TEXT, PATTERN, LIMIT],
        returns: Type::List,
        effect: Effect::Pure,
        doc: "Returns all matches, or at most `limit`, each as `find` returns it.",
        examples: &[
            Example {
                lua: r#"regex.find_all("EUR 1, USD 2", "([A-Z]{3}) ([0-9]+)")[2].groups"#,
                rhai: r#"regex.find_all("EUR 1, USD 2", "([A-Z]{3}) ([0-9]+)")[1].groups"#,
                result: r#"["USD","2"]"#,
            },
            Example {
                lua: r#"#regex.find_all("a b c", "[a-z]", 2)"#,
                rhai: r#"regex.find_all("a b c", "[a-z]", 2).len"#,
                result: "2",
            },
        ],
        call: HostCall::Now(find_all),
    },
    HostFn {
        path: "regex.replace",
        receiver: Receiver::Library,
        args: &[TEXT, PATTERN, arg("with", Type::Text), LIMIT],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the text with all matches, or the first `limit`, replaced. In `with`, `$1`, `$name` and `${1}` stand for \
              groups, `$0` for the match and `$$` for a dollar.",
        examples: &[
            Example {
                lua: r#"regex.replace("03.09.2013", "([0-9]+)[.]([0-9]+)[.]([0-9]+)", "$3-$2-$1")"#,
                rhai: r#"regex.replace("03.09.2013", "([0-9]+)[.]([0-9]+)[.]([0-9]+)", "$3-$2-$1")"#,
                result: r#""2013-09-03""#,
            },
            Example {
                lua: r#"regex.replace("a-b-c", "-", "$$", 1)"#,
                rhai: r#"regex.replace("a-b-c", "-", "$$", 1)"#,
                result: r#""a$b-c""#,
            },
        ],
        call: HostCall::Now(replace),
    },
    HostFn {
        path: "regex.split",
        receiver: Receiver::Library,
        args: &[TEXT, PATTERN, LIMIT],
        returns: Type::List,
        effect: Effect::Pure,
        doc: "Returns the parts between the matches, or at most `limit` parts, the last with all that is left.",
        examples: &[
            Example {
                lua: r#"regex.split("a, b;c", "[,;] *")"#,
                rhai: r#"regex.split("a, b;c", "[,;] *")"#,
                result: r#"["a","b","c"]"#,
            },
            Example {
                lua: r#"regex.split("key = a = b", " *= *", 2)"#,
                rhai: r#"regex.split("key = a = b", " *= *", 2)"#,
                result: r#"["key","a = b"]"#,
            },
        ],
        call: HostCall::Now(split),
    },
    HostFn {
        path: "regex.escape",
        receiver: Receiver::Library,
        args: &[TEXT],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the pattern that matches just this text.",
        examples: &[Example {
            lua: r#"regex.escape("1.22 (net)")"#,
            rhai: r#"regex.escape("1.22 (net)")"#,
            result: r#""1\\.22 \\(net\\)""#,
        }],
        call: HostCall::Now(escape),
    },
];

fn test(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = args.text(0, "text")?;
    lend(call, &mut args, |pattern| {
        pattern.is_match(&text).map(Value::from)
    })
}

fn find(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = args.text(0, "text")?;
    let all = found(call, &mut args, &text, 1)?;
    Ok(all.into_iter().next().unwrap_or_default())
}

fn find_all(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = args.text(0, "text")?;
    let limit = limit(&mut args, 2)?;
    found(call, &mut args, &text, limit).map(Value::List)
}

fn replace(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = args.text(0, "text")?;
    let with = args.text(2, "with")?;
    let limit = limit(&mut args, 3)?;
    lend(call, &mut args, |pattern| {
        let template = Template::new(&with, pattern)?;
        let mut room = Room::of(call);
        let (mut replaced, mut end, mut count) = (String::new(), 0, 0);
        pattern.each(call, &text, |pattern, one| {
            let before = replaced.len();
            replaced += text.get(end..one.start()).unwrap_or_default();
            room.take(replaced.len() - before)?;
            template.fill(pattern, &text, &one, &mut replaced, &mut room)?;
            end = one.end();
            count += 1;
            Ok(count < limit)
        })?;
        replaced += text.get(end..).unwrap_or_default();
        Ok(Value::from(replaced))
    })
}

fn split(call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = args.text(0, "text")?;
    let limit = limit(&mut args, 2)?;
    lend(call, &mut args, |pattern| {
        let mut room = Room::of(call);
        let (mut parts, mut end) = (Vec::new(), 0);
        if limit > 1 {
            pattern.each(call, &text, |_, one| {
                let part = text.get(end..one.start()).unwrap_or_default();
                room.take(part.len() + MEMBER)?;
                parts.push(Value::text(part));
                end = one.end();
                Ok(parts.len() + 1 < limit)
            })?;
        }
        parts.push(Value::text(text.get(end..).unwrap_or_default()));
        Ok(Value::List(parts))
    })
}

fn escape(_call: &Rc<Call>, mut args: Args) -> Result<Value, Fault> {
    let text = args.text(0, "text")?;
    Ok(Value::from(regex_syntax::escape(&text)))
}

/// Lends the pattern, the second argument; faults name it.
fn lend(
    call: &Rc<Call>,
    args: &mut Args,
    use_it: impl FnOnce(&mut Pattern) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    let pattern = args.text(1, "pattern")?;
    call.core.local::<Patterns>().lend(&pattern, use_it)
}

/// Reads how many matches or parts are wanted; all when it is left out.
fn limit(args: &mut Args, index: usize) -> Result<usize, Fault> {
    if args.get(index).is_none() {
        return Ok(usize::MAX);
    }
    let limit = args.int(index, "limit")?;
    match usize::try_from(limit) {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(data::refused(format!(
            "argument `limit` must be at least 1, got {limit}"
        ))),
    }
}

fn found(call: &Rc<Call>, args: &mut Args, text: &Text, limit: usize) -> Result<Vec<Value>, Fault> {
    let mut all = Vec::new();
    lend(call, args, |pattern| {
        let mut room = Room::of(call);
        pattern.each(call, text, |pattern, one| {
            all.push(described(pattern, text, &one, &mut room)?);
            Ok(all.len() < limit)
        })?;
        Ok(Value::Null)
    })?;
    Ok(all)
}

/// Returns a match as scripts see it.
fn described(
    pattern: &mut Pattern,
    text: &str,
    one: &Match,
    room: &mut Room,
) -> Result<Value, Fault> {
    let (mut groups, mut named) = (Vec::new(), Map::new());
    let parts = pattern.parts(text, one)?;
    let names = pattern.groups().pattern_names(one.pattern());
    for (part, name) in parts.into_iter().zip(names).skip(1) {
        room.take(part.unwrap_or_default().len() + MEMBER)?;
        groups.push(Value::text(part.unwrap_or_default()));
        if let (Some(name), Some(part)) = (name, part) {
            room.take(part.len() + MEMBER)?;
            named.push(Text::from(name), Value::text(part));
        }
    }
    let whole = text.get(one.range()).unwrap_or_default();
    room.take(whole.len() + 8 * MEMBER)?;
    let mut shown = Map::new();
    shown.push(Text::from("text"), Value::text(whole));
    shown.push(Text::from("groups"), Value::List(groups));
    shown.push(Text::from("named"), Value::Map(named));
    Ok(Value::Map(shown))
}

/// What stands in the place of a match.
struct Template<'a> {
    text: &'a str,
    /// Whether it has groups in it.
    filled: bool,
}

impl<'a> Template<'a> {
    fn new(text: &'a str, pattern: &Pattern) -> Result<Self, Fault> {
        let filled = text.contains('$');
        if filled && text.len() > LONGEST {
            return Err(data::refused(format!(
                "`with` has groups, and {} bytes, more than {LONGEST}",
                text.len()
            )));
        }
        let groups = pattern.groups();
        let (mut unknown, mut beyond) = (None, None);
        interpolate::string(
            text,
            |index, _| {
                if index >= groups.all_group_len() {
                    beyond = Some(index.to_string());
                }
            },
            |name| {
                let index = groups.to_index(PatternID::ZERO, name);
                if index.is_none() {
                    unknown = Some(name.to_owned());
                }
                index
            },
            &mut String::new(),
        );
        match unknown.or(beyond) {
            Some(group) => Err(data::refused(format!(
                "the pattern has no group `{group}`, which `with` names"
            ))
            .hint("Write `${1}a` for a group before a letter, and `$$` for a dollar.")),
            None => Ok(Self { text, filled }),
        }
    }

    fn fill(
        &self,
        pattern: &mut Pattern,
        text: &str,
        one: &Match,
        into: &mut String,
        room: &mut Room,
    ) -> Result<(), Fault> {
        room.take(self.text.len())?;
        if !self.filled {
            into.push_str(self.text);
            return Ok(());
        }
        let parts = pattern.parts(text, one)?;
        let groups = pattern.groups();
        let mut fits = Ok(());
        interpolate::string(
            self.text,
            |index, into| {
                let part = parts.get(index).copied().flatten().unwrap_or_default();
                if fits.is_ok() {
                    fits = room.take(part.len()).map(|()| into.push_str(part));
                }
            },
            |name| groups.to_index(one.pattern(), name),
            into,
        );
        fits
    }
}

/// How much a result may still hold.
struct Room(usize);

impl Room {
    fn of(call: &Call) -> Self {
        Self(call.ctx.limits.memory)
    }

    fn take(&mut self, bytes: usize) -> Result<(), Fault> {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(Fault::new(
                Code::MemoryBudget,
                "the result of a regular expression needs more memory than the script may use",
            )
            .hint("Handle large data in parts.")),
        }
    }
}
