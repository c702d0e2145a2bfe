//! The files of a project together: base, folder, overlay, and the repository's own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::kinds::{Fixed, KINDS};
use crate::base::Fault;
use crate::enmasse::wanted::WantedSet;
use crate::enmasse::{Against, Files, load, refuse_demo};

/// A project directory that goes away with the test.
struct Project(PathBuf);

impl Project {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let name = format!("kladka-enmasse-{}", uuid::Uuid::now_v7().simple());
        let root = std::env::temp_dir().join(name);
        for (path, content) in files {
            let full = root.join(path);
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::fs::write(full, content).unwrap();
        }
        Self(root)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn read(project: &Path, overlay: Option<&str>) -> Result<(WantedSet, Vec<Fault>), Vec<Fault>> {
    let variables = Fixed(HashMap::from([("K", "k")]));
    let against = Against {
        kinds: KINDS,
        variables: &variables,
        stored: &[],
    };
    let files = Files::read(project, overlay).map_err(|faults| faults.0)?;
    load(&files, &against).map_err(|faults| faults.0)
}

fn body<'a>(set: &'a WantedSet, id: &str) -> &'a Value {
    let found = set
        .objects
        .iter()
        .find(|wanted| wanted.id.to_string() == id);
    &found.unwrap().body
}

#[test]
fn the_reference_scenario_reads_without_a_fault_and_names_its_sources() {
    let (set, warnings) = read(Path::new("."), None).unwrap();
    let ids: Vec<_> = set
        .objects
        .iter()
        .map(|wanted| wanted.id.to_string())
        .collect();
    assert_eq!(
        ids,
        [
            "security.api_key client1.apikey",
            "security.basic client2.basic",
            "security.wss client3.wss",
            "outgoing.http treasury.gov",
            "channel.http client1.get-rate",
            "channel.http client2.get-rate",
            "channel.http client3.get-rate",
            "channel.http client1.rhai.get-rate",
            "channel.http client2.rhai.get-rate",
            "channel.http client3.rhai.get-rate",
            "job refresh-rates",
        ]
    );
    assert_eq!(set.project.as_deref(), Some("rates"));
    let unset: Vec<_> = warnings.iter().map(Fault::message).collect();
    assert_eq!(unset.len(), 3, "one for each credential: {unset:?}");
    assert!(unset[0].contains("KLADKA_CLIENT1_KEY"));
    for wanted in &set.objects {
        let (path, line) = wanted.source.split_once(':').unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let line = text
            .lines()
            .nth(line.parse::<usize>().unwrap() - 1)
            .unwrap();
        assert!(
            line.ends_with(&format!("name: {}", wanted.id.name)),
            "{line}"
        );
    }
}

#[test]
fn the_dev_overlay_brings_the_demo_and_start_refuses_it() {
    let (set, warnings) = read(Path::new("."), Some("dev")).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(
        set.objects.len(),
        11,
        "the overlay adds no object of its own"
    );
    let wss = body(&set, "security.wss client3.wss");
    assert_eq!(wss["passwords"], json!(["digest", "text"]));
    assert_eq!(wss["allow_plain"], json!(true));
    assert_eq!(
        wss["username"],
        json!("client3"),
        "what the overlay does not name stays"
    );
    assert_eq!(
        body(&set, "outgoing.http treasury.gov")["url"],
        json!("${dev.partner}")
    );
    assert_eq!(
        body(&set, "job refresh-rates")["payload"],
        json!({"year": 2013, "month": 9})
    );

    let refused: Vec<_> = set
        .objects
        .iter()
        .filter_map(|wanted| {
            let kind = KINDS
                .iter()
                .find(|kind| kind.name() == wanted.id.kind)
                .unwrap();
            refuse_demo(&wanted.id, &wanted.body, *kind)
        })
        .map(|fault| fault.to_string())
        .collect();
    assert_eq!(
        refused,
        [
            "KL-C210: security.api_key client1.apikey: 'key' is a credential of the demo",
            "KL-C210: security.basic client2.basic: 'password' is a credential of the demo",
            "KL-C210: security.wss client3.wss: 'password' is a credential of the demo",
        ]
    );
}

