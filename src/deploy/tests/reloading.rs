//! A reload is a transaction.

use std::sync::Arc;

use super::support::{Project, lines, messages, name, outcomes};
use crate::contract::Services as _;
use crate::deploy::report::{Origin, Outcome, State, Which};

#[tokio::test]
async fn one_bad_file_of_a_change_keeps_all_of_it_out() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\ntext one"),
        ("scripts/b.mini", "service b\ntext one"),
    ])
    .await;
    let before = project.registry.load();
    project.write("scripts/a.mini", "service a\ntext two");
    project.write("scripts/b.mini", "service b\nerror one\nerror two");
    project.write("scripts/c.mini", "service c\nuse nothing");
    let report = project.reload().await;
    assert!(!report.applied);
    assert_eq!(lines(&report), ["a r1→r1 Same", "b r1→r1 Failed"]);
    let expected = [
        "KL-S100 scripts/b.mini:2:1 one",
        "KL-S100 scripts/b.mini:3:1 two",
        "KL-S103 scripts/c.mini:2:1 no such module",
    ];
    assert_eq!(messages(&report.faults), expected);
    assert_eq!(project.problems(), expected);
    assert!(
        Arc::ptr_eq(&before, &project.registry.load()),
        "nothing was swapped"
    );
    let list = project.deployer.list();
    let states: Vec<_> = list.iter().map(|info| info.state).collect();
    assert_eq!(states, [State::Ok, State::Degraded]);
    assert!(list[1].faults[0].block().contains("2 | error one"));

    project.write("scripts/b.mini", "service b\ntext two");
    project.remove("scripts/c.mini");
    let report = project.reload().await;
    assert_eq!(lines(&report), ["a r1→r2 Ok", "b r1→r2 Ok"]);
    assert!(project.problems().is_empty());
    project.end().await;
}

#[tokio::test]
async fn editing_a_module_swaps_all_its_users_in_one_swap() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\nuse lib.m"),
        ("scripts/b.mini", "service b\nuse lib.n"),
        ("scripts/lib/n.mini", "use lib.m"),
        ("scripts/lib/m.mini", "text 0"),
        ("scripts/c.mini", "service c\ntext own"),
    ])
    .await;
    let swaps = project.swaps();
    let entry = |name: &str| project.registry.load().find(name).unwrap();
    let untouched = entry("c");
    project.write("scripts/lib/m.mini", "text 1");
    let report = project.reload().await;
    assert_eq!(lines(&report), ["a r1→r2 Ok", "b r1→r2 Ok", "c r1→r1 Same"]);
    assert_eq!(project.swaps(), swaps + 1);
    assert!(
        Arc::ptr_eq(&untouched, &entry("c")),
        "its instances on the cores live on"
    );
    assert_eq!(project.loads("scripts/c.mini").len(), 1);
    project.end().await;
}

#[tokio::test]
async fn no_reader_ever_sees_half_a_change() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\nuse m"),
        ("scripts/b.mini", "service b\nuse m"),
        ("scripts/m.mini", "text 0"),
    ])
    .await;
    let registry = Arc::clone(&project.registry);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let reader = std::thread::spawn(move || {
        let mut looks = 0_u64;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let now = registry.load();
            let says = |name| now.find(name).unwrap().service.declaration().doc.clone();
            assert_eq!(says("a"), says("b"));
            looks += 1;
        }
        looks
    });
    for text in 1..=100 {
        project.write("scripts/m.mini", &format!("text {text}"));
        assert!(project.reload().await.applied);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(reader.join().unwrap() > 100);
    assert_eq!(project.says("a"), "r101 100");
    project.end().await;
}

#[tokio::test]
async fn a_module_that_breaks_its_user_is_refused_and_both_are_named() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\nuse m"),
        ("scripts/m.mini", "text one"),
    ])
    .await;
    project.write("scripts/m.mini", "error no");
    let report = project.reload().await;
    assert_eq!(outcomes(&report), [Outcome::Failed]);
    assert_eq!(project.says("a"), "r1 one");
    project.remove("scripts/m.mini");
    let report = project.reload().await;
    assert_eq!(
        messages(&report.faults),
        ["KL-S103 scripts/a.mini:2:1 no such module"]
    );
    project.write("scripts/m.mini", "text one");
    let report = project.reload().await;
    assert_eq!(outcomes(&report), [Outcome::Same]);
    assert!(project.problems().is_empty());
    project.end().await;
}

