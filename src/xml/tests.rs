//! The corpus of good and bad XML.

use super::*;

#[test]
#[ignore = "measures a suite that is not part of the repository"]
fn conformance() {
    let root = std::path::PathBuf::from("/tmp/xmlsuite/list.txt");
    for line in std::fs::read_to_string(root).unwrap().lines() {
        let (kind, path) = line.split_once('\t').unwrap();
        let Ok(bytes) = std::fs::read(path) else {
            println!("MISSING {path}");
            continue;
        };
        let verdict = match parse(&bytes, None, &Limits::default()) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => format!(
                "{} {}{:?}",
                error.code(),
                error.message(),
                error.detail_text()
            ),
        };
        println!("RESULT\t{kind}\t{path}\t{verdict}");
    }
}
