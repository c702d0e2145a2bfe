//! The server as a process: how it starts, says where it is, refuses, reads its settings again and ends.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::support::{Gate, TempDir, TestServer, binary, eventually, kladka, kladka_with};

const SLOW: &str = r#"return service { name = "slow", handle = function(ctx)
  ctx.response.payload = ctx.outgoing.http["gate"]:get().text
end }"#;

/// A project with a channel `/slow` that answers when the gate lets it.
fn gated(gate: &Gate) -> TestServer {
    let server = TestServer::project("blank");
    server.write("scripts/slow.lua", SLOW);
    server.write("config/objects.yaml", format!(
        "version: 1\noutgoing:\n  http:\n    - {{ name: gate, url: \"{}\" }}\nchannels:\n  - {{ name: slow, service: slow, http: {{ path: /slow }}, format: json, security: none }}\n",
        gate.url()
    ));
    server
}

fn mode(server: &TestServer, path: &str) -> u32 {
    let metadata = std::fs::metadata(server.root().join(path)).unwrap();
    metadata.permissions().mode() & 0o777
}

#[test]
fn init_makes_a_project_that_is_valid_and_never_touches_one_that_is_there() {
    for (options, file) in [
        ("", "scripts/linuxjournal/get_rate.lua"),
        ("--template rates", "scripts/linuxjournal/get_rate.lua"),
        ("--lang rhai", "scripts/linuxjournal/get_rate.rhai"),
        ("--template blank", "scripts/.gitkeep"),
    ] {
        let dir = TempDir::new();
        let make = || {
            let output = binary()
                .current_dir(dir.path())
                .args(["init", "new"])
                .args(options.split_whitespace())
                .output();
            let output = output.unwrap();
            (
                output.status.code(),
                String::from_utf8(output.stdout).unwrap(),
                String::from_utf8(output.stderr).unwrap(),
            )
        };
        let (code, out, err) = make();
        assert_eq!(code, Some(0), "{err}");
        assert!(
            out.starts_with("Created new") && err.contains("cd new && kladka dev"),
            "{out}{err}"
        );
        let project = dir.path().join("new");
        assert!(project.join(file).exists() && project.join("config/server.toml").exists());
        let checked = kladka(&project, &["config", "validate"]);
        assert_eq!(checked.code, 0, "{}", checked.err);

        std::fs::write(project.join(file), "mine").unwrap();
        let (code, out, err) = make();
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains("new is not empty"), "{err}");
        assert_eq!(std::fs::read_to_string(project.join(file)).unwrap(), "mine");
    }
}

#[test]
fn the_greeting_says_what_runs_and_where() {
    let server = TestServer::dev();
    for text in [
        "dev · project",
        "linuxjournal.get-rate (r1)",
        "client3.get-rate (soap)",
        "refresh-rates (every 1h UTC)",
        "watching   scripts/",
    ] {
        server.log().wait(text);
    }
    for name in ["services", "admin"] {
        let shown = server.log().wait(if name == "admin" {
            "  admin "
        } else {
            "  requests "
        });
        assert!(shown.contains(&server.endpoint(name)), "{shown}");
    }
    // What it says to try works as it stands.
    let line = server.log().wait("curl -H 'X-API-Key: demo-1'");
    let tried = std::process::Command::new("sh")
        .args(["-c", &format!("{} -sS --noproxy '*'", line.trim())])
        .output();
    let tried = tried.unwrap();
    eventually("the job has filled the cache", || {
        let again = std::process::Command::new("sh")
            .args(["-c", &format!("{} -sS --noproxy '*'", line.trim())])
            .output();
        String::from_utf8(again.unwrap().stdout)
            .unwrap()
            .contains("1.22")
            .then_some(())
    });
    assert!(
        tried.status.success(),
        "{}",
        String::from_utf8_lossy(&tried.stderr)
    );
}