#[tokio::test]
async fn a_name_in_two_files_names_both() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    project.write("scripts/b.mini", "# more\nservice a\ntext two");
    let report = project.reload().await;
    assert_eq!(
        messages(&report.faults),
        ["KL-D101 scripts/b.mini:2:1 \
         service 'a' is defined in 'scripts/a.mini' and in 'scripts/b.mini'"]
    );
    assert_eq!(project.says("a"), "r1 one");
    project.remove("scripts/a.mini");
    let report = project.reload().await;
    assert_eq!(lines(&report), ["a r1→r2 Ok"]);
    project.end().await;
}

#[tokio::test]
async fn a_deleted_file_takes_its_services_along() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\nservice a.more\ntext one"),
        ("scripts/b.mini", "service b\ntext one"),
    ])
    .await;
    project.remove("scripts/a.mini");
    let report = project.reload().await;
    assert_eq!(
        lines(&report),
        ["a r1→- Removed", "a.more r1→- Removed", "b r1→r1 Same"]
    );
    assert_eq!(project.says("a"), "gone");
    project.write("scripts/a.mini", "service a\ntext one");
    assert_eq!(
        lines(&project.reload().await),
        ["a -→r2 Ok", "b r1→r1 Same"]
    );
    project.end().await;
}

#[tokio::test]
async fn an_emptied_file_keeps_its_services_and_a_new_empty_one_is_no_fault() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    project.write("scripts/a.mini", "");
    project.write("scripts/new.mini", "");
    let report = project.reload().await;
    assert_eq!(
        messages(&report.faults),
        ["KL-D103 scripts/a.mini source 'scripts/a.mini' is empty"]
    );
    assert_eq!(project.says("a"), "r1 one");
    project.end().await;
}

#[tokio::test]
async fn sources_that_are_too_large_or_no_text_are_refused() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    std::fs::write(project.dir.join("scripts/b.mini"), b"service b\ntext \xff").unwrap();
    project.write("scripts/c.mini", &"#".repeat((256 << 10) + 1));
    let report = project.reload().await;
    let codes: Vec<_> = report
        .faults
        .iter()
        .map(|fault| fault.code().as_str())
        .collect();
    assert_eq!(codes, ["KL-D103", "KL-D103"]);
    assert_eq!(
        report.faults[0].place().unwrap().to_string(),
        "scripts/b.mini:2"
    );
    assert!(project.loads("scripts/c.mini").is_empty());
    project.end().await;
}

#[tokio::test]
async fn only_what_was_asked_for_is_reloaded() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\nuse m\ntext one"),
        ("scripts/b.mini", "service b\ntext one"),
        ("scripts/m.mini", "text m1"),
    ])
    .await;
    project.write("scripts/m.mini", "text m2");
    project.write("scripts/b.mini", "service b\nerror broken");
    let some = |names: &[&str]| Which::Names(names.iter().map(|text| name(text)).collect());
    let reload = |which| project.deployer.reload(which, Origin::way("cli"));
    let report = reload(some(&["a"])).await.unwrap();
    assert_eq!(lines(&report), ["a r1→r2 Ok", "b r1→r1 Same"]);
    let report = reload(some(&["b"])).await.unwrap();
    assert_eq!(lines(&report), ["a r2→r2 Same", "b r1→r1 Failed"]);
    assert_eq!(messages(&report.faults).len(), 1, "its own fault");
    let report = reload(some(&["a"])).await.unwrap();
    assert!(report.applied);
    assert_eq!(
        messages(&report.faults),
        Vec::<String>::new(),
        "b is no affair of a"
    );
    let report = reload(some(&["aa"])).await.unwrap();
    assert!(
        messages(&report.faults).contains(&"KL-S404 - there is no service named 'aa'".to_owned())
    );
    project.end().await;
}

#[tokio::test]
async fn a_service_that_another_one_keeps_back_says_so() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\nuse m\ntext one"),
        ("scripts/b.mini", "service b\nuse m\ntext one"),
        ("scripts/m.mini", "text m1"),
        ("scripts/z.mini", "service z"),
    ])
    .await;
    project.write("scripts/z.mini", "service z\nerror of its own");
    project.write("scripts/m.mini", "error of the module");
    let which = Which::Names(vec![name("a")]);
    let report = project.deployer.reload(which, Origin::way("cli"));
    let report = report.await.unwrap();
    assert!(!report.applied);
    let told = messages(&report.faults).join("\n");
    assert!(told.contains("of the module"), "{told}");
    assert!(!told.contains("of its own"), "{told}");
    project.end().await;
}

