//! Deployments, roll-backs, deletions, history.

use std::sync::Arc;

use super::support::{Project, lines, messages, name, small};
use crate::base::Code;
use crate::deploy::Siblings;
use crate::deploy::apply::Change;
use crate::deploy::archive::tests::zip_of;
use crate::deploy::report::Outcome;
use crate::deploy::settled::Trust;

#[tokio::test]
async fn a_package_with_one_bad_file_changes_nothing() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    let before = project.registry.load();
    let zip = zip_of(&[
        ("a.mini", b"service a\ntext two"),
        ("b.mini", b"service b\nerror broken"),
    ]);
    let report = project.deploy(&[("p.zip", &zip)]).await;
    assert!(!report.applied);
    assert_eq!(
        messages(&report.faults),
        ["KL-S100 scripts/b.mini:2:1 broken"]
    );
    assert_eq!(project.problems(), ["KL-S100 scripts/b.mini:2:1 broken"]);
    assert!(Arc::ptr_eq(&before, &project.registry.load()));
    assert_eq!(
        project.text("scripts/a.mini").unwrap(),
        "service a\ntext one"
    );
    assert_eq!(project.text("scripts/b.mini"), None);
    assert!(project.store.packages().await.is_empty());
    assert!(!project.dir.join("data/backups").exists());

    let zip = zip_of(&[
        ("a.mini", b"service a\ntext two"),
        ("b.mini", b"service b\ntext good"),
    ]);
    let report = project.deploy(&[("p.zip", &zip)]).await;
    assert_eq!(lines(&report), ["a r1→r2 Ok", "b -→r1 Ok"]);
    assert!(project.problems().is_empty());
    project.end().await;
}

#[tokio::test]
async fn after_files_that_could_not_be_put_in_place_the_next_change_goes_on() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    project.write("scripts/a.mini", "service a\ntext two");
    let deployer = &project.deployer;
    {
        let mut state = deployer.state.lock().await;
        let scan = deployer.scan(Trust::Asked).await.unwrap();
        let owners = state.owners();
        let loading = deployer.loader.prepare(&state.image, scan.files, &owners);
        let prepared = loading.await;
        let change = Change {
            // It is not there, so that it cannot be removed.
            writes: vec![("scripts/missing.mini".to_owned(), None)],
            ..Change::default()
        };
        let failed = deployer.apply(&mut state, prepared, change).await;
        assert_eq!(failed.unwrap_err().code(), Code::Storage);
    }
    project.write("scripts/a.mini", "service a\ntext three");
    assert_eq!(lines(&project.reload().await), ["a r1→r3 Ok"]);
    project.end().await;
}

#[tokio::test]
async fn a_file_goes_over_the_one_that_defines_its_service() {
    let project = Project::new(&[("scripts/deep/a.mini", "service a\ntext one")]).await;
    let report = project
        .deploy(&[("other.mini", b"service a\ntext two")])
        .await;
    assert_eq!(lines(&report), ["a r1→r2 Ok"]);
    assert_eq!(
        project.text("scripts/deep/a.mini").unwrap(),
        "service a\ntext two"
    );
    assert_eq!(project.text("scripts/other.mini"), None);

    let report = project
        .deploy(&[("new/b.mini", b"service b\ntext b")])
        .await;
    assert_eq!(lines(&report), ["a r2→r2 Same", "b -→r1 Ok"]);
    assert!(project.text("scripts/new/b.mini").is_some());

    let both = b"service a\nservice b\ntext both";
    let report = project.deploy(&[("c.mini", both)]).await;
    assert_eq!(
        messages(&report.faults).len(),
        1,
        "it cannot go over two files"
    );
    assert_eq!(report.faults[0].code(), Code::DuplicateService);

    let report = project
        .deploy(&[
            ("x.mini", b"service a\ntext x"),
            ("y.mini", b"service a\ntext y"),
        ])
        .await;
    assert_eq!(
        messages(&report.faults),
        [
            "KL-D101 - 'x.mini' and 'y.mini' of the deployment would both replace 'scripts/deep/a.mini'"
        ]
    );
    assert_eq!(project.says("a"), "r2 two");
    project.end().await;
}

#[tokio::test]
async fn a_deployment_is_on_record_with_its_bytes_and_loaded_once() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    let bytes = b"service a\ntext two";
    let report = project.deploy(&[("a.mini", bytes)]).await;
    assert_eq!(report.package_id, Some(1));
    let again = project.deploy(&[("a.mini", bytes)]).await;
    assert_eq!((again.package_id, again.applied), (Some(2), true));
    assert_eq!(lines(&again), ["a r2→r2 Same"]);
    let packages = project.store.packages().await;
    assert_eq!(packages[0].name, "a.mini");
    assert_eq!(packages[0].sha256, crate::deploy::digest::sha256(bytes));
    assert_eq!(project.store.package_bytes(1).await.unwrap(), bytes);
    assert_eq!(project.deployer.list()[0].package, Some(1));

    let loads = project.loads("scripts/a.mini").len();
    let (unsettled, _) = project.deployer.saved().await.unwrap();
    assert!(!unsettled);
    assert_eq!(project.says("a"), "r2 two");
    assert_eq!(lines(&project.reload().await), ["a r2→r2 Same"]);
    assert_eq!(
        project.loads("scripts/a.mini").len(),
        loads,
        "own writes are not loaded again"
    );
    project.end().await;
}

