//! Deployment through the binary: whatever is wrong with a script, the last good one serves, and
//! everybody who looks is told where the mistake stands.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command as Process;
use std::time::Instant;

use crate::support::{Command, TestServer, eventually};

const OBJECTS: &str = r"version: 1
channels:
  - { name: one.json, service: shop.one, http: { path: /one }, security: none }
  - { name: one.xml, service: shop.one, http: { path: /one.xml }, format: xml, security: none }
  - { name: one.soap, service: shop.one, http: { path: /one.soap }, format: soap, security: none }
  - { name: two.json, service: shop.two, http: { path: /two }, security: none }
";

/// A service `shop.NAME` that answers with a word.
fn service(name: &str, says: &str) -> String {
    format!(
        r#"return service {{
  name = "shop.{name}",
  output = {{ "says" }},
  handle = function(ctx)
    ctx.response.payload.says = "{says}"
  end,
}}
"#
    )
}

/// Starts a server with the services `shop.one` and `shop.two`.
fn shop() -> TestServer {
    let project = TestServer::project("blank").production();
    project.write("config/objects.yaml", OBJECTS);
    project.write("scripts/one.lua", service("one", "first"));
    project.write("scripts/two.lua", service("two", "second"));
    project.start()
}

/// Calls a service and returns what it says, or the status.
fn says(server: &TestServer, path: &str) -> String {
    let reply = server.curl(path).send();
    match reply.status {
        200 => reply.json()["response"]["says"]
            .as_str()
            .unwrap()
            .to_owned(),
        status => status.to_string(),
    }
}