#[tokio::test]
async fn an_edit_beside_an_older_broken_file_is_a_change_of_its_own() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\ntext one"),
        ("scripts/b.mini", "service b\ntext one"),
        ("scripts/c.mini", "service c\ntext one"),
    ])
    .await;
    project.write("scripts/a.mini", "service a\nerror broken");
    project.write("scripts/b.mini", "service b\ntext two");
    assert!(!project.reload().await.applied);
    // c has nothing to do with the change that failed.
    project.write("scripts/c.mini", "service c\ntext two");
    let report = project.reload().await;
    assert!(report.applied);
    assert_eq!(
        lines(&report),
        ["a r1→r1 Failed", "b r1→r1 Same", "c r1→r2 Ok"]
    );
    // b failed together with a: it never goes live alone.
    project.write("scripts/b.mini", "service b\ntext three");
    let report = project.reload().await;
    assert!(!report.applied);
    assert_eq!(project.says("b"), "r1 one");
    project.write("scripts/a.mini", "service a\ntext two");
    let report = project.reload().await;
    assert_eq!(lines(&report), ["a r1→r2 Ok", "b r1→r2 Ok", "c r2→r2 Same"]);
    assert!(project.problems().is_empty());
    project.end().await;
}

#[tokio::test]
async fn reloads_at_the_same_moment_load_each_text_once() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    project.write("scripts/a.mini", "service a\ntext two");
    let reloads = (0..8).map(|_| project.reload());
    let reports = futures_util::future::join_all(reloads).await;
    let changed = reports
        .iter()
        .filter(|report| outcomes(report) == [Outcome::Ok]);
    assert_eq!(changed.count(), 1);
    assert_eq!(project.loads("scripts/a.mini").len(), 2);
    project.end().await;
}

#[tokio::test]
async fn a_reload_whose_caller_went_away_is_done_all_the_same() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    project.write("scripts/a.mini", "service a\ntext two");
    let mut reload = Box::pin(project.deployer.reload(Which::All, Origin::way("cli")));
    assert!(futures_util::poll!(&mut reload).is_pending());
    drop(reload);
    project
        .until("the reload ends", |project| project.says("a") == "r2 two")
        .await;
    project.end().await;
}

#[tokio::test]
async fn a_change_that_cannot_be_recorded_is_told_and_tried_again() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    project.store.close().await;
    project.write("scripts/a.mini", "service a\ntext two");
    let reload = || project.deployer.reload(Which::All, Origin::way("cli"));
    let fault = reload().await.unwrap_err();
    assert_eq!(fault.code().as_str(), "KL-X100");
    assert_eq!(
        project.problems(),
        ["KL-X100 - cannot record the deployment"]
    );
    assert_eq!(project.says("a"), "r1 one");
    assert!(reload().await.is_err(), "it is not forgotten");
    project.write("scripts/a.mini", "service a\ntext one");
    assert!(reload().await.unwrap().applied);
    assert!(project.problems().is_empty());
    project.end().await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_removes_nothing() {
    let project = Project::new(&[("scripts/sub/a.mini", "service a\ntext one")]).await;
    let scripts = project.dir.join("scripts");
    std::fs::rename(scripts.join("sub"), project.dir.join("data/sub")).unwrap();
    std::fs::remove_dir(&scripts).unwrap();
    std::fs::write(&scripts, "not a directory").unwrap();
    let reload = || project.deployer.reload(Which::All, Origin::way("cli"));
    assert_eq!(
        reload().await.unwrap_err().message(),
        "cannot read directory 'scripts'"
    );
    assert_eq!(project.says("a"), "r1 one");
    std::fs::remove_file(&scripts).unwrap();
    std::fs::create_dir(&scripts).unwrap();
    std::fs::rename(project.dir.join("data/sub"), scripts.join("sub")).unwrap();
    assert!(reload().await.unwrap().applied);
    assert!(project.problems().is_empty());
    project.end().await;
}
