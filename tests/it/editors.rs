//! What editors get to complete and check scripts: `kladka stubs`, and `dev` which keeps it fresh.

use std::process::Command as Process;

use crate::support::{TestServer, eventually, kladka};

/// A script with mistakes that an editor must see, and things that it must know.
const PROBE: &str = r#"local rates = require "linuxjournal.rates"

return service {
  name = "probe",
  input = { "year:int" },
  handle = function(ctx)
    local year = ctx.request.input.year
    local typo = ctx.request.input.yaer
    local answer = ctx.outgoing.http["treasury.gov"]:get { query = { year = year } }
    local wrong = ctx.outgoing.http["treasury.gv"]
    ctx.log:info("%s %s", answer.status, answer.statsu)
    ctx.kvdb:gett(rates.key(2013, 9, 3))
    ctx.log:info("%s %s", typo, wrong)
    local rate = ctx:invoke("linuxjournal.get-rate", { year = year })
    local updated = ctx:invoke("linuxjournal.update-cache")
    ctx.log:info("%s %s %s", rate.rate, rate.raet, updated)
  end,
}
"#;
const PROJECT: &str = ".kladka/types/project.lua";

#[test]
fn stubs_know_the_project_and_are_written_where_they_changed() {
    let project = TestServer::project("rates");
    let first = kladka(&project.root(), &["stubs"]);
    assert_eq!(first.code, 0, "{}", first.err);
    let known = project.read(PROJECT);
    for part in [
        "---@field [\"treasury.gov\"] kladka.outgoing.http",
        "---@class kladka.service.linuxjournal.get_rate.Input\n---@field year? integer",
        "name: \"linuxjournal.get-rate\"",
        "---@field invoke fun(self: kladka.Ctx, name: \"linuxjournal.get-rate\", payload?: \
         kladka.service.linuxjournal.get_rate.Input): kladka.service.linuxjournal.get_rate.Output",
    ] {
        assert!(known.contains(part), "{part}\n{known}");
    }
    let tests = project.read(".kladka/types/tests.lua");
    for part in [
        "function test(name, run) end",
        "---@field [\"treasury.gov\"] kladka.out.http",
        "---@param what function|kladka.ServiceName",
    ] {
        assert!(tests.contains(part), "{part}\n{tests}");
    }
    let rhai = project.read(".kladka/types/kladka.d.rhai");
    assert!(
        rhai.contains("fn get(this: kvdb, key: String) -> ?;"),
        "{rhai}"
    );
    // What the user wrote into the settings of the editor stays.
    project.write(".luarc.json", "{}\n");
    project.write("scripts/probe.lua", PROBE);
    let second = kladka(&project.root(), &["stubs"]);
    assert!(second.out.starts_with("2 files written"), "{}", second.out);
    assert_eq!(project.read(".luarc.json"), "{}\n");
    assert!(project.read(PROJECT).contains("kladka.service.probe.Ctx"));
}

#[test]
fn dev_keeps_the_stubs_fresh() {
    let server = TestServer::dev();
    let knows = |text: &str| {
        let path = server.root().join(PROJECT);
        let known = std::fs::read_to_string(path).unwrap_or_default();
        known.contains(text).then_some(())
    };
    eventually("the stubs at start", || knows("treasury.gov"));
    server.write("scripts/probe.lua", PROBE);
    eventually("the new service", || knows("kladka.service.probe.Ctx"));
    let objects = server
        .read("config/objects.yaml")
        .replace("treasury.gov", "treasury.com");
    let overlay = server
        .read("config/objects.dev.yaml")
        .replace("treasury.gov", "treasury.com");
    server.write("config/objects.dev.yaml", overlay);
    server.write("config/objects.yaml", objects);
    eventually("the new name", || knows("[\"treasury.com\"]"));
}

#[test]
#[ignore = "slow tier: needs emmylua_check, which tests/run --full installs"]
fn a_checker_of_lua_resolves_the_types_and_finds_the_mistakes() {
    let project = TestServer::project("rates");
    let check = || {
        assert_eq!(kladka(&project.root(), &["stubs"]).code, 0);
        let checked = Process::new("emmylua_check").arg(project.root()).output();
        let checked = checked.expect("emmylua_check is missing: cargo install emmylua_check");
        String::from_utf8(checked.stdout).unwrap()
    };
    // The scenario's own scripts use much of the API: no type is missing.
    let clean = check();
    assert!(clean.contains("No issues found"), "{clean}");
    project.write("scripts/probe.lua", PROBE);
    let found = check();
    for name in ["yaer", "treasury.gv", "statsu", "gett", "raet"] {
        let wanted = format!("Undefined field `{name}`");
        assert!(found.contains(&wanted), "{wanted}\n{found}");
    }
    assert!(found.contains("5 warnings"), "{found}");
}