#[tokio::test]
async fn every_reason_to_refuse_a_package_leaves_all_as_it_was() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    let traversal = zip_of(&[("../../evil.mini", b"service evil")]);
    let large = vec![b'#'; (256 << 10) + 1];
    let cases: &[(&str, &[u8], Code)] = &[
        ("p.zip", &traversal, Code::BadPackage),
        ("p.zip", b"rubbish", Code::BadPackage),
        ("p.exe", b"rubbish", Code::BadPackage),
        ("../x.mini", b"service x", Code::BadPackage),
        ("x.mini", b"", Code::BadSource),
        ("x.mini", b"\xff\xfe", Code::BadSource),
        ("x.mini", &large, Code::BadSource),
        ("x.mini", b"what is this", Code::ScriptCompile),
    ];
    for (name, bytes, code) in cases {
        let report = project.deploy(&[(name, bytes)]).await;
        assert!(!report.applied, "{name}");
        assert_eq!(report.faults[0].code(), *code, "{name}");
    }
    let files: Vec<_> = std::fs::read_dir(project.dir.join("scripts"))
        .unwrap()
        .collect();
    assert_eq!(files.len(), 1);
    assert_eq!(project.says("a"), "r1 one");
    project.end().await;
}

#[tokio::test]
async fn a_rollback_writes_the_old_text_back_as_a_new_revision() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    for text in ["two", "three"] {
        project.write("scripts/a.mini", &format!("service a\ntext {text}"));
        project.reload().await;
    }
    let back = |revision| project.deployer.rollback(name("a"), revision, "ana".into());
    assert_eq!(lines(&back(None).await.unwrap()), ["a r3→r4 Ok"]);
    assert_eq!(project.says("a"), "r4 two");
    assert_eq!(
        project.text("scripts/a.mini").unwrap(),
        "service a\ntext two"
    );
    assert_eq!(lines(&back(Some(1)).await.unwrap()), ["a r4→r5 Ok"]);
    assert_eq!(project.says("a"), "r5 one");
    assert_eq!(lines(&back(Some(1)).await.unwrap()), ["a r5→r5 Same"]);
    assert_eq!(
        back(Some(9)).await.unwrap_err().code(),
        Code::UnknownRevision
    );
    let history = project.deployer.history(&name("a")).await.unwrap();
    let seen: Vec<_> = history
        .iter()
        .map(|row| {
            (
                row.revision,
                row.author.as_str(),
                row.origin.as_str(),
                row.state.as_str(),
            )
        })
        .collect();
    assert_eq!(seen[0], (5, "ana", "rollback to r1", "live"));
    assert_eq!(seen[3], (2, "", "cli", "old"));
    project.end().await;
}

#[tokio::test]
async fn a_deleted_service_comes_back_by_a_rollback() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\nservice b\ntext one"),
        ("scripts/user.mini", "service user\nuse c"),
        ("scripts/c.mini", "service c\ntext used"),
    ])
    .await;
    let delete = |text, siblings| project.deployer.delete(name(text), siblings, String::new());
    let fault = delete("a", Siblings::Forbid).await.unwrap_err();
    assert_eq!(fault.message(), "'scripts/a.mini' also defines b");
    let report = delete("c", Siblings::Forbid).await.unwrap();
    assert!(!report.applied, "another service uses the file");
    assert!(project.text("scripts/c.mini").is_some());
    let report = delete("a", Siblings::GoToo).await.unwrap();
    assert_eq!(report.services[0].outcome, Outcome::Removed);
    assert_eq!(project.text("scripts/a.mini"), None);
    assert_eq!(
        delete("a", Siblings::GoToo).await.unwrap_err().code(),
        Code::UnknownService
    );
    project
        .deployer
        .rollback(name("a"), None, String::new())
        .await
        .unwrap();
    assert_eq!(project.says("a"), "r2 one");
    project.end().await;
}

#[tokio::test]
async fn only_files_in_scripts_are_changed() {
    let project = Project::new(&[
        ("config/service-sources.txt", "extra"),
        ("extra/a.mini", "service a\ntext one"),
    ])
    .await;
    let deleted = project
        .deployer
        .delete(name("a"), Siblings::GoToo, String::new());
    assert_eq!(deleted.await.unwrap_err().code(), Code::DeployFailed);
    let report = project.deploy(&[("b.mini", b"service a\ntext two")]).await;
    assert_eq!(report.faults[0].code(), Code::DuplicateService);
    assert!(
        report.faults[0]
            .message()
            .contains("'extra/a.mini' and in 'scripts/b.mini'")
    );
    project.end().await;
}