#[test]
fn files_of_the_folder_join_in_order_and_a_name_may_stand_in_one_only() {
    let project = Project::new(&[
        ("config/objects.yaml", b"version: 1\njobs: [{ name: a, service: x, every: 1h }]\n"),
        ("config/objects.d/20-b.yaml", b"jobs:\n  - { name: c, service: x, every: 1h }\n"),
        (
            "config/objects.d/10-a.json",
            b"{\n\t\"jobs\": [\n\t\t{ \"name\": \"b\", \"service\": \"x\", \"every\": \"1h\",\n\t\t  \"payload\": \"\\u00e9\\n\" }\n\t]\n}\n",
        ),
        ("config/objects.d/README.md", b"not an object"),
        ("config/objects.d/.swp.yaml", b"{{{"),
    ]);
    let (set, _) = read(&project.0, None).unwrap();
    let sources: Vec<_> = set
        .objects
        .iter()
        .map(|wanted| (wanted.id.name.as_str(), wanted.source.as_str()))
        .collect();
    assert_eq!(
        sources,
        [
            ("a", "config/objects.yaml:2"),
            ("b", "config/objects.d/10-a.json:3"),
            ("c", "config/objects.d/20-b.yaml:2"),
        ]
    );
    assert_eq!(body(&set, "job b")["payload"], json!("é\n"));

    std::fs::write(
        project.0.join("config/objects.d/30.yaml"),
        "jobs:\n  - { name: a, service: y, every: 1h }\n",
    )
    .unwrap();
    let faults = read(&project.0, None).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(
        faults[0].message(),
        "job 'a' is defined twice: first at config/objects.yaml:2:16"
    );
    assert_eq!(
        faults[0].place().unwrap().to_string(),
        "config/objects.d/30.yaml:2:13"
    );
}

#[test]
fn json_of_other_programs_is_read_with_all_its_escapes() {
    let text = br#"{"jobs": [{"name": "a", "service": "x", "every": "1h", "payload":
        {"a": "\ud83d\ude00 \/ \\ud83d \u00e9 \"", "a\u0062": 1e2, "t":	true}}]}"#;
    let project = Project::new(&[("config/objects.json", text)]);
    let (set, _) = read(&project.0, None).unwrap();
    let own: Value = serde_json::from_slice(text).unwrap();
    assert_eq!(body(&set, "job a")["payload"], own["jobs"][0]["payload"]);
    assert_eq!(
        body(&set, "job a")["payload"]["a"],
        json!("😀 / \\ud83d é \"")
    );
}

#[test]
fn a_fault_in_an_overlay_points_into_the_overlay() {
    let project = Project::new(&[
        (
            "config/objects.yaml",
            b"jobs:\n  - { name: a, service: x, every: 1h }\n",
        ),
        (
            "config/objects.dev.yaml",
            b"jobs:\n  - { name: a, every: often }\n",
        ),
    ]);
    let faults = read(&project.0, Some("dev")).unwrap_err();
    assert_eq!(
        faults[0].block(),
        "error[KL-C106]: job a: 'every' must be a duration, not 'often'\n  \
         --> config/objects.dev.yaml:2:23\n  |\n2 |   - { name: a, every: often }\n  |                       ^^^^^\n   \
         = help: Write 250ms, 30s, 5m, 1h or 2d."
    );
}

#[test]
fn a_project_without_files_has_no_objects_and_broken_files_are_all_named() {
    let empty = Project::new(&[("README.md", b"")]);
    assert!(read(&empty.0, Some("dev")).unwrap().0.objects.is_empty());

    let broken = Project::new(&[
        ("config/objects.yaml", b"jobs: [\n"),
        ("config/objects.d/a.yaml", b"x: {\n"),
        ("config/objects.dev.yaml", b"jobs: &a []\n"),
    ]);
    let faults = read(&broken.0, Some("dev")).unwrap_err();
    let places: Vec<_> = faults
        .iter()
        .map(|fault| fault.place().unwrap().path.to_string())
        .collect();
    assert_eq!(
        places,
        [
            "config/objects.yaml",
            "config/objects.d/a.yaml",
            "config/objects.dev.yaml"
        ]
    );

    let latin = Project::new(&[("config/objects.yaml", b"version: 1\nproject: caf\xe9\n")]);
    let faults = read(&latin.0, None).unwrap_err();
    assert_eq!(
        faults[0].place().unwrap().to_string(),
        "config/objects.yaml:2"
    );
}
