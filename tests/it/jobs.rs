//! Jobs through the binary: they run by the clock, are paused, remembered and taken away.

use serde_json::Value as Json;

use crate::support::{Gate, TestServer, eventually};

const SERVICES: &str = r#"
return {
  service { name = "tick", handle = function(ctx) ctx.log:info("Tick of %s", ctx.job.name) end },
  service { name = "fails", handle = function(ctx) ctx.fail { status = 502, message = "the partner is away" } end },
  service { name = "slow", handle = function(ctx) ctx.outgoing.http["gate"]:get() end },
}
"#;

/// A project with the given jobs, each a line of YAML.
fn with_jobs(jobs: &str, gate: Option<&Gate>) -> TestServer {
    let server = TestServer::project("blank");
    server.write("scripts/work.lua", SERVICES);
    server.write("config/objects.yaml", objects(jobs, gate));
    server
}

fn objects(jobs: &str, gate: Option<&Gate>) -> String {
    let gate = gate.map(|gate| {
        format!(
            "outgoing:\n  http:\n    - {{ name: gate, url: \"{}\" }}\n",
            gate.url()
        )
    });
    format!("version: 1\n{}jobs:\n{jobs}", gate.unwrap_or_default())
}

fn json(server: &TestServer, arguments: &[&str]) -> Json {
    let command = server.kladka(&[arguments, &["--json"][..]].concat());
    assert_eq!(
        command.code, 0,
        "{arguments:?}: {}{}",
        command.out, command.err
    );
    serde_json::from_str(&command.out).unwrap()
}

fn runs(server: &TestServer, job: &str) -> Vec<Json> {
    json(server, &["job", "history", job])["runs"]
        .as_array()
        .unwrap()
        .clone()
}

fn job(server: &TestServer, name: &str) -> Option<Json> {
    let jobs = json(server, &["job", "list"]);
    jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|job| job["name"] == name)
        .cloned()
}

#[test]
fn a_job_runs_by_the_clock_and_its_history_tells_so() {
    let server = with_jobs("  - { name: often, service: tick, every: 1s }\n", None)
        .production()
        .start();
    server.log().wait("Tick of often");
    let done = eventually("two runs are done", || {
        let done: Vec<Json> = runs(&server, "often")
            .into_iter()
            .filter(|run| run["state"] == "done")
            .collect();
        (done.len() >= 2).then_some(done)
    });
    let times: Vec<chrono::DateTime<chrono::FixedOffset>> = done
        .iter()
        .map(|run| {
            chrono::DateTime::parse_from_rfc3339(run["fire_time"].as_str().unwrap()).unwrap()
        })
        .collect();
    for pair in times.windows(2) {
        let [later, earlier] = pair else {
            unreachable!()
        };
        assert!((*later - *earlier).num_milliseconds() >= 1_000, "{times:?}");
    }
    assert!(
        done.iter().all(|run| run["trigger"] == "schedule"),
        "{done:?}"
    );
    let cid = done[0]["cid"].as_str().unwrap();
    assert!(
        server
            .log()
            .lines()
            .iter()
            .any(|line| line.contains("Tick of often") && line.contains(cid))
    );
    assert_eq!(job(&server, "often").unwrap()["last_run"]["state"], "done");
}

#[test]
fn the_next_times_are_shown_by_the_clock_of_the_job() {
    let jobs = "  - { name: once, service: tick, at: \"2099-07-01T12:00:00\", timezone: Europe/Prague }\n\
                \x20 - { name: mornings, service: tick, cron: \"30 6 * * MON-FRI\", timezone: America/New_York }\n\
                \x20 - { name: hourly, service: tick, cron: \"@hourly\" }\n\
                \x20 - { name: thrice, service: tick, every: 1h, repeats: 3 }\n";
    let server = with_jobs(jobs, None).production().start();
    let next = |name: &str| -> Vec<String> {
        let shown = server.kladka(&["job", "next", name, "-n", "10"]);
        assert_eq!(shown.code, 0, "{}", shown.err);
        shown.out.lines().map(str::to_owned).collect()
    };
    assert_eq!(
        next("once"),
        ["Wed 2099-07-01 12:00:00 +02:00 Europe/Prague"]
    );
    let mornings = next("mornings");
    assert_eq!(mornings.len(), 10);
    for line in &mornings {
        assert!(
            line.contains(" 06:30:00 -0") && line.ends_with(" America/New_York"),
            "{line}"
        );
        assert!(
            !line.starts_with("Sat") && !line.starts_with("Sun"),
            "{line}"
        );
    }
    assert!(
        next("hourly")
            .iter()
            .all(|line| line.contains(":00:00 +00:00 UTC"))
    );
    assert_eq!(
        next("thrice").len(),
        3,
        "after the third it never fires again"
    );
    let listed = server.kladka(&["job", "list"]).out;
    for text in [
        "at 2099-07-01T12:00:00",
        "cron 30 6 * * MON-FRI",
        "America/New_York",
        "every 1h, 3 times",
    ] {
        assert!(listed.contains(text), "{text}: {listed}");
    }
}

