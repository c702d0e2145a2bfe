//! The sandbox, attacked: every attack of the list gets the answer it should, in time, while the server serves others,
//! and reaches nothing.
//!
//! `plan` reads the list, `range` is the server under attack and everything that must not be reached. The checks are
//! checked, too: planted attacks that do reach something, hang, or kill the server must be told.

mod plan;
mod range;

use std::collections::BTreeMap;
use std::time::Duration;

use plan::{Attack, CLASSES, attacks, parse};
use range::{Range, Seen, Watch};

/// Attacks one server and prints the table. `KLADKA_ATTACK=time.loop` chooses attacks by a part of their name.
#[expect(
    clippy::disallowed_methods,
    reason = "who works on one attack chooses it by hand"
)]
fn campaign(lang: &'static str, wanted: usize) {
    let mut attacks = attacks(lang);
    let mut by_class: BTreeMap<&str, usize> = BTreeMap::new();
    for attack in &attacks {
        *by_class.entry(attack.class).or_default() += 1;
    }
    assert!(
        CLASSES.iter().all(|class| by_class.get(class) >= Some(&6)),
        "{by_class:?}"
    );
    assert!(attacks.len() >= wanted, "only {} in {lang}", attacks.len());
    if let Ok(only) = std::env::var("KLADKA_ATTACK") {
        attacks.retain(|attack| attack.service().contains(&only));
    }
    let mut range = Range::new(&attacks);
    let (seen, watch) = range.run(&attacks, |_| false);
    let problems: Vec<String> = seen.iter().flat_map(Seen::problems).collect();
    print!("{}", table(&seen, &watch));
    assert_eq!(problems, Vec::<String>::new());
    assert!(
        watch.answers > seen.len(),
        "the neighbours were asked {} times",
        watch.answers
    );
    if attacks.iter().any(|attack| attack.name == "forged-log") {
        the_log_is_whole(&range.server().log().lines());
    }
}

/// Checks what the attacks on the log left in it: each call wrote little and was told where it was cut, and no line is
/// another's.
fn the_log_is_whole(lines: &[String]) {
    let mut by_call: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.contains(" noise ")) {
        // The source line of an error shows it, too.
        if let Some(cid) = line
            .split_whitespace()
            .find(|word| word.starts_with("cid="))
        {
            *by_call.entry(cid).or_default() += line.len() + 1;
        }
    }
    assert!(!by_call.is_empty());
    for (cid, bytes) in by_call {
        assert!(bytes < 96 << 10, "{bytes} bytes of {cid}");
        let marks = lines
            .iter()
            .filter(|line| line.contains("Log limit") && line.contains(cid));
        assert_eq!(marks.count(), 1, "{cid}");
    }
    let forged: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("ERROR forged"))
        .collect();
    assert!(!forged.is_empty());
    for line in forged {
        assert!(!line.starts_with("2026-01-01"), "{line}");
        assert!(!line.chars().any(char::is_control), "{line}");
    }
}

fn table(seen: &[Seen], watch: &Watch) -> String {
    let mut text = format!(
        "{:<8} {:<5} {:<26} {:<30} {:<24} {:>6} {:>5} {:>5}\n",
        "class", "lang", "attack", "expected", "seen", "ms", "MiB", "wait"
    );
    let short = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    for one in seen {
        let Attack {
            class,
            lang,
            name,
            expected,
            ..
        } = &one.attack;
        let expected = short(&expected.join(" or "), 30);
        text.extend([format!(
            "{class:<8} {lang:<5} {name:<26} {expected:<30} {:<24} {:>6} {:>5} {:>5}\n",
            short(&one.outcome, 24),
            one.took.as_millis(),
            one.peak,
            one.wait.as_millis()
        )]);
    }
    let count = |what: &str| seen.iter().filter(|one| one.outcome == what).count();
    let escapes = seen.iter().filter(|one| !one.escapes.is_empty()).count();
    let over = seen
        .iter()
        .map(|one| one.over)
        .max()
        .unwrap_or(Duration::ZERO);
    text.extend([format!(
        "{} attacks, {} hangs, {} aborts, {escapes} escapes; at most {} ms over a budget, {} MiB; neighbours: {} answers, {} wrong, the longest wait {} ms\n",
        seen.len(),
        count("hang"),
        count("abort"),
        over.as_millis(),
        seen.iter().map(|one| one.peak).max().unwrap_or(0),
        watch.answers,
        watch.wrong.len(),
        watch.longest.as_millis()
    )]);
    text
}

#[test]
fn attacks_in_lua_get_what_they_should_and_reach_nothing() {
    campaign("lua", 60);
}

#[test]
fn attacks_in_rhai_get_what_they_should_and_reach_nothing() {
    campaign("rhai", 50);
}

/// What must be noticed. The partner does for these scripts what none can do by itself.
const PLANTED: &str = r#"
--! harmless => 1
ctx.response.payload.r = 1
--! expects-wrongly => KL-S301
ctx.response.payload.r = 1
--! reads => "x"
ctx.response.payload.r = "CANARY-" .. "c2f1"
--! reaches => null
pcall(function() ctx.outgoing.http["canary"]:get() end)
--! writes => null
ctx.outgoing.http["partner"]:get { path = "/write" }
--! waits-too-long [wait 0.1s] => KL-S302
ctx.outgoing.http["partner"]:get { path = "/silent" }
--! computes-too-long [file] => KL-S301
return service { name = "@NAME@", cpu = "900ms", handle = function() while true do end end }
--! hangs => null
ctx.outgoing.http["partner"]:get { path = "/stop" }
--! aborts => null
ctx.outgoing.http["partner"]:get { path = "/kill" }
--! changes-a-neighbour => null
ctx.kvdb:set("victim:secret", "owned")
"#;

#[test]
fn planted_attacks_are_noticed() {
    let attacks = parse("escape", "lua", PLANTED);
    let mut range = Range::new(&attacks);
    let meant = |seen: &Seen| matches!(seen.outcome.as_str(), "hang" | "abort");
    let (seen, watch) = range.run(&attacks, meant);
    print!("{}", table(&seen, &watch));
    let notices = [
        ("harmless", None),
        ("expects-wrongly", Some("expected KL-S301, seen 1")),
        ("reads", Some("the canary was read")),
        ("reaches", Some("1 connection(s) to the canary's port")),
        ("writes", Some("2 files beside the canary")),
        ("waits-too-long", Some("ms over its budget")),
        ("computes-too-long", Some("ms over its budget")),
        ("hangs", Some("expected null, seen hang")),
        ("aborts", Some("expected null, seen abort")),
        ("changes-a-neighbour", Some("\"secret\":\"owned\"")),
    ];
    assert_eq!(seen.len(), notices.len());
    for (one, (name, notice)) in seen.iter().zip(notices) {
        assert_eq!(one.attack.name, name);
        let mut problems = one.problems();
        if name != "writes" {
            // That file stays.
            problems.retain(|problem| !problem.contains("beside the canary"));
        }
        match notice {
            None => assert_eq!(problems, Vec::<String>::new()),
            Some(notice) => assert!(
                problems.iter().any(|it| it.contains(notice)),
                "{name}: {problems:?}"
            ),
        }
    }
}
