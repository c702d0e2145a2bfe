//! The `client1` call against its peers, and the cost of a call as services grow in number.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::peers::{self, Peer};
use crate::proc::{Running, cpu_us, median};

const ROUNDS: usize = 5;
const SECONDS: u64 = 4;

/// The figures of one run of one peer.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    /// Server CPU per call, µs.
    pub(crate) cpu: f64,
    /// Redis CPU per call, µs.
    redis: f64,
    /// Calls per second.
    rate: f64,
}

/// Measures the job: Kladka in Lua and Rhai with Redis and embedded, fixed answer, hand-written, OpenResty with Redis
/// and shared dict.
pub(crate) fn job() {
    let (redis, redis_port) = peers::redis();
    let url = format!("redis://127.0.0.1:{redis_port}");
    let all = vec![
        peers::kladka_peer("a kladka lua, redis", "lua", &url),
        peers::kladka_peer("b kladka lua, embedded", "lua", "embedded"),
        peers::handmade("c fixed answer", "serve-fixed", redis_port),
        peers::handmade("d hand-written, redis", "serve-redis", redis_port),
        peers::openresty("e openresty, redis", Some(redis_port)),
        peers::openresty("f openresty, shared dict", None),
        peers::kladka_peer("g kladka rhai, redis", "rhai", &url),
        peers::kladka_peer("h kladka rhai, embedded", "rhai", "embedded"),
    ];
    all.iter().for_each(check_answer);
    let rounds = measure(&all, Some(&redis), SECONDS);
    print_table(&all, &rounds);
    let ratio = |over: usize, under: usize| ratio(&rounds, over, under);
    let redis_ratio = median(
        &rounds
            .iter()
            .map(|round| round[0].redis / round[4].redis)
            .collect::<Vec<_>>(),
    );
    println!(
        "\ncontrol  e/d CPU        {:.2}   (1.5 to 2.6, else the bench is wrong)",
        ratio(4, 3)
    );
    println!(
        "must     a/e CPU        {:.2}   (≤ 0.85, stretch ≤ 0.75)",
        ratio(0, 4)
    );
    println!(
        "must     a/d CPU        {:.2}   (≤ 1.7, stretch ≤ 1.5)",
        ratio(0, 3)
    );
    println!("must     b/f CPU        {:.2}   (≤ 1.2)", ratio(1, 5));
    println!("must     g/e CPU        {:.2}   (≤ 0.9)", ratio(6, 4));
    println!("must     g/a CPU        {:.2}   (≤ 1.3)", ratio(6, 0));
    println!("         h/b CPU        {:.2}", ratio(7, 1));
    println!("must     a/e redis CPU  {redis_ratio:.2}   (≤ 0.35)");
}

/// Measures the embedded call with 1, 100 and 1,000 services.
pub(crate) fn many_services() {
    let all: Vec<Peer> = [
        ("1 service", 0),
        ("100 services", 100),
        ("1,000 services", 1_000),
    ]
    .into_iter()
    .map(|(name, extra)| with_services(name, extra))
    .collect();
    let rounds = measure(&all, None, SECONDS);
    print_table(&all, &rounds);
    println!(
        "\nmust     1,000 / 1 services CPU  {:.2}   (flat)",
        ratio(&rounds, 2, 0)
    );
}

/// Returns the median of the rounds' ratios of CPU per call.
pub(crate) fn ratio(rounds: &[Vec<Run>], over: usize, under: usize) -> f64 {
    let each = rounds
        .iter()
        .map(|round| round[over].cpu / round[under].cpu);
    median(&each.collect::<Vec<_>>())
}

fn with_services(name: &'static str, extra: usize) -> Peer {
    let project = peers::project(&format!("services-{extra}"), &["--template", "rates"]);
    peers::unbound(&project);
    for number in 0..extra {
        let text = format!(
            "return service {{ name = \"bench.s{number}\", handle = function(ctx) ctx.response.payload = {number} end }}\n"
        );
        fs::write(project.join(format!("scripts/s{number}.lua")), text).unwrap();
    }
    let (process, endpoints) = peers::kladka_on(&project, "embedded");
    let url = format!(
        "{}/client1/get-rate",
        endpoints["services"].as_str().unwrap()
    );
    Peer::new(name, process, url)
}

