//! Start-up: every file for itself.

use super::support::{Project, lines, messages};
use crate::deploy::archive::tests::zip_of;

#[tokio::test]
async fn a_broken_file_keeps_no_other_from_serving() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\ntext one"),
        ("scripts/b.mini", "service b\nerror broken"),
        ("scripts/c.mini", "service c\nuse gone"),
    ])
    .await;
    assert_eq!(project.says("a"), "r1 one");
    assert_eq!(project.says("b"), "gone");
    assert_eq!(
        project.problems(),
        [
            "KL-S100 scripts/b.mini:2:1 broken",
            "KL-S103 scripts/c.mini:2:1 no such module"
        ]
    );
    project.write("scripts/b.mini", "service b\ntext fixed");
    let report = project.reload().await;
    assert_eq!(lines(&report), ["a r1→r1 Same", "b -→r1 Ok"]);
    assert_eq!(
        messages(&report.faults),
        ["KL-S103 scripts/c.mini:2:1 no such module"]
    );
    project.write("scripts/c.mini", "service c\ntext fixed");
    project.reload().await;
    assert_eq!(project.says("c"), "r1 fixed");
    assert!(project.problems().is_empty());
    project.end().await;
}

#[tokio::test]
async fn a_file_broken_while_the_server_was_down_serves_its_last_good_text() {
    let project = Project::new(&[
        ("scripts/a.mini", "service a\nuse m\ntext one"),
        ("scripts/m.mini", "text module"),
    ])
    .await;
    project.write("scripts/a.mini", "service a\nuse m\ntext two");
    project.reload().await;
    assert_eq!(project.says("a"), "r2 module two");
    project.write("scripts/a.mini", "service a\nerror half");
    project.write("scripts/m.mini", "error half as well");
    project.write("scripts/new.mini", "service new\ntext new");

    let project = project.restart().await;
    assert_eq!(project.says("a"), "r2 module two");
    assert_eq!(project.says("new"), "r1 new");
    assert_eq!(
        project.problems(),
        [
            "KL-S100 scripts/a.mini:2:1 half",
            "KL-S100 scripts/m.mini:1:1 half as well"
        ]
    );
    let started = project.swaps.lock().unwrap()[0].clone();
    assert_eq!(lines(&started), ["a -→r2 Ok", "new -→r1 Ok"]);
    assert_eq!(
        project.text("scripts/a.mini").unwrap(),
        "service a\nerror half"
    );

    project.write("scripts/m.mini", "text better");
    project.write("scripts/a.mini", "service a\nuse m\ntext three");
    let report = project.reload().await;
    assert_eq!(lines(&report), ["a r2→r3 Ok", "new r1→r1 Same"]);
    project.end().await;
}

#[tokio::test]
async fn revisions_go_on_where_they_were_after_a_restart() {
    let project = Project::new(&[("scripts/a.mini", "service a\ntext one")]).await;
    project.write("scripts/a.mini", "service a\ntext two");
    project.reload().await;
    let project = project.restart().await;
    assert_eq!(project.says("a"), "r2 two");
    project.write("scripts/a.mini", "service a\ntext three");
    let project = project.restart().await;
    assert_eq!(project.says("a"), "r3 three");
    assert_eq!(project.store.revisions("a").await.unwrap().len(), 3);
    project.end().await;
}

#[tokio::test]
async fn of_two_files_with_one_name_the_one_on_record_serves() {
    let project = Project::new(&[("scripts/z.mini", "service a\ntext first")]).await;
    project.write("scripts/b.mini", "service a\ntext second");
    let project = project.restart().await;
    assert_eq!(project.says("a"), "r1 first");
    let problems = project.problems();
    assert_eq!(
        problems,
        ["KL-D101 scripts/b.mini:1:1 \
         service 'a' is defined in 'scripts/z.mini' and in 'scripts/b.mini'"]
    );
    project.end().await;
}