#[test]
fn what_a_server_keeps_is_its_owners_alone_and_stop_ends_it() {
    let mut server = TestServer::project("blank").production().start();
    assert_eq!(mode(&server, "data"), 0o700);
    for file in ["data/token", "data/endpoints.json", "data/lock"] {
        assert_eq!(mode(&server, file), 0o600, "{file}");
    }
    let token = server.read("data/token");
    assert!(token.trim().len() >= 32);
    let status = server.kladka(&["status"]);
    let pid = format!("pid        {}", server.pid());
    assert!(
        status.out.contains(&pid) && status.out.contains("mode       start"),
        "{}",
        status.out
    );

    let stopped = server.kladka(&["stop"]);
    assert_eq!(stopped.code, 0, "{}", stopped.err);
    assert!(
        stopped.out.contains(&server.pid().to_string()),
        "{}",
        stopped.out
    );
    assert_eq!(server.wait_for_end(), 0);
    assert!(
        !server.root().join("data/endpoints.json").exists(),
        "nothing listens any more"
    );
    assert_eq!(server.kladka(&["status"]).code, 7);
    server.start_again();
    assert_eq!(server.read("data/token"), token, "the token stays");
}

#[test]
fn a_data_directory_serves_one_server() {
    let server = TestServer::project("blank").start();
    let second = server.refuses_to_start();
    assert_eq!(second.code, 6, "{}", second.err);
    let holder = format!("is used by process {}", server.pid());
    assert!(
        second.err.contains("KL-N002") && second.err.contains(&holder),
        "{}",
        second.err
    );
    assert_eq!(
        server.kladka(&["status"]).code,
        0,
        "the first still serves, and is found"
    );
}

#[test]
fn an_open_data_directory_is_refused() {
    let server = TestServer::project("blank");
    std::fs::create_dir(server.root().join("data")).unwrap();
    std::fs::set_permissions(
        server.root().join("data"),
        std::fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let refused = server.refuses_to_start();
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("chmod 700"), "{}", refused.err);
}

#[test]
fn a_busy_port_names_the_process_that_has_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for variable in [
        "KLADKA_LISTEN_SERVICES",
        "KLADKA_LISTEN_ADMIN",
        "KLADKA_DEV_PARTNER",
    ] {
        let server = TestServer::project("blank").with(variable, &address.to_string());
        let refused = server.refuses_to_start();
        assert_eq!(refused.code, 6, "{}", refused.err);
        let holder = format!(
            "port {} is used by process {} (",
            address.port(),
            std::process::id()
        );
        assert!(
            refused.err.contains("KL-N001") && refused.err.contains(&holder),
            "{variable}: {}",
            refused.err
        );
    }
    let project = TestServer::project("blank");
    let busy = [
        ("KLADKA_LISTEN_SERVICES", address.to_string()),
        ("KLADKA_LISTEN_ADMIN", "127.0.0.1:0".to_owned()),
    ];
    let busy: Vec<_> = busy
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let doctor = kladka_with(&project.root(), &["doctor"], &busy, "");
    assert_eq!(doctor.code, 4, "{}", doctor.out);
    assert!(
        doctor
            .out
            .contains(&format!("process {} (", std::process::id())),
        "{}",
        doctor.out
    );
}

#[test]
fn sigterm_finishes_what_runs_and_tells_load_balancers_first() {
    let gate = Gate::closed();
    let mut server = gated(&gate).production().start();
    assert_eq!(server.curl("/-/ready").send().status, 200);
    let call = server.curl("/slow");
    let running = std::thread::spawn(move || call.send());
    gate.wait_for(1);

    server.signal("TERM");
    server.log().wait("Draining");
    let draining = server.curl("/-/ready").send();
    assert_eq!(draining.status, 404, "HAProxy's disable-on-404");
    assert!(
        !running.is_finished(),
        "the call still waits for its partner"
    );
    gate.release(1);
    let reply = running.join().unwrap();
    assert_eq!(
        (reply.status, reply.json()["response"].as_str()),
        (200, Some("ok")),
        "{}",
        reply.body
    );
    assert_eq!(server.wait_for_end(), 0);
}

#[test]
fn a_call_that_never_ends_holds_the_server_no_longer_than_the_grace() {
    let gate = Gate::closed();
    let mut server = gated(&gate)
        .with("KLADKA_LIMITS_SHUTDOWN_GRACE", "300ms")
        .start();
    let call = server.curl("/slow");
    let running = std::thread::spawn(move || call.try_send().is_err());
    gate.wait_for(1);
    let began = std::time::Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait_for_end(), 0);
    // The call itself would go on for ten seconds: the timeout of its connection.
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert!(running.join().unwrap(), "the call was cut");
}

