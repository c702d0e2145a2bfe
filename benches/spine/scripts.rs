//! What a script costs: a call that does nothing, one host call, documents in and out, memory and loading.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use serde_json::json;

use crate::http::{self, Run};
use crate::peers::{self, Peer};
use crate::proc::{Running, median, resident_mib};
use crate::start::call;

const SECONDS: u64 = 2;
const STARTS: usize = 5;
/// Host calls in one call of a service that makes many.
const MANY: f64 = 100.0;
/// Services in one server, where their memory and loading are measured.
const SERVICES: usize = 200;

/// A language and the text of the measured services, by name.
struct Language {
    name: &'static str,
    ending: &'static str,
    services: &'static [(&'static str, &'static str)],
}

const LUA: Language = Language {
    name: "lua",
    ending: "lua",
    services: &[
        (
            "empty",
            "return service { name = 'bench.empty', handle = function(ctx) end }",
        ),
        (
            "echo",
            "return service { name = 'bench.echo', handle = function(ctx) ctx.response.payload = ctx.request.input end }",
        ),
        (
            "reads",
            "return service { name = 'bench.reads', handle = function(ctx) for i = 1, 100 do ctx.kvdb:get('key') end end }",
        ),
        (
            "encodes",
            "return service { name = 'bench.encodes', handle = function(ctx) for i = 1, 100 do base64.encode('key') end end }",
        ),
    ],
};

const RHAI: Language = Language {
    name: "rhai",
    ending: "rhai",
    services: &[
        (
            "empty",
            "service(#{ name: \"bench.empty\" });\nfn handle(ctx) { }",
        ),
        (
            "echo",
            "service(#{ name: \"bench.echo\" });\nfn handle(ctx) { ctx.response.payload = ctx.request.input; }",
        ),
        (
            "reads",
            "service(#{ name: \"bench.reads\" });\nfn handle(ctx) { for i in 0..100 { ctx.kvdb.get(\"key\"); } }",
        ),
        (
            "encodes",
            "service(#{ name: \"bench.encodes\" });\nfn handle(ctx) { for i in 0..100 { base64.encode(\"key\"); } }",
        ),
    ],
};

/// Measures everything above for both languages.
pub(crate) fn report() {
    calls();
    for language in [&LUA, &RHAI] {
        at_rest(language);
    }
}

fn calls() {
    let (small, large) = (document(1_000), document(100_000));
    let (lua, rhai, resty) = (server(&LUA), server(&RHAI), peers::openresty("", None));
    let echo = resty.url.replace("/client1/get-rate", "/echo");
    let peer = |name, server: &(Rc<Running>, String), path: &str, body: &str| {
        Peer::new(name, Rc::clone(&server.0), format!("{}/{path}", server.1)).sent(body)
    };
    let cjson =
        |name, body: &str| Peer::new(name, Rc::clone(&resty.process), echo.clone()).sent(body);
    let all = vec![
        peers::handmade("fixed answer", "serve-fixed", 1),
        peer("lua, nothing", &lua, "empty", "{}"),
        peer("rhai, nothing", &rhai, "empty", "{}"),
        peer("lua, 100 kvdb.get", &lua, "reads", "{}"),
        peer("rhai, 100 kvdb.get", &rhai, "reads", "{}"),
        peer("lua, 100 base64.encode", &lua, "encodes", "{}"),
        peer("rhai, 100 base64.encode", &rhai, "encodes", "{}"),
        peer("lua, 1 KB in and out", &lua, "echo", &small),
        peer("rhai, 1 KB in and out", &rhai, "echo", &small),
        cjson("openresty, 1 KB in and out", &small),
        peer("lua, 100 KB in and out", &lua, "echo", &large),
        peer("rhai, 100 KB in and out", &rhai, "echo", &large),
        cjson("openresty, 100 KB in and out", &large),
    ];
    let rounds = http::measure(&all, None, SECONDS);
    http::print_table(&all, &rounds);
    print(&rounds);
}

/// Prints the figures that follow from the table, by its lines.
fn print(rounds: &[Vec<Run>]) {
    let line = |what: &str, lua: (usize, usize), rhai: (usize, usize), times: f64| {
        let each = |(at, than)| difference(rounds, at, than) / times;
        println!(
            "         {what:41} lua {:7.2} µs   rhai {:7.2} µs",
            each(lua),
            each(rhai)
        );
    };
    println!();
    line(
        "a call of nothing, over a fixed answer",
        (1, 0),
        (2, 0),
        1.0,
    );
    line("one kvdb.get (embedded)", (3, 1), (4, 2), MANY);
    line("one base64.encode", (5, 1), (6, 2), MANY);
    line("1 KB JSON in and out", (7, 1), (8, 2), 1.0);
    line("100 KB JSON in and out", (10, 1), (11, 2), 1.0);
    let ratio = |what: &str, over: usize, under: usize, goal: &str| {
        println!("{what:50} {:.2}   {goal}", http::ratio(rounds, over, under));
    };
    ratio("must     100 KB, lua / cjson CPU", 10, 12, "(≤ 1.2)");
    ratio("must     100 KB, rhai / cjson CPU", 11, 12, "(≤ 1.2)");
    ratio("         1 KB, lua / cjson CPU", 7, 9, "");
    ratio("         1 KB, rhai / cjson CPU", 8, 9, "");
}