#[tokio::test]
async fn backups_and_history_are_rings() {
    let project = Project::with(&[], |options| options.limits = small()).await;
    for text in 1..=6 {
        let source = format!("service a\ntext {text}");
        assert!(
            project
                .deploy(&[("a.mini", source.as_bytes())])
                .await
                .applied
        );
    }
    let mut backups: Vec<String> = std::fs::read_dir(project.dir.join("data/backups"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    backups.sort();
    let numbers = backups.iter().map(|name| name.split('-').next().unwrap());
    let numbers: Vec<&str> = numbers.collect();
    assert_eq!(numbers, ["004", "005", "006"]);
    let history = project.deployer.history(&name("a")).await.unwrap();
    let revisions: Vec<u32> = history.iter().map(|row| row.revision).collect();
    assert_eq!(revisions, [6, 5, 4]);
    let packages = project.store.packages().await;
    assert_eq!(
        packages.iter().map(|row| row.id).collect::<Vec<_>>(),
        [6, 5, 4]
    );
    let project = project.restart().await;
    assert_eq!(project.says("a"), "r6 6");
    project.end().await;
}

/// Where log lines of a test go.
#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_deployment_logs_what_operators_look_for() {
    let project = Project::new(&[]).await;
    let lines = Lines::default();
    let written = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || written.clone())
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .with_max_level(tracing::Level::INFO)
        .finish();
    // With a single subscriber around, a thread without one could switch our log lines off for all.
    let second = tracing::Dispatch::new(tracing_subscriber::registry());
    let guard = tracing::subscriber::set_default(subscriber);
    project
        .deploy(&[("linuxjournal.mini", b"service a\ntext x")])
        .await;
    project.deploy(&[("b.mini", b"service b\nerror no")]).await;
    drop((guard, second));
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let has = |line: &str| text.lines().any(|seen| seen.trim() == line);
    assert!(has("INFO Creating tar archive"), "{text}");
    assert!(
        has("INFO Uploaded package id:[1], payload_name:[linuxjournal.mini]"),
        "{text}"
    );
    assert!(text.contains("ERROR Script could not be loaded."), "{text}");
    assert!(
        text.contains(r"error[KL-S100]: no\n  --> scripts/b.mini:2:1"),
        "{text}"
    );
    project.end().await;
}

#[tokio::test]
async fn a_deployment_that_cannot_be_recorded_changes_nothing() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    project.store.close().await;
    let items = vec![("a.mini".to_owned(), b"service a\ntext two".to_vec())];
    let failed = project
        .deployer
        .deploy(items, crate::deploy::Origin::way("api"))
        .await;
    assert_eq!(failed.unwrap_err().code(), Code::Storage);
    assert_eq!(project.says("a"), "r1 one");
    assert_eq!(
        project.text("scripts/a.mini").unwrap(),
        "service a\ntext one"
    );
    let left: Vec<_> = std::fs::read_dir(project.dir.join("scripts"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "no temporary file is left");
    project.end().await;
}

#[tokio::test]
async fn a_full_disk_refuses_a_package_and_changes_nothing() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    project.store.fill().await;
    let large = format!("service b\ntext {}", "b".repeat(200_000));
    let items: [(&str, &[u8]); 2] = [
        ("a.mini", b"service a\ntext two"),
        ("b.mini", large.as_bytes()),
    ];
    let fault = project.try_deploy(&items).await.unwrap_err();
    assert_eq!(fault.code(), Code::Storage);
    assert_eq!(fault.message(), "cannot record the deployment");
    assert!(fault.detail_text().unwrap().contains("full"), "{fault:?}");
    assert_eq!(project.says("a"), "r1 one");
    let left = std::fs::read_dir(project.dir.join("scripts")).unwrap();
    assert_eq!(left.count(), 1);
    let project = project.restart().await;
    assert_eq!(
        (project.says("a"), project.says("b")),
        ("r1 one".into(), "gone".into())
    );
    assert!(
        project.deploy(&items).await.applied,
        "after there is room again"
    );
    project.end().await;
}

#[tokio::test]
async fn a_service_shows_its_text_neighbours_and_history() {
    let project = Project::new(&[("scripts/a.mini", "service a\nservice b\nuse greeting")]).await;
    let shown = project.deployer.show(&name("b")).await.unwrap();
    assert_eq!(shown.text, "service a\nservice b\nuse greeting");
    assert_eq!((shown.line, shown.siblings), (2, vec![name("a")]));
    assert_eq!(shown.service.uses, ["stdlib/greeting.mini"]);
    assert_eq!((shown.doc.as_str(), shown.history.len()), ("shipped", 1));
    let json = serde_json::to_value(&shown.service).unwrap();
    assert_eq!(json["state"], "ok");
    let unknown = project.deployer.show(&name("x")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::UnknownService);
    project.end().await;
}