#[test]
fn sighup_reads_the_configuration_again_and_a_save_alone_does_not() {
    let gate = Gate::closed();
    let server = gated(&gate).production().start();
    let text = server.read("config/objects.yaml");
    server.write("config/objects.yaml", text.replace("/slow", "/moved"));
    gate.release(2);
    // The watcher looks at config/ too, for the scripts' settings: once they are read, the save has been seen.
    server.write("config/user/app.toml", "seen = \"yes\"\n");
    server.write("scripts/app.lua", "return service { name = \"app\", handle = function(ctx) ctx.response.payload = ctx.config.app.seen end }");
    eventually("the settings are read", || {
        (server.kladka(&["service", "invoke", "app"]).out.trim() == "yes").then_some(())
    });
    assert_eq!(
        server.curl("/slow").send().status,
        200,
        "the old configuration serves"
    );

    server.signal("HUP");
    eventually("the channel has moved", || {
        (server.curl("/moved").send().status == 200).then_some(())
    });
    assert_eq!(server.curl("/slow").send().status, 404);

    server.write(
        "config/objects.yaml",
        text.replace("format: json", "format: jsn"),
    );
    server.signal("HUP");
    server.log().wait("Configuration not applied");
    gate.release(1);
    assert_eq!(
        server.curl("/moved").send().status,
        200,
        "the last good configuration serves"
    );
}

#[test]
fn bad_settings_are_refused_with_their_key() {
    let cases = [
        ("[listen]\nservces = \"127.0.0.1:0\"\n", "services"),
        ("[limits]\nidle_timeout = \"soon\"\n", "idle_timeout"),
        ("[limits]\ncores = \"many\"\n", "cores"),
        ("[kvdb]\ndurability = \"perhaps\"\n", "durability"),
        ("[listen\n", "server.toml:1:"),
    ];
    for (text, key) in cases {
        let server = TestServer::project("blank");
        server.write("config/server.toml", text);
        let refused = server.refuses_to_start();
        assert_eq!(refused.code, 4, "{text}: {}", refused.err);
        assert!(refused.err.contains(key), "{text}: {}", refused.err);
    }
    let server = TestServer::project("blank").with("KLADKA_LIMITS_IDLE_TIMEOUT", "soon");
    let refused = server.refuses_to_start();
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(
        refused.err.contains("KLADKA_LIMITS_IDLE_TIMEOUT"),
        "{}",
        refused.err
    );

    let unreadable = TestServer::project("blank");
    std::fs::remove_file(unreadable.root().join("config/server.toml")).unwrap();
    std::fs::create_dir(unreadable.root().join("config/server.toml")).unwrap();
    let refused = unreadable.refuses_to_start();
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(refused.err.contains("server.toml"), "{}", refused.err);

    let nothing = TempDir::new();
    let refused = kladka(nothing.path(), &["start"]);
    assert!(
        matches!(refused.code, 4 | 5),
        "{}: {}",
        refused.code,
        refused.err
    );
    assert!(refused.err.contains("kladka init"), "{}", refused.err);
}

#[test]
fn the_environment_wins_over_the_file() {
    let server = TestServer::project("blank");
    server.write(
        "config/server.toml",
        "[data]\ndir = \"from-file\"\n[log]\nlevel = \"error\"\n",
    );
    let server = server
        .with("KLADKA_DATA_DIR", "from-environment")
        .with("KLADKA_LOG_LEVEL", "info");
    let mut server = server;
    server.start_unready();
    server.log().wait("ready in");
    server.log().wait("Configuration applied");
    assert!(server.root().join("from-environment/token").exists());
    assert!(!server.root().join("from-file").exists());
}

#[test]
fn the_admin_port_stays_on_loopback_unless_told_otherwise() {
    let server = TestServer::project("blank").with("KLADKA_LISTEN_ADMIN", "0.0.0.0:0");
    let refused = server.refuses_to_start();
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(
        refused.err.contains("[listen] admin") && refused.err.contains("admin_insecure"),
        "{}",
        refused.err
    );
    let server = server.with("KLADKA_LISTEN_ADMIN_INSECURE", "true").start();
    assert!(
        server.endpoint("admin").starts_with("http://127.0.0.1:"),
        "people never see 0.0.0.0"
    );
    assert_eq!(server.kladka(&["status"]).code, 0);
}