fn check_answer(peer: &Peer) {
    let reply = Command::new("curl")
        .args([
            "-s",
            "-H",
            "X-API-Key: demo-one",
            "-d",
            &peer.body,
            &peer.url,
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&reply.stdout).into_owned();
    let json: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{}: {error}: {text}", peer.name));
    assert_eq!(
        json,
        serde_json::json!({"response": {"rate": "1.22"}}),
        "{}",
        peer.name
    );
}

/// Calls every peer in turn, round after round.
pub(crate) fn measure(all: &[Peer], redis: Option<&Running>, seconds: u64) -> Vec<Vec<Run>> {
    let dir = peers::fresh_dir("wrk");
    for peer in all {
        wrk(&peer.url, &wrk_script(&dir, peer), 1);
    }
    let run = |peer: &Peer| {
        let watched = redis.filter(|_| peer.uses_redis);
        let before = (
            cpu_us(peer.process.pid()),
            watched.map_or(0, |redis| cpu_us(redis.pid())),
        );
        let (calls, rate) = wrk(&peer.url, &wrk_script(&dir, peer), seconds);
        let after = (
            cpu_us(peer.process.pid()),
            watched.map_or(0, |redis| cpu_us(redis.pid())),
        );
        per_call(before, after, calls, rate)
    };
    (0..ROUNDS).map(|_| all.iter().map(run).collect()).collect()
}

/// Writes what a peer is sent.
fn wrk_script(dir: &Path, peer: &Peer) -> String {
    let (script, body) = (dir.join("post.lua"), dir.join("body"));
    fs::write(&body, &peer.body).unwrap();
    let text = format!(
        "wrk.method = \"POST\"\nwrk.headers[\"X-API-Key\"] = \"demo-one\"\nwrk.body = io.open(\"{}\", \"rb\"):read(\"*a\")\n",
        body.display()
    );
    fs::write(&script, text).unwrap();
    script.to_str().unwrap().to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "figures to read")]
fn per_call(before: (u64, u64), after: (u64, u64), calls: u64, rate: f64) -> Run {
    let each = |from: u64, to: u64| (to - from) as f64 / calls as f64;
    Run {
        cpu: each(before.0, after.0),
        redis: each(before.1, after.1),
        rate,
    }
}

/// Runs wrk on processor 1 and returns the calls made and calls per second; any failed call ends the benchmark.
fn wrk(url: &str, script: &str, seconds: u64) -> (u64, f64) {
    let duration = format!("-d{seconds}s");
    let output = Command::new("taskset")
        .args([
            "-c", "1", "wrk", "-t1", "-c32", &duration, "-s", script, url,
        ])
        .output()
        .expect("wrk is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "{url}: {text}"
    );
    let number = |before: &str| {
        let line = text
            .lines()
            .find(|line| line.contains(before))
            .unwrap_or_else(|| panic!("{text}"));
        line.split_whitespace()
            .find_map(|word| word.parse::<f64>().ok())
            .unwrap()
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count that wrk printed"
    )]
    let calls = number("requests in") as u64;
    (calls, number("Requests/sec"))
}

pub(crate) fn print_table(all: &[Peer], rounds: &[Vec<Run>]) {
    println!(
        "\n{:28} {:>10} {:>15} {:>10} {:>10}",
        "", "CPU µs", "spread", "redis µs", "calls/s"
    );
    for (at, peer) in all.iter().enumerate() {
        let figures = |of: fn(&Run) -> f64| {
            rounds
                .iter()
                .map(|round| of(&round[at]))
                .collect::<Vec<f64>>()
        };
        let cpu = figures(|run| run.cpu);
        let (least, most) = cpu
            .iter()
            .fold((f64::MAX, 0.0_f64), |(least, most), figure| {
                (least.min(*figure), most.max(*figure))
            });
        println!(
            "{:28} {:>10.1} {:>15} {:>10.1} {:>10.0}",
            peer.name,
            median(&cpu),
            format!("{least:.1}–{most:.1}"),
            median(&figures(|run| run.redis)),
            median(&figures(|run| run.rate))
        );
    }
}