#[tokio::test]
async fn listed_places_load_and_a_bad_line_stops_no_other() {
    let project = Project::new(&[
        (
            "config/service-sources.txt",
            "extra/lone.mini\nnowhere\nmore  # all of it\npacked.tar\nlib.tool\n",
        ),
        ("extra/lone.mini", "service lone\nuse tool\ntext x"),
        ("more/sub/one.mini", "service one\nuse sub.two\ntext x"),
        ("more/sub/two.mini", "text two"),
        ("lib/tool.mini", "text tool"),
        ("packed.tar", "not an archive"),
        (
            "scripts/plain.mini",
            "service plain\nuse lib.tool\nuse greeting\nuse deep.er",
        ),
    ])
    .await;
    assert_eq!(project.says("one"), "r1 two x");
    assert_eq!(project.says("plain"), "r1 tool shipped deeper");
    let problems = project.problems();
    assert!(
        problems[0].starts_with("KL-D105 config/service-sources.txt:2:1 'nowhere'"),
        "{problems:?}"
    );
    assert!(
        problems[1].starts_with("KL-D105 config/service-sources.txt:4:1"),
        "{problems:?}"
    );
    assert_eq!(problems[2], "KL-S103 extra/lone.mini:2:1 no such module");
    project.write("config/service-sources.txt", "more\n");
    let report = project.reload().await;
    assert_eq!(project.says("one"), "r1 two x");
    assert_eq!(
        messages(&report.faults),
        ["KL-S103 scripts/plain.mini:2:1 no such module"]
    );
    project.end().await;
}

#[tokio::test]
async fn a_file_on_disk_overrides_a_shipped_module() {
    let project = Project::new(&[("scripts/a.mini", "service a\nuse greeting")]).await;
    assert_eq!(project.says("a"), "r1 shipped");
    assert!(
        project.loads("stdlib/greeting.mini").is_empty(),
        "shipped modules load when used"
    );
    project.write("stdlib/greeting.mini", "text ours");
    project.reload().await;
    assert_eq!(project.says("a"), "r2 ours");
    project.write("scripts/greeting.mini", "text closest");
    project.reload().await;
    assert_eq!(project.says("a"), "r3 closest");
    project.remove("scripts/greeting.mini");
    project.remove("stdlib/greeting.mini");
    project.reload().await;
    assert_eq!(project.says("a"), "r4 shipped");
    project.end().await;
}

#[tokio::test]
async fn a_listed_archive_serves_its_last_good_content() {
    let project = Project::new(&[("config/service-sources.txt", "pack.zip\n")]).await;
    assert_eq!(project.problems().len(), 1, "it is not there yet");
    let pack = project.dir.join("pack.zip");
    let zip = |text: &str| {
        let one = format!("service one\nuse two\ntext {text}");
        zip_of(&[("one.mini", one.as_bytes()), ("two.mini", b"text two")])
    };
    std::fs::write(&pack, zip("a")).unwrap();
    project.reload().await;
    assert_eq!(project.says("one"), "r1 two a");
    std::fs::write(&pack, "broken").unwrap();
    let report = project.reload().await;
    assert_eq!(project.says("one"), "r1 two a");
    assert!(messages(&report.faults)[0].starts_with("KL-D105 config/service-sources.txt:1"));
    std::fs::write(&pack, zip("b")).unwrap();
    project.reload().await;
    assert_eq!(project.says("one"), "r2 two b");
    assert_eq!(project.deployer.list()[0].path, "pack.zip/one.mini");
    project.end().await;
}

#[tokio::test]
async fn a_place_listed_by_another_name_is_loaded_by_that_name() {
    let project = Project::new(&[
        ("config/service-sources.txt", "lib/deep\n"),
        ("lib/deep/tool.mini", "text tool"),
        ("scripts/a.mini", "service a\nuse tool"),
    ])
    .await;
    assert_eq!(project.says("a"), "r1 tool");
    project.write("config/service-sources.txt", "lib.deep\n");
    project.write("scripts/a.mini", "service a\nuse lib.deep.tool");
    assert!(project.reload().await.applied);
    assert_eq!(project.says("a"), "r2 tool");
    project.end().await;
}
