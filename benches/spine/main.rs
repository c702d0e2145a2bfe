//! The numbers of the spine, measured in one run on one machine: `cargo bench --bench spine`.
//!
//! Server on processor 0; load generator (wrk) and Redis on processor 1. CPU µs per call is user and system time
//! of the server's whole process tree over a run, divided by the calls of that run: the figure to trust. Peers run
//! in turn, round after round; ratios are medians of the rounds' ratios. Needs wrk, redis-server, nginx with
//! `libnginx-mod-http-lua`, `lua-nginx-redis` and `lua-cjson` from Debian.
//!
//! `cargo bench --bench spine -- PART…` runs some of: http services scripts start deploys.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark may stop at the first surprise"
)]

mod deploys;
mod handmade;
mod http;
mod peers;
mod proc;
mod scripts;
mod start;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|text| text != "--bench")
        .collect();
    // The hand-written peers are this very program, started again.
    if let [kind, port, redis] = arguments.as_slice()
        && kind.starts_with("serve-")
    {
        return handmade::serve(kind, port.parse().unwrap(), redis.parse().unwrap());
    }
    let wanted =
        |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    if wanted("http") {
        http::job();
    }
    if wanted("services") {
        http::many_services();
    }
    if wanted("scripts") {
        scripts::report();
    }
    if wanted("start") {
        start::report();
    }
    if wanted("deploys") {
        deploys::report();
    }
}