#[test]
fn a_paused_job_stays_paused_and_its_history_stays_over_a_restart() {
    let mut server = with_jobs("  - { name: often, service: tick, every: 1s }\n", None)
        .production()
        .start();
    server.log().wait("Tick of often");
    let paused = server.kladka(&["job", "pause", "often", "--note", "until Monday"]);
    assert_eq!(paused.code, 0, "{}", paused.err);
    let before = eventually("the last run has ended", || {
        let runs = runs(&server, "often");
        runs.iter()
            .all(|run| run["state"] != "running")
            .then_some(runs)
    });
    assert_eq!(server.terminate(), 0);
    server.start_again();
    let shown = job(&server, "often").unwrap();
    assert_eq!(
        (shown["state"].as_str(), shown["note"].as_str()),
        (Some("paused"), Some("until Monday"))
    );
    let cid = &before[0]["cid"];
    assert!(
        runs(&server, "often").iter().any(|run| run["cid"] == *cid),
        "the history is kept"
    );
    assert_eq!(
        server.log().count("Tick of often"),
        0,
        "paused means it does not fire"
    );
    // By hand it still runs.
    assert_eq!(server.kladka(&["job", "run", "often", "--wait"]).code, 0);
    assert_eq!(server.log().count("Tick of often"), 1);

    let resumed = server.kladka(&["job", "resume", "often"]);
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    eventually("it fires again by the clock", || {
        (server.log().count("Tick of often") > 1).then_some(())
    });
    let shown = job(&server, "often").unwrap();
    assert_eq!(
        shown["note"].as_str().unwrap_or_default(),
        "",
        "the note went with the pause"
    );
}

#[test]
fn a_run_that_fails_says_so_and_ends_with_1() {
    let jobs = "  - { name: broken, service: fails, every: 1d }\n  - { name: lost, service: nowhere, every: 1d }\n";
    let server = with_jobs(jobs, None).start();
    let failed = server.kladka(&["job", "run", "broken", "--wait"]);
    assert_eq!(failed.code, 1, "{}{}", failed.out, failed.err);
    assert!(
        failed.err.contains("KL-S200") && failed.err.contains("the partner is away"),
        "{}",
        failed.err
    );
    let run = &runs(&server, "broken")[0];
    assert_eq!(
        (run["state"].as_str(), run["fault_code"].as_str()),
        (Some("failed"), Some("KL-S200"))
    );
    assert_eq!(run["trigger"], "manual");
    let unwaited = server.kladka(&["job", "run", "broken"]);
    assert_eq!(
        unwaited.code, 0,
        "without --wait only the start is told: {}",
        unwaited.err
    );

    let lost = server.kladka(&["job", "run", "lost", "--wait"]);
    assert_eq!(lost.code, 1, "{}{}", lost.out, lost.err);
    assert!(lost.err.contains("nowhere"), "{}", lost.err);
}

#[test]
fn a_run_that_still_goes_on_is_not_joined_by_another() {
    let gate = Gate::closed();
    let jobs = "  - { name: slow, service: slow, every: 1s, overlap: skip }\n";
    let server = with_jobs(jobs, Some(&gate)).production().start();
    gate.wait_for(1);
    let skipped = eventually("a fire time is skipped", || {
        runs(&server, "slow")
            .into_iter()
            .find(|run| run["state"] == "skipped")
    });
    assert_eq!(skipped["trigger"], "schedule");
    assert_eq!(job(&server, "slow").unwrap()["state"], "running");
    let by_hand = server.kladka(&["job", "run", "slow", "--wait"]);
    assert_eq!(by_hand.code, 6, "{}{}", by_hand.out, by_hand.err);
    assert!(by_hand.err.contains("KL-J409"), "{}", by_hand.err);
    let running = || {
        runs(&server, "slow")
            .iter()
            .filter(|run| run["state"] == "running")
            .count()
    };
    assert_eq!(running(), 1);
    gate.release(1);
    gate.wait_for(2);
    let done = |run: &Json| run["state"] == "done";
    eventually("the first run is done", || {
        runs(&server, "slow").iter().any(done).then_some(())
    });
    gate.release(100);
}

#[test]
fn a_job_that_its_file_no_longer_names_is_gone() {
    let two = "  - { name: stays, service: tick, every: 1h }\n  - { name: goes, service: tick, every: 1s }\n";
    let server = with_jobs(two, None).start();
    server.log().wait("Tick of goes");
    server.write(
        "config/objects.yaml",
        objects("  - { name: stays, service: tick, every: 1h }\n", None),
    );
    eventually("the job is gone", || {
        job(&server, "goes").is_none().then_some(())
    });
    assert!(job(&server, "stays").is_some());
    assert_eq!(server.kladka(&["job", "run", "goes"]).code, 5);
    assert_eq!(server.kladka(&["job", "next", "goes"]).code, 5);
    assert!(
        !runs(&server, "goes").is_empty(),
        "what ran stays on record"
    );

    server.write(
        "config/objects.yaml",
        objects(
            "  - { name: stays, service: tick, every: 1h, enabled: false }\n",
            None,
        ),
    );
    eventually("the job is off", || {
        (job(&server, "stays").unwrap()["state"] == "disabled").then_some(())
    });
}
