//! Start to first answer, and memory at rest.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use crate::peers::{BODY, kladka_on, project};
use crate::proc::{median, resident_mib};

const TIMES: usize = 9;

/// Measures an empty project and the scenario.
pub(crate) fn report() {
    let empty = project("start-empty", &["--template", "blank"]);
    let scenario = project("start-scenario", &["--template", "rates"]);
    let (empty_ms, idle) = start(&empty, "/-/ready", "");
    let (scenario_ms, scenario_idle) = start(&scenario, "/client1/get-rate", BODY);
    println!("\nmust     start to first answer, empty     {empty_ms:.0} ms   (≤ 50)");
    println!("must     start to first answer, scenario  {scenario_ms:.0} ms   (≤ 1,000)");
    println!("must     idle memory, empty               {idle:.1} MiB  (≤ 18)");
    println!("         memory, scenario after one call  {scenario_idle:.1} MiB");
}

fn start(project: &Path, path: &str, body: &str) -> (f64, f64) {
    let mut times = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        let (process, endpoints) = kladka_on(project, "embedded");
        let address = endpoints["services"]
            .as_str()
            .unwrap()
            .trim_start_matches("http://")
            .to_owned();
        call(&address, path, body);
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        memory.push(resident_mib(process.pid()));
    }
    (median(&times), median(&memory))
}

/// Makes one call and checks that it is answered with 200.
pub(crate) fn call(address: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: demo-one\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    reply
}
