//! Start-up: every file for itself.

use super::support::{Project, lines, messages};
use crate::base::Code;
use crate::deploy::archive::tests::zip_of;
use crate::deploy::digest::sha256;
use crate::store::{FileWrite, Keep, Recording};

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

/// Records a deployment as it is before its first rename; the caller then kills it somewhere.
async fn commit(project: &Project, files: &[(&str, Option<&str>, Option<&str>)]) {
    let write = |(path, old, new): &(&str, Option<&str>, Option<&str>)| FileWrite {
        path: (*path).to_owned(),
        old_sha256: old.map(|old| sha256(old.as_bytes())),
        bytes: new.map(|new| new.as_bytes().to_vec()),
    };
    let recording = Recording {
        writes: files.iter().map(write).collect(),
        ..Recording::default()
    };
    let keep = Keep {
        revisions: 9,
        packages: 9,
    };
    project.store.record(&recording, keep).await.unwrap();
}

const OLD_A: &str = "service a\ntext one";
const OLD_B: &str = "service b\ntext one";
const OLD_C: &str = "service c\ntext one";
const NEW_A: &str = "service a\ntext two";
const NEW_B: &str = "service b\ntext two";
const NEW_D: &str = "service d\ntext two";

/// A project of three files, and a deployment that changes one, changes one in a folder, removes
/// one and adds one in a new folder.
async fn committed() -> Project {
    let project = Project::new(&[
        ("scripts/a.mini", OLD_A),
        ("scripts/sub/b.mini", OLD_B),
        ("scripts/c.mini", OLD_C),
    ])
    .await;
    let files = [
        ("scripts/a.mini", Some(OLD_A), Some(NEW_A)),
        ("scripts/c.mini", Some(OLD_C), None),
        ("scripts/new/d.mini", None, Some(NEW_D)),
        ("scripts/sub/b.mini", Some(OLD_B), Some(NEW_B)),
    ];
    commit(&project, &files).await;
    project
}

fn says(project: &Project) -> Vec<String> {
    ["a", "b", "c", "d"].map(|name| project.says(name)).to_vec()
}

#[tokio::test]
async fn a_deployment_killed_between_two_files_is_whole_after_the_next_start() {
    type Step = fn(&Project);
    let steps: [Step; 4] = [
        |project| project.write("scripts/a.mini", NEW_A),
        |project| project.remove("scripts/c.mini"),
        |project| project.write("scripts/new/d.mini", NEW_D),
        |project| project.write("scripts/sub/b.mini", NEW_B),
    ];
    for done in 0..=steps.len() {
        let project = committed().await;
        steps.iter().take(done).for_each(|step| step(&project));
        let project = project.restart().await;
        let now = says(&project);
        assert_eq!(now, ["r2 two", "r2 two", "gone", "r1 two"], "after {done}");
        assert_eq!(project.text("scripts/sub/b.mini").unwrap(), NEW_B);
        assert_eq!(project.text("scripts/c.mini"), None);
        assert!(project.store.file_writes().await.unwrap().is_empty());

        // What is done is done: an older text written by hand stays.
        project.write("scripts/a.mini", OLD_A);
        let project = project.restart().await;
        assert_eq!(project.says("a"), "r3 one");
        project.end().await;
    }
}

#[tokio::test]
async fn what_was_edited_after_the_kill_stays_and_the_rest_is_deployed() {
    let project = committed().await;
    project.write("scripts/a.mini", "service a\ntext mine");
    project.write("scripts/c.mini", "service c\ntext mine");
    project.remove("scripts/sub/b.mini");
    let project = project.restart().await;
    let now = says(&project);
    assert_eq!(now, ["r2 mine", "gone", "r2 mine", "r1 two"]);
    assert!(project.problems().is_empty());
    project.end().await;
}

#[tokio::test]
async fn half_a_deployment_never_serves() {
    let project = committed().await;
    project.write("scripts/a.mini", NEW_A);
    let outside = std::env::temp_dir();
    std::os::unix::fs::symlink(outside, project.dir.join("scripts/new")).unwrap();
    let again = project.reopened().await;
    assert_eq!(again.err().unwrap().code(), Code::Storage);
    assert_eq!(project.text("scripts/sub/b.mini").unwrap(), OLD_B);
    project.remove("scripts/new");
    let project = project.restart().await;
    let now = says(&project);
    assert_eq!(now, ["r2 two", "r2 two", "gone", "r1 two"]);
    project.end().await;
}

#[tokio::test]
async fn a_deployment_that_ends_well_or_badly_leaves_nothing_to_finish() {
    let project = Project::new(&[("scripts/a.mini", OLD_A)]).await;
    let files: [(&str, &[u8]); 2] = [("a.mini", NEW_A.as_bytes()), ("d.mini", NEW_D.as_bytes())];
    assert!(project.deploy(&files).await.applied);
    assert!(project.store.file_writes().await.unwrap().is_empty());
    commit(&project, &[("scripts/a.mini", Some(NEW_A), Some(OLD_A))]).await;
    // Whatever is recorded next has the place of what was not closed.
    project.write("scripts/d.mini", "service d\ntext three");
    project.reload().await;
    let project = project.restart().await;
    assert_eq!(project.says("a"), "r2 two");
    project.end().await;
}
