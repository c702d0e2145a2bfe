//! Save to live, and memory after a thousand deployments.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::peers::{BODY, kladka_on, project};
use crate::proc::{median, resident_mib};
use crate::start::call;

const SAVES: usize = 100;
const DEPLOYS: usize = 1_000;

/// Saves a service a thousand times; each save is waited for until its answer is live.
pub(crate) fn report() {
    let project = project("deploys", &["--template", "rates"]);
    let (process, endpoints) = kladka_on(&project, "embedded");
    let address = endpoints["services"]
        .as_str()
        .unwrap()
        .trim_start_matches("http://")
        .to_owned();
    let times: Vec<f64> = (0..SAVES)
        .map(|number| save(&project, &address, number))
        .collect();
    let base = resident_mib(process.pid());
    (SAVES..SAVES + DEPLOYS).for_each(|number| {
        save(&project, &address, number);
    });
    let after = resident_mib(process.pid());
    println!(
        "\nmust     save to live, median of {SAVES}         {:.0} ms   (≤ 100)",
        median(&times)
    );
    println!(
        "must     memory after {DEPLOYS} further deploys  {after:.1} MiB against {base:.1} MiB before   (back to base)"
    );
}

fn save(project: &Path, address: &str, number: usize) -> f64 {
    let text = format!(
        "return service {{ name = \"linuxjournal.get-rate\", output = {{ \"rate?\" }}, handle = function(ctx) ctx.response.payload.rate = \"v{number}\" end }}\n"
    );
    let scripts = project.join("scripts/linuxjournal");
    fs::write(scripts.join(".get_rate.tmp"), text).unwrap();
    let began = Instant::now();
    fs::rename(scripts.join(".get_rate.tmp"), scripts.join("get_rate.lua")).unwrap();
    let wanted = format!("\"v{number}\"");
    while !call(address, "/client1/get-rate", BODY).contains(&wanted) {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "save {number} did not become live"
        );
    }
    began.elapsed().as_secs_f64() * 1_000.0
}