/// Returns the median of the rounds' differences of CPU per call, µs.
fn difference(rounds: &[Vec<Run>], at: usize, than: usize) -> f64 {
    let each = rounds.iter().map(|round| round[at].cpu - round[than].cpu);
    median(&each.collect::<Vec<_>>())
}

/// Returns a JSON document of about `size` bytes: an order with lines, of all the types that JSON has.
fn document(size: usize) -> String {
    let line = |number: usize| {
        json!({
            "id": number, "sku": format!("KL-{number:05}"), "name": "A footbridge of oak, 12 m", "price": 1249.5,
            "currency": "EUR", "in_stock": number.is_multiple_of(3), "tags": ["wood", "garden"], "note": null,
        })
    };
    let mut lines: Vec<serde_json::Value> = Vec::new();
    let text =
        |lines: &[serde_json::Value]| json!({"customer": "7d1c", "lines": lines}).to_string();
    while text(&lines).len() < size {
        lines.push(line(lines.len()));
    }
    text(&lines)
}

/// Starts Kladka with the measured services of a language, each on a channel of its name.
fn server(language: &Language) -> (Rc<Running>, String) {
    let project = blank(language.name);
    let mut channels = String::from("version: 1\nchannels:\n");
    for (name, text) in language.services {
        fs::write(
            project.join(format!("scripts/{name}.{}", language.ending)),
            text,
        )
        .unwrap();
        channels += &channel(name);
    }
    fs::write(project.join("config/objects.yaml"), channels).unwrap();
    let (process, endpoints) = peers::kladka_on(&project, "embedded");
    (
        Rc::new(process),
        endpoints["services"].as_str().unwrap().to_owned(),
    )
}

fn channel(name: &str) -> String {
    format!(
        "  - name: bench.{name}\n    service: bench.{name}\n    http: {{ path: /{name}, methods: [POST] }}\n    format: json\n    wrap: none\n    security: none\n"
    )
}

fn blank(name: &str) -> PathBuf {
    peers::project(&format!("scripts-{name}"), &["--template", "blank"])
}

/// Measures what services cost that are deployed, and that were called once.
fn at_rest(language: &Language) {
    let none = started(&resting(language, 0));
    let project = resting(language, SERVICES);
    let some = started(&project);
    #[expect(clippy::cast_precision_loss, reason = "figures to read")]
    let each = |more: f64, than: f64| (more - than) / SERVICES as f64;
    println!("\n{}: {SERVICES} services", language.name);
    println!(
        "         start, for each                          {:.2} ms",
        each(some.ms, none.ms)
    );
    println!(
        "         memory at rest, for each                 {:.1} KiB",
        each(some.deployed, none.deployed) * 1_024.0
    );
    println!(
        "         memory once called, for each             {:.1} KiB",
        each(some.called, none.called) * 1_024.0
    );
}

/// Makes a project with many services beside one that calls each.
fn resting(language: &Language, services: usize) -> PathBuf {
    let project = blank(&format!("{}-{services}", language.name));
    let write = |name: &str, text: String| {
        fs::write(
            project.join(format!("scripts/{name}.{}", language.ending)),
            text,
        )
        .unwrap();
    };
    for number in 0..services {
        write(
            &format!("s{number}"),
            language.services[0]
                .1
                .replace("empty", &format!("s{number}")),
        );
    }
    let all = if language.name == "lua" {
        format!(
            "return service {{ name = 'bench.all', cpu = '20s', timeout = '30s', handle = function(ctx) for i = 0, {services} - 1 do ctx:invoke('bench.s' .. i) end end }}"
        )
    } else {
        format!(
            "service(#{{ name: \"bench.all\", cpu: \"20s\", timeout: \"30s\" }});\nfn handle(ctx) {{ for i in 0..{services} {{ ctx.invoke(`bench.s${{i}}`); }} }}"
        )
    };
    write("all", all);
    fs::write(
        project.join("config/objects.yaml"),
        format!("version: 1\nchannels:\n{}", channel("all")),
    )
    .unwrap();
    project
}

/// What one start gave: time to readiness, memory then, memory when each service was called.
struct Rest {
    ms: f64,
    deployed: f64,
    called: f64,
}

fn started(project: &Path) -> Rest {
    let runs: Vec<Rest> = (0..STARTS).map(|_| start(project)).collect();
    let of = |figure: fn(&Rest) -> f64| median(&runs.iter().map(figure).collect::<Vec<_>>());
    Rest {
        ms: of(|run| run.ms),
        deployed: of(|run| run.deployed),
        called: of(|run| run.called),
    }
}

fn start(project: &Path) -> Rest {
    let began = Instant::now();
    let (process, endpoints) = peers::kladka_on(project, "embedded");
    let ms = began.elapsed().as_secs_f64() * 1_000.0;
    let deployed = resident_mib(process.pid());
    let address = endpoints["services"]
        .as_str()
        .unwrap()
        .trim_start_matches("http://");
    call(address, "/all", "{}");
    Rest {
        ms,
        deployed,
        called: resident_mib(process.pid()),
    }
}