#[test]
fn systemd_hears_that_it_is_ready_and_that_it_stops() {
    let dir = TempDir::new();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let heard = || {
        let mut bytes = [0; 256];
        let count = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(bytes.get(..count).unwrap()).into_owned()
    };
    let server = TestServer::project("blank").production();
    let mut server = server.with("NOTIFY_SOCKET", path.to_str().unwrap());
    server.start_unready();
    assert!(heard().contains("READY=1"));
    assert_eq!(
        server.curl("/-/ready").send().status,
        200,
        "ready means ready"
    );
    server.signal("TERM");
    assert!(heard().contains("STOPPING=1"));
    assert_eq!(server.wait_for_end(), 0);
}

#[test]
fn health_and_metrics_say_what_is_wrong_without_a_token() {
    let server = TestServer::dev();
    server.log().wait("Job executed");
    let live = server.admin("/livez").send();
    assert_eq!((live.status, live.body.as_str()), (200, "ok\n"));
    let ready = server.admin("/readyz").send();
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    let verbose = server.admin("/readyz?verbose").send().body;
    assert_eq!(
        verbose,
        "ready\n[ok] scripts\n[ok] objects\n[ok] channels\n[ok] settings\n"
    );

    for status in [200, 401] {
        let key = if status == 200 {
            "X-API-Key: demo-1"
        } else {
            "X-API-Key: wrong"
        };
        assert_eq!(
            server
                .curl("/client1/get-rate")
                .header(key)
                .data("{}")
                .send()
                .status,
            status
        );
    }
    let page = server.admin("/metrics").send();
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let sample = |start: &str| {
        let line = page.body.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no {start}: {}", page.body))
            .rsplit_once(' ')
            .unwrap()
            .1
            .parse::<f64>()
            .unwrap()
    };
    assert!((sample("kladka_services ") - 2.0).abs() < 0.1);
    assert!((sample("kladka_degraded ") - 0.0).abs() < 0.1);
    let calls: Vec<&str> = page
        .body
        .lines()
        .filter(|line| {
            line.starts_with("kladka_service_calls_total{")
                && line.contains("client1.get-rate")
                && line.ends_with(" 1")
        })
        .collect();
    assert_eq!(
        calls.len(),
        2,
        "one that went well, one refused: {}",
        page.body
    );
    for line in page.body.lines().filter(|line| !line.starts_with('#')) {
        let number = line
            .rsplit_once(' ')
            .map(|(_, number)| number.parse::<f64>());
        assert!(matches!(number, Some(Ok(_))), "not a sample: {line}");
    }

    server.write("scripts/broken.lua", "return service {\n  name = \n}\n");
    let verbose = eventually("the fault shows", || {
        let body = server.admin("/readyz?verbose").send().body;
        body.contains("[degraded] scripts").then_some(body)
    });
    assert!(
        verbose.contains("scripts/broken.lua:3") || verbose.contains("scripts/broken.lua:2"),
        "{verbose}"
    );
    assert_eq!(
        server.admin("/readyz").send().status,
        200,
        "what serves stays in service"
    );
    let status = server.kladka(&["status"]);
    assert!(status.out.contains("state      degraded"), "{}", status.out);
}

#[test]
fn an_operation_that_changes_something_is_not_run_by_get() {
    let server = TestServer::dev();
    let bearer = format!("Authorization: Bearer {}", server.read("data/token").trim());
    let call = |path: &str| {
        let path = format!("/api/v1/kladka.{path}");
        server.admin(&path).header(&bearer).send()
    };
    for change in [
        "service.delete?name=linuxjournal.get-rate&force=true",
        "service.invoke?name=linuxjournal.get-rate",
        "service.reload",
        "service.rollback?name=linuxjournal.get-rate",
        "service.deploy",
        "job.run?name=refresh-rates",
        "job.pause?name=refresh-rates",
        "job.resume?name=refresh-rates",
        "outgoing.ping?name=treasury.gov",
        "outgoing.send?name=treasury.gov",
        "kvdb.run?command=del",
        "config.apply",
        "server.stop",
    ] {
        let reply = call(change);
        assert_eq!(reply.status, 405, "{change}: {}", reply.body);
        assert_eq!(reply.json()["code"], "KL-H405", "{change}");
        assert_eq!(reply.header("allow"), Some("POST"), "{change}");
    }
    let services = call("service.list").json();
    assert_eq!(
        services["services"].as_array().unwrap().len(),
        2,
        "all stay"
    );
    assert_ne!(call("job.list").json()["jobs"][0]["state"], "paused");
    assert_eq!(call("server.status").json()["state"], "ok");
    let refused = call("channel.lst?x=1");
    assert_eq!(
        refused.status, 404,
        "an unknown one is unknown by any method"
    );
    let delete = server
        .admin("/api/v1/kladka.job.list")
        .header(&bearer)
        .args(&["-X", "DELETE"])
        .send();
    assert_eq!(
        (delete.status, delete.header("allow")),
        (405, Some("GET, POST"))
    );
}