/// Writes files to an own directory and returns their paths.
fn outbox(server: &TestServer, files: &[(&str, &[u8])]) -> Vec<PathBuf> {
    let dir = server.root().join("outbox");
    std::fs::create_dir_all(&dir).unwrap();
    let write = |(name, bytes): &(&str, &[u8])| {
        let path = dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    files.iter().map(write).collect()
}

fn deploy(server: &TestServer, files: &[(&str, &[u8])]) -> Command {
    let paths = outbox(server, files);
    let paths = paths.iter().map(|path| path.to_str().unwrap());
    let arguments: Vec<&str> = std::iter::once("deploy").chain(paths).collect();
    server.kladka(&arguments)
}

fn good(done: &Command) {
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
}

fn list(server: &TestServer) -> serde_json::Value {
    let listed = server.kladka(&["service", "list", "--json"]);
    good(&listed);
    serde_json::from_str(&listed.out).unwrap()
}

fn state(server: &TestServer, name: &str) -> String {
    let list = list(server);
    let services = list["services"].as_array().unwrap();
    let own = services.iter().find(|service| service["name"] == name);
    own.unwrap()["state"].as_str().unwrap().to_owned()
}

fn run(dir: &std::path::Path, program: &str, arguments: &[&str]) {
    let done = Process::new(program)
        .args(arguments)
        .current_dir(dir)
        .output()
        .unwrap_or_else(|error| panic!("{program} is not installed: {error}"));
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

/// Mistakes of one file: what is wrong, the text, the code, and the place (without the path).
fn mistakes() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let spoiled = |from: &str, to: &str| {
        let text = service("one", "broken");
        assert!(text.contains(from));
        text.replace(from, to).into_bytes()
    };
    let mut no_text = service("one", "broken").into_bytes();
    no_text.extend(b"-- \xff\xfe\n");
    let large = format!("{}--{}\n", service("one", "broken"), "x".repeat(300 << 10));
    vec![
        (
            "syntax error",
            spoiled("name = \"shop.one\"", "name = "),
            "KL-S100",
            ":2:",
        ),
        (
            "error at load",
            spoiled("return service", "local t = nil\nt.x = 1\nreturn service"),
            "KL-S101",
            ":2:",
        ),
        (
            "endless loop at load",
            spoiled("return service", "while true do end\nreturn service"),
            "KL-S301",
            ":1:",
        ),
        ("300 KB", large.into_bytes(), "KL-D103", ""),
        ("not UTF-8", no_text, "KL-D103", ""),
        (
            "no handle",
            b"return service {\n  name = \"shop.one\",\n}\n".to_vec(),
            "KL-D104",
            ":1:",
        ),
        (
            "unknown type",
            spoiled("{ \"says\" }", "{ \"says:txet\" }"),
            "KL-D104",
            ":3:",
        ),
        (
            "module that is missing",
            spoiled(
                "return service",
                "local m = require \"nowhere\"\nreturn service",
            ),
            "KL-S103",
            ":1:",
        ),
    ]
}

#[test]
fn a_bad_script_never_serves_and_everybody_sees_why() {
    let server = shop();
    for (what, text, code, place) in mistakes() {
        let refused = deploy(&server, &[("one.lua", &text)]);
        assert_eq!(refused.code, 4, "{what}: {}{}", refused.out, refused.err);
        let place = format!("scripts/one.lua{place}");
        for wanted in [code, place.as_str()] {
            assert!(
                refused.err.contains(wanted),
                "{what}: {wanted} in\n{}",
                refused.err
            );
        }
        assert_eq!(says(&server, "/one"), "first", "{what}");
        assert_eq!(state(&server, "shop.one"), "degraded", "{what}");
        assert_eq!(state(&server, "shop.two"), "ok", "{what}");
        let listed = server.kladka(&["service", "list"]);
        assert!(
            listed.out.contains("degraded") && listed.err.contains(code),
            "{what}"
        );
        let ready = server.admin("/readyz?verbose").send();
        assert_eq!(ready.status, 200, "{what}");
        assert!(
            ready.body.contains(code) && ready.body.contains(&place),
            "{what}: {}",
            ready.body
        );
        assert_eq!(
            server.read("scripts/one.lua"),
            service("one", "first"),
            "{what}"
        );
    }
    good(&deploy(
        &server,
        &[("one.lua", service("one", "mended").as_bytes())],
    ));
    assert_eq!(says(&server, "/one"), "mended");
    assert_eq!(state(&server, "shop.one"), "ok");
    let ready = server.admin("/readyz?verbose").send();
    assert!(ready.body.contains("[ok] scripts"), "{}", ready.body);
}

#[test]
fn a_bad_script_that_is_saved_never_serves_either() {
    let server = shop();
    for (what, text, code, place) in mistakes() {
        server.write("scripts/one.lua", &text);
        let verbose = eventually(what, || {
            let ready = server.admin("/readyz?verbose").send();
            ready.body.contains(code).then_some(ready.body)
        });
        assert!(
            verbose.contains(&format!("scripts/one.lua{place}")),
            "{what}: {verbose}"
        );
        assert_eq!(says(&server, "/one"), "first", "{what}");
        assert_eq!(state(&server, "shop.one"), "degraded", "{what}");
        server.log().wait(code);
        let reloaded = server.kladka(&["service", "reload", "--all", "--wait"]);
        assert_eq!(reloaded.code, 4, "{what}: {}", reloaded.err);
        server.write("scripts/one.lua", service("one", "first"));
        eventually("the mistake is gone", || {
            let ready = server.admin("/readyz?verbose").send();
            ready.body.contains("[ok] scripts").then_some(())
        });
    }
}

#[test]
fn mistakes_of_two_files_name_both_and_change_nothing() {
    let server = shop();
    let copy = service("one", "copy");
    server.write("scripts/copy.lua", &copy);
    let verbose = eventually("the doubled service is told", || {
        let ready = server.admin("/readyz?verbose").send();
        ready.body.contains("KL-D101").then_some(ready.body)
    });
    for file in ["scripts/one.lua", "scripts/copy.lua"] {
        assert!(verbose.contains(file), "{file} in {verbose}");
    }
    assert_eq!(says(&server, "/one"), "first");
    std::fs::remove_file(server.root().join("scripts/copy.lua")).unwrap();
    eventually("all is well again", || {
        let ready = server.admin("/readyz?verbose").send();
        ready.body.contains("[ok] scripts").then_some(())
    });

    let refused = deploy(
        &server,
        &[
            ("first.lua", copy.as_bytes()),
            ("last.lua", copy.as_bytes()),
        ],
    );
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(
        refused.err.contains("first.lua") && refused.err.contains("last.lua"),
        "{}",
        refused.err
    );

    let cycle: [(&str, &[u8]); 3] = [
        ("ring_a.lua", b"local b = require \"ring_b\"\nreturn { b = b }\n"),
        ("ring_b.lua", b"local a = require \"ring_a\"\nreturn { a = a }\n"),
        (
            "one.lua",
            b"local ring = require \"ring_a\"\nreturn service { name = \"shop.one\", handle = function() end }\n",
        ),
    ];
    let refused = deploy(&server, &cycle);
    assert_eq!(refused.code, 4, "{}", refused.err);
    for wanted in ["KL-S103", "ring_a", "ring_b"] {
        assert!(refused.err.contains(wanted), "{wanted} in {}", refused.err);
    }
    assert_eq!(says(&server, "/one"), "first");
    assert!(!server.root().join("scripts/ring_a.lua").exists());
}

#[test]
fn an_archive_is_deployed_whole_or_not_at_all() {
    let server = shop();
    let one = service("one", "zipped");
    outbox(
        &server,
        &[
            ("one.lua", one.as_bytes()),
            ("two.lua", b"return service { name = \"shop.two\" "),
        ],
    );
    let dir = server.root().join("outbox");
    run(&dir, "zip", &["-q", "both.zip", "one.lua", "two.lua"]);
    let refused = server.kladka(&["deploy", dir.join("both.zip").to_str().unwrap()]);
    assert_eq!(refused.code, 4, "{}{}", refused.out, refused.err);
    assert!(
        refused.err.contains("scripts/two.lua:1:") && refused.err.contains("nothing changed"),
        "{}",
        refused.err
    );
    assert_eq!(
        (says(&server, "/one"), says(&server, "/two")),
        ("first".into(), "second".into())
    );
    assert_eq!(server.read("scripts/one.lua"), service("one", "first"));

    let two = service("two", "packed");
    outbox(&server, &[("two.lua", two.as_bytes())]);
    run(&dir, "tar", &["-czf", "both.tar.gz", "one.lua", "two.lua"]);
    good(&server.kladka(&["deploy", dir.join("both.tar.gz").to_str().unwrap()]));
    assert_eq!(
        (says(&server, "/one"), says(&server, "/two")),
        ("zipped".into(), "packed".into())
    );
    assert_eq!(server.read("scripts/two.lua"), two);
}

/// Returns the package ids that the log names, in order.
fn packages(server: &TestServer) -> Vec<u64> {
    let lines = server.log().lines();
    let id = |line: &String| {
        let (_, rest) = line.split_once("Uploaded package id:[")?;
        rest.split_once(']')?.0.parse().ok()
    };
    lines.iter().filter_map(id).collect()
}

#[test]
fn an_archive_of_megabytes_is_deployed_by_the_command_too() {
    let server = shop();
    let names: Vec<_> = (0..16).map(|number| format!("s{number}")).collect();
    let files = names.iter().map(|name| {
        let text = format!("{}--[[{}]]\n", service(name, name), "x".repeat(180 << 10));
        (format!("{name}.lua"), text)
    });
    let files: Vec<_> = files.collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    outbox(&server, &files);
    let dir = server.root().join("outbox");
    run(&dir, "zip", &["-q", "-0", "many.zip", "-r", "."]);
    good(&server.kladka(&["deploy", dir.join("many.zip").to_str().unwrap()]));
    assert_eq!(state(&server, "shop.s15"), "ok");
    let token = server.read("data/token");
    let path = server.root().join("outbox/too-much");
    std::fs::write(&path, vec![b'x'; 17 << 20]).unwrap();
    let refused = server.admin("/api/v1/kladka.service.deploy");
    let refused = refused.header(&format!("Authorization: Bearer {}", token.trim()));
    let refused = refused.args(&["--data-binary", &format!("@{}", path.display())]);
    let refused = refused.send();
    assert_eq!(refused.status, 413, "{}", refused.body);
    assert!(refused.body.contains("KL-H413"), "{}", refused.body);
}

#[test]
fn a_dropped_file_is_deployed_when_its_writer_is_done() {
    let server = shop();
    let pickup = server.root().join("pickup-dir");
    let text = service("one", "dropped slowly");
    let mut writer = std::fs::File::create(pickup.join("one.lua")).unwrap();
    let began = Instant::now();
    for chunk in text.as_bytes().chunks(16) {
        writer.write_all(chunk).unwrap();
        writer.flush().unwrap();
        // Together the chunks take longer than a file must rest.
        let pause = Instant::now();
        while pause.elapsed().as_millis() < 60 {
            assert_eq!(says(&server, "/one"), "first");
        }
    }
    assert!(
        began.elapsed().as_millis() > 400,
        "the writer was not slow: {:?}",
        began.elapsed()
    );
    drop(writer);
    eventually("the whole file is live", || {
        (says(&server, "/one") == "dropped slowly").then_some(())
    });
    eventually("the file was picked up", || {
        (!pickup.join("one.lua").exists()).then_some(())
    });
    assert_eq!(server.log().count("KL-S100"), 0, "half a file was loaded");
    assert_eq!(server.read("scripts/one.lua"), text);
    server.log().wait("Creating tar archive");
    server.log().wait("payload_name:[one.lua]");

    // Copied, in an archive, and again: each is a package with a number of its own.
    let copied = outbox(&server, &[("one.lua", service("one", "copied").as_bytes())]);
    run(
        &pickup,
        "cp",
        &[
            copied[0].to_str().unwrap(),
            pickup.join("one.lua").to_str().unwrap(),
        ],
    );
    eventually("the copy is live", || {
        (says(&server, "/one") == "copied").then_some(())
    });
    let dir = server.root().join("outbox");
    outbox(
        &server,
        &[("one.lua", service("one", "archived").as_bytes())],
    );
    run(&dir, "tar", &["-czf", "shop.tar.gz", "one.lua"]);
    run(&dir, "cp", &["shop.tar.gz", pickup.to_str().unwrap()]);
    eventually("the archive is live", || {
        (says(&server, "/one") == "archived").then_some(())
    });
    server.log().wait("payload_name:[shop.tar.gz]");
    let ids = packages(&server);
    assert!(
        ids.len() == 3 && ids.windows(2).all(|pair| pair[0] < pair[1]),
        "{ids:?}"
    );
}

#[test]
fn a_refused_drop_is_set_aside_with_its_reasons() {
    let server = shop();
    let pickup = server.root().join("pickup-dir");
    let bad = "return service {\n  name = \n}\n";
    let written = outbox(&server, &[("one.lua", bad.as_bytes())]);
    run(
        &pickup,
        "cp",
        &[written[0].to_str().unwrap(), pickup.to_str().unwrap()],
    );
    eventually("the file is set aside", || {
        pickup.join("one.lua.failed").exists().then_some(())
    });
    assert!(!pickup.join("one.lua").exists());
    assert_eq!(server.read("pickup-dir/one.lua.failed"), bad);
    let reasons = server.read("pickup-dir/one.lua.failed.txt");
    assert!(
        reasons.contains("KL-S100") && reasons.contains("scripts/one.lua:3:"),
        "{reasons}"
    );
    assert_eq!(says(&server, "/one"), "first");
    assert_eq!(state(&server, "shop.one"), "degraded");
    assert!(packages(&server).is_empty());

    let target = outbox(
        &server,
        &[("link.lua", service("one", "linked").as_bytes())],
    );
    std::os::unix::fs::symlink(&target[0], pickup.join("link.lua")).unwrap();
    let line = server.log().wait("Ignoring a file in pickup-dir.");
    assert!(line.contains("link.lua"), "{line}");
    assert_eq!(says(&server, "/one"), "first");
}

#[test]
fn revisions_are_on_record_and_come_back() {
    let server = shop();
    for says in ["second text", "third text"] {
        good(&deploy(
            &server,
            &[("one.lua", service("one", says).as_bytes())],
        ));
    }
    let history = server.kladka(&["service", "history", "shop.one", "--json"]);
    good(&history);
    let history: serde_json::Value = serde_json::from_str(&history.out).unwrap();
    let revisions: Vec<_> = history["revisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["revision"].as_u64().unwrap(), row["package"].as_u64()))
        .collect();
    assert_eq!(revisions, [(3, Some(2)), (2, Some(1)), (1, None)]);

    let back = server.kladka(&["service", "rollback", "shop.one"]);
    good(&back);
    assert!(back.out.contains("r3 → r4"), "{}", back.out);
    assert_eq!(says(&server, "/one"), "second text");
    good(&server.kladka(&["service", "rollback", "shop.one", "r1"]));
    assert_eq!(says(&server, "/one"), "first");
    assert_eq!(server.read("scripts/one.lua"), service("one", "first"));
    let unknown = server.kladka(&["service", "rollback", "shop.one", "r77"]);
    assert_eq!(unknown.code, 5, "{}", unknown.err);

    let backups: Vec<_> = std::fs::read_dir(server.root().join("data/backups"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(backups.len(), 4, "{backups:?}");
    let first = backups
        .iter()
        .find(|path| path.to_string_lossy().contains("/001-"))
        .unwrap();
    let dir = server.root().join("unpacked");
    std::fs::create_dir(&dir).unwrap();
    run(&dir, "tar", &["-xzf", first.to_str().unwrap()]);
    assert_eq!(
        server.read("unpacked/scripts/one.lua"),
        service("one", "first")
    );
}

#[test]
fn without_its_service_a_channel_answers_503_in_its_own_format() {
    let server = shop();
    let gone = |server: &TestServer| {
        for (path, media_type, mark) in [
            ("/one", "application/problem+json", "KL-S503"),
            ("/one.xml", "application/problem+xml", "KL-S503"),
            ("/one.soap", "text/xml", ":Fault>"),
        ] {
            let body = "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body/>\
                        </e:Envelope>";
            let call = server.curl(path).header("Content-Type: text/xml");
            let reply = match path {
                "/one.soap" => call.data(body).send(),
                _ => server.curl(path).send(),
            };
            assert_eq!(reply.status, 503, "{path}: {}", reply.body);
            let own = reply.header("content-type").unwrap_or_default();
            assert!(own.starts_with(media_type), "{path}: {own}");
            assert!(reply.body.contains(mark), "{path}: {}", reply.body);
            assert!(reply.header("retry-after").is_some(), "{path}");
        }
        assert_eq!(says(server, "/two"), "second");
    };
    std::fs::remove_file(server.root().join("scripts/one.lua")).unwrap();
    eventually("the service went with its file", || {
        (says(&server, "/one") == "503").then_some(())
    });
    gone(&server);
    server.write("scripts/one.lua", service("one", "recreated"));
    eventually("it is back", || {
        (says(&server, "/one") == "recreated").then_some(())
    });

    let deleted = server.kladka(&["service", "delete", "shop.one"]);
    good(&deleted);
    assert!(!server.root().join("scripts/one.lua").exists());
    gone(&server);
    good(&server.kladka(&["service", "rollback", "shop.one"]));
    assert_eq!(says(&server, "/one"), "recreated");
}

#[test]
fn temporary_files_of_editors_are_nobodys_service() {
    let server = shop();
    let names = [
        ".one.lua.swp",
        ".one.lua.swx",
        "one.lua~",
        "one.lua.tmp",
        "one.lua.bak",
        "one.lua.orig",
        "one.lua.part",
        "#one.lua#",
        ".#one.lua",
        "4913",
    ];
    for dir in ["scripts", "pickup-dir"] {
        for name in names {
            let path = server.root().join(dir).join(name);
            std::fs::write(path, service("one", "temporary") + "oops(").unwrap();
        }
    }
    // A good save after them: when it is live, they were seen as well.
    server.write("scripts/two.lua", service("two", "later"));
    eventually("the save is live", || {
        (says(&server, "/two") == "later").then_some(())
    });
    let reloaded = server.kladka(&["service", "reload", "--all", "--wait"]);
    good(&reloaded);
    assert_eq!(says(&server, "/one"), "first");
    assert_eq!(list(&server)["faults"].as_array().map(Vec::len), Some(0));
    for name in names {
        assert!(
            server.root().join("pickup-dir").join(name).exists(),
            "{name}"
        );
    }

    // As vim saves: the old file moves away, the new one is written in its place.
    let path = server.root().join("scripts/one.lua");
    std::fs::rename(&path, path.with_file_name("one.lua~")).unwrap();
    std::fs::write(&path, service("one", "by vim")).unwrap();
    eventually("the save of vim is live", || {
        let says = says(&server, "/one");
        assert_ne!(says, "503", "the service went meanwhile");
        (says == "by vim").then_some(())
    });
}

#[test]
fn a_bad_line_of_the_source_list_spoils_only_itself() {
    let server = shop();
    server.write("more/three.lua", service("three", "listed"));
    let invoke = |server: &TestServer| server.kladka(&["service", "invoke", "shop.three"]);
    assert_eq!(invoke(&server).code, 5);
    server.write(
        "config/service-sources.txt",
        "# more places\nmore/nothing.lua\nmore\n",
    );
    eventually("the listed place serves", || {
        (invoke(&server).code == 0).then_some(())
    });
    assert_eq!(invoke(&server).out.trim(), r#"{"says":"listed"}"#);
    let verbose = server.admin("/readyz?verbose").send();
    for wanted in ["KL-D105", "config/service-sources.txt:2"] {
        assert!(verbose.body.contains(wanted), "{wanted}: {}", verbose.body);
    }
    server.log().wait("config/service-sources.txt:2");

    server.write("config/service-sources.txt", "more\n");
    eventually("the list is read again", || {
        let ready = server.admin("/readyz?verbose").send();
        ready.body.contains("[ok] scripts").then_some(())
    });
    server.write("more/three.lua", service("three", "watched"));
    eventually("a listed place is watched", || {
        invoke(&server).out.contains("watched").then_some(())
    });
}

#[test]
fn every_save_goes_live_as_a_revision_of_its_own() {
    let server = shop();
    let revision = || {
        let shown = server.kladka(&["service", "show", "shop.one", "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
        shown["revision"].as_u64().unwrap()
    };
    let before = revision();
    let url = server.endpoint("services");
    let mut wire = crate::support::Wire::connect(&url).unwrap();
    for number in 0..11 {
        let word = format!("save {number}");
        server.write("scripts/one.lua", service("one", &word));
        eventually(&word, || {
            let (_, body) = wire.get("/one").unwrap();
            String::from_utf8(body)
                .unwrap()
                .contains(&word)
                .then_some(())
        });
    }
    assert_eq!(revision(), before + 11);
}
