//! Saved and dropped files, as editors and people make them.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, Instant};

use super::support::Project;
use crate::deploy::archive::tests::zip_of;

const A: &str = "scripts/a.mini";

async fn watched() -> Project {
    let project = Project::new(&[(A, "service a\ntext 0")]).await;
    project.watch();
    // The first look tells that the directories are watched.
    project.write("scripts/probe.mini", "service probe\ntext x");
    project
        .until("the watch works", |project| project.says("probe") == "r1 x")
        .await;
    project
}

fn text(number: usize) -> String {
    format!("service a\ntext {number}")
}

type Save<'a> = &'a dyn Fn(&str);

#[tokio::test]
async fn every_way_editors_save_is_seen() {
    let project = watched().await;
    let (dir, file) = (project.dir.join("scripts"), project.dir.join(A));
    let ways: [(&str, Save<'_>); 6] = [
        ("truncate and write", &|text| {
            fs::write(&file, text).unwrap();
        }),
        ("atomic rename", &|text| {
            fs::write(dir.join(".a.mini.tmp"), text).unwrap();
            fs::rename(dir.join(".a.mini.tmp"), &file).unwrap();
        }),
        ("vim: probe, backup, write, remove", &|text| {
            fs::write(dir.join("4913"), "").unwrap();
            fs::remove_file(dir.join("4913")).unwrap();
            fs::rename(&file, dir.join("a.mini~")).unwrap();
            fs::write(&file, text).unwrap();
            fs::remove_file(dir.join("a.mini~")).unwrap();
        }),
        ("emacs: lock, autosave, write", &|text| {
            symlink("ana@host.1", dir.join(".#a.mini")).unwrap();
            fs::write(dir.join("#a.mini#"), "error autosave").unwrap();
            fs::write(&file, text).unwrap();
            fs::remove_file(dir.join("#a.mini#")).unwrap();
            fs::remove_file(dir.join(".#a.mini")).unwrap();
        }),
        ("renamed over by another source's name", &|text| {
            fs::write(dir.join("fresh.mini"), text).unwrap();
            fs::rename(dir.join("fresh.mini"), &file).unwrap();
        }),
        ("moved in from elsewhere", &|text| {
            let elsewhere = project.dir.join("data/a.mini");
            fs::write(&elsewhere, text).unwrap();
            fs::rename(elsewhere, &file).unwrap();
        }),
    ];
    for (number, (way, save)) in ways.iter().enumerate() {
        save(&text(number + 1));
        let expected = format!("r{} {}", number + 2, number + 1);
        project
            .until(way, |project| project.says("a") == expected)
            .await;
        assert!(
            project.problems().is_empty(),
            "{way}: {:?}",
            project.problems()
        );
    }
    project.end().await;
}

#[tokio::test]
async fn a_half_written_file_is_never_loaded() {
    let project = watched().await;
    let long = "text one of the many lines of a long file\n".repeat(20);
    let whole = format!("service a\n{long}text end");
    let mut file = File::create(project.dir.join(A)).unwrap();
    let mut beat = tokio::time::interval(Duration::from_millis(50));
    for chunk in whole.as_bytes().chunks(64) {
        beat.tick().await;
        file.write_all(chunk).unwrap();
        // Others save meanwhile, and somebody asks for a reload.
        project.write(
            "scripts/probe.mini",
            &format!("service probe\ntext {}", chunk.len()),
        );
        project.reload().await;
        assert_eq!(project.says("a"), "r1 0");
    }
    drop(file);
    project
        .until("the whole is loaded", |project| {
            project.says("a").ends_with("end")
        })
        .await;
    assert_eq!(project.loads(A), [text(0), whole]);
    assert!(project.problems().is_empty());
    project.end().await;
}

#[tokio::test]
async fn a_file_that_an_editor_renamed_away_for_a_moment_serves_on() {
    let project = watched().await;
    let (file, backup) = (project.dir.join(A), project.dir.join("scripts/a.mini~"));
    fs::rename(&file, &backup).unwrap();
    project.write("scripts/probe.mini", "service probe\ntext y");
    project
        .until("the watch looked", |project| {
            project.says("probe") == "r2 y"
        })
        .await;
    assert_eq!(project.says("a"), "r1 0");
    fs::write(&file, text(1)).unwrap();
    project
        .until("the save", |project| project.says("a") == "r2 1")
        .await;
    // A file that has a new lasting name is gone at once, and no name is ever in two files.
    fs::rename(&file, project.dir.join("scripts/b.mini")).unwrap();
    project
        .until("the new name", |project| {
            project.deployer.list()[0].path == "scripts/b.mini"
        })
        .await;
    assert_eq!(project.says("a"), "r2 1");
    assert!(project.problems().is_empty());
    project.end().await;
}

#[tokio::test]
async fn a_broken_save_shows_until_it_is_mended() {
    let project = watched().await;
    project.write(A, "service a\nerror typo");
    project
        .until("the fault shows", |project| !project.problems().is_empty())
        .await;
    assert_eq!(project.problems(), ["KL-S100 scripts/a.mini:2:1 typo"]);
    assert_eq!(project.says("a"), "r1 0");
    project.write("scripts/probe.mini", "service probe\ntext y");
    project
        .until("others go on", |project| project.says("probe") == "r2 y")
        .await;
    project.write(A, &text(0));
    project
        .until("it is mended", |project| project.problems().is_empty())
        .await;
    assert_eq!(
        project.says("a"),
        "r1 0",
        "the old text is the old revision"
    );
    project.end().await;
}

#[tokio::test]
async fn new_directories_deletions_and_the_list_are_seen() {
    let project = watched().await;
    project.write("scripts/new/deep/b.mini", "service b\ntext one");
    project
        .until("a new directory", |project| project.says("b") == "r1 one")
        .await;
    project.write("scripts/new/deep/b.mini", "service b\ntext two");
    project
        .until("an edit in it", |project| project.says("b") == "r2 two")
        .await;
    fs::remove_dir_all(project.dir.join("scripts/new")).unwrap();
    project
        .until("its removal", |project| project.says("b") == "gone")
        .await;
    project.write("data/moved/in.mini", "service moved\ntext in");
    fs::rename(
        project.dir.join("data/moved"),
        project.dir.join("scripts/moved"),
    )
    .unwrap();
    project
        .until("a directory moved in", |project| {
            project.says("moved") == "r1 in"
        })
        .await;
    project.write("extra/c.mini", "service c\ntext one");
    project.write("config/service-sources.txt", "nowhere\nextra\n");
    project
        .until("the list", |project| project.says("c") == "r1 one")
        .await;
    assert!(project.problems()[0].contains("service-sources.txt:1"));
    project.write("extra/c.mini", "service c\ntext two");
    project
        .until("an edit in a listed place", |project| {
            project.says("c") == "r2 two"
        })
        .await;
    project.end().await;
}

#[tokio::test]
async fn a_save_is_live_within_a_tenth_of_a_second() {
    let project = watched().await;
    let mut times = Vec::new();
    for number in 1..=15 {
        let start = Instant::now();
        project.write(A, &text(number));
        let expected = format!("r{} {number}", number + 1);
        project
            .until("the save", |project| project.says("a") == expected)
            .await;
        times.push(start.elapsed());
    }
    times.sort();
    assert!(
        times[7] < Duration::from_millis(100),
        "median {:?}",
        times[7]
    );
    project.end().await;
}

#[tokio::test]
async fn a_dropped_file_is_deployed_and_removed() {
    let project = watched().await;
    project.write("pickup-dir/a.mini", "service a\ntext dropped");
    let gone = |project: &Project| project.text("pickup-dir/a.mini").is_none();
    project
        .until("a source", |project| {
            project.says("a") == "r2 dropped" && gone(project)
        })
        .await;
    assert_eq!(project.text(A).unwrap(), "service a\ntext dropped");
    let zip = zip_of(&[("b.mini", b"service b\ntext zipped"), ("notes.md", b"x")]);
    fs::write(project.dir.join("pickup-dir/.b.tmp"), zip).unwrap();
    let (from, to) = (
        project.dir.join("pickup-dir/.b.tmp"),
        project.dir.join("pickup-dir/b.zip"),
    );
    fs::rename(from, to).unwrap();
    let zip = |project: &Project| project.text("pickup-dir/b.zip").is_none();
    project
        .until("an archive", |project| {
            project.says("b") == "r1 zipped" && zip(project)
        })
        .await;
    let packages = project.store.packages().await;
    let names: Vec<_> = packages
        .iter()
        .map(|row| (row.id, row.name.as_str()))
        .collect();
    assert_eq!(names, [(2, "b.zip"), (1, "a.mini")]);
    assert_eq!(packages[0].origin, "pickup");
    project.end().await;
}

#[tokio::test]
async fn a_refused_file_is_set_aside_with_its_diagnostic() {
    let project = watched().await;
    project.write("pickup-dir/b.mini", "service b\nerror broken");
    let aside = "pickup-dir/b.mini.failed.txt";
    project
        .until("set aside", |project| {
            project.text("pickup-dir/b.mini.failed").is_some()
        })
        .await;
    assert!(
        project
            .text(aside)
            .unwrap()
            .contains("--> scripts/b.mini:2:1")
    );
    assert_eq!(project.text("pickup-dir/b.mini"), None);
    assert_eq!(project.says("b"), "gone");
    project.write("pickup-dir/b.mini", "service b\ntext mended");
    project
        .until("the mended one", |project| project.says("b") == "r1 mended")
        .await;
    project.end().await;
}

#[tokio::test]
async fn links_pipes_directories_and_strangers_are_left_alone() {
    let project = watched().await;
    let pickup = project.dir.join("pickup-dir");
    project.write("data/secret.mini", "service secret\ntext stolen");
    symlink(
        project.dir.join("data/secret.mini"),
        pickup.join("link.mini"),
    )
    .unwrap();
    symlink("nowhere", pickup.join("dangling.mini")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(pickup.join("pipe.mini"))
        .status();
    assert!(made.unwrap().success());
    project.write("pickup-dir/dir.mini/inside.mini", "service inside\ntext x");
    project.write("pickup-dir/notes.md", "x");
    project.write("pickup-dir/.hidden.mini", "service hidden\ntext x");
    project.write("pickup-dir/z.mini", "service z\ntext last");
    project
        .until("the good one", |project| project.says("z") == "r1 last")
        .await;
    fs::set_permissions(&pickup, fs::Permissions::from_mode(0o777)).unwrap();
    project.write("pickup-dir/y.mini", "service y\ntext from anybody");
    project.write("scripts/probe.mini", "service probe\ntext y");
    project
        .until("the watch looked", |project| {
            project.says("probe") == "r2 y"
        })
        .await;
    assert_eq!(project.says("y"), "gone");
    fs::set_permissions(&pickup, fs::Permissions::from_mode(0o755)).unwrap();
    project
        .until("the closed directory", |project| {
            project.says("y") != "gone"
        })
        .await;
    let mut left: Vec<String> = fs::read_dir(&pickup)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "z.mini" && name != "y.mini")
        .collect();
    left.sort();
    assert_eq!(
        left,
        [
            ".hidden.mini",
            "dangling.mini",
            "dir.mini",
            "link.mini",
            "notes.md",
            "pipe.mini"
        ]
    );
    for name in ["secret", "inside", "hidden"] {
        assert_eq!(project.says(name), "gone");
    }
    project.end().await;
}

#[tokio::test]
async fn a_slowly_copied_file_is_picked_up_whole() {
    let project = watched().await;
    let long = "text one of the many lines of a long file\n".repeat(20);
    let whole = format!("service slow\n{long}text end");
    let mut file = File::create(project.dir.join("pickup-dir/slow.mini")).unwrap();
    let mut beat = tokio::time::interval(Duration::from_millis(40));
    for chunk in whole.as_bytes().chunks(64) {
        beat.tick().await;
        file.write_all(chunk).unwrap();
        assert_eq!(project.says("slow"), "gone");
    }
    drop(file);
    project
        .until("the whole", |project| project.says("slow").ends_with("end"))
        .await;
    assert_eq!(
        project.store.package_bytes(1).await.unwrap(),
        whole.as_bytes()
    );
    project.end().await;
}

#[tokio::test]
async fn without_watching_only_the_pickup_directory_counts() {
    let project = Project::with(&[(A, "service a\ntext 0")], |options| options.watch = false).await;
    project.write("scripts/b.mini", "service b\ntext saved");
    project.write("pickup-dir/c.mini", "service c\ntext dropped");
    project.watch();
    project
        .until("the dropped one", |project| {
            project.says("c") == "r1 dropped"
        })
        .await;
    assert_eq!(project.says("b"), "gone");
    project.reload().await;
    assert_eq!(project.says("b"), "r1 saved");
    project.end().await;
}

#[tokio::test]
async fn a_deployment_is_not_loaded_a_second_time_by_the_watch() {
    let project = watched().await;
    let swaps = project.swaps();
    project
        .deploy(&[("a.mini", b"service a\ntext deployed")])
        .await;
    project.write("scripts/probe.mini", "service probe\ntext y");
    project
        .until("the watch looked", |project| {
            project.says("probe") == "r2 y"
        })
        .await;
    assert_eq!(project.swaps(), swaps + 2);
    assert_eq!(project.says("a"), "r2 deployed");
    project.end().await;
}