#[test]
fn the_admin_api_tells_callers_what_they_did_wrong() {
    let server = TestServer::project("blank").start();
    let bearer = format!("Authorization: Bearer {}", server.read("data/token").trim());
    let call = |path: &str| server.admin(path).header(&bearer);
    let good = call("/api/v1/kladka.server.status").data("{}").send();
    assert_eq!(
        (good.status, good.json()["mode"].as_str()),
        (200, Some("dev")),
        "{}",
        good.body
    );
    let read = call("/api/v1/kladka.object.list?kind=channel").send();
    assert_eq!(
        (read.status, read.body.as_str()),
        (200, r#"{"objects":[]}"#)
    );
    let cid = call("/api/v1/kladka.server.status")
        .header("X-Correlation-ID: mine-123")
        .send();
    assert_eq!(cid.header("x-correlation-id"), Some("mine-123"));

    let cases = [
        (server.admin("/api/v1/kladka.server.status"), 401, "KL-N004"),
        (
            server
                .admin("/api/v1/kladka.server.status")
                .header("Authorization: Bearer wrong"),
            401,
            "KL-N004",
        ),
        (
            call("/api/v1/kladka.server.status").header("Host: rebound.example"),
            403,
            "KL-A403",
        ),
        (call("/api/v1/kladka.server.stats"), 404, "KL-P404"),
        (call("/nowhere"), 404, "KL-P404"),
        (
            call("/api/v1/kladka.server.status").data("{"),
            400,
            "KL-P400",
        ),
        (
            call("/api/v1/kladka.server.status").data("[]x"),
            400,
            "KL-P400",
        ),
        (
            call("/api/v1/kladka.channel.list").data(r#"{"unknown":1}"#),
            400,
            "KL-P400",
        ),
        (
            call("/api/v1/kladka.channel.show").data("{}"),
            400,
            "KL-P400",
        ),
        (
            call("/api/v1/kladka.server.status").args(&["-X", "PUT"]),
            405,
            "KL-H405",
        ),
    ];
    for (number, (sent, status, code)) in cases.into_iter().enumerate() {
        let reply = sent.send();
        assert_eq!((number, reply.status), (number, status), "{}", reply.body);
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json"),
            "{number}"
        );
        assert_eq!(reply.json()["code"], code, "{number}");
        assert!(reply.json()["cid"].is_string());
    }
    let near = call("/api/v1/kladka.server.stats").send();
    assert!(
        near.body.contains("Did you mean `kladka.server.status`?"),
        "{}",
        near.body
    );
    let challenge = server.admin("/api/v1/kladka.server.status").send();
    assert!(
        challenge
            .header("www-authenticate")
            .unwrap()
            .starts_with("Bearer realm=")
    );
}

#[test]
fn doctor_says_what_is_wrong_with_a_project_at_rest() {
    let project = TestServer::project("blank");
    let free = [
        ("KLADKA_LISTEN_SERVICES", "127.0.0.1:0"),
        ("KLADKA_LISTEN_ADMIN", "127.0.0.1:0"),
    ];
    let doctor = || kladka_with(&project.root(), &["doctor"], &free, "");
    let good = doctor();
    assert_eq!(good.code, 0, "{}{}", good.out, good.err);
    assert!(
        good.out.contains("does not run") && good.out.contains("free"),
        "{}",
        good.out
    );
    project.write("config/objects.yaml", "version: 1\nchanels: []\n");
    let bad = doctor();
    assert_eq!(bad.code, 4, "{}", bad.out);
    assert!(
        bad.out.contains("FAILED") && bad.out.contains("kladka config validate"),
        "{}",
        bad.out
    );
}
