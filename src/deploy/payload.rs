//! What is deployed: scripts and archives, opened into the sources they hold.

use flate2::{Compression, write::GzEncoder};

use crate::base::{Code, Fault};
use crate::deploy::archive::{self, Member};
use crate::deploy::digest::sha256;
use crate::deploy::editor_files::{ending, is_temporary};
use crate::deploy::options::Limits;
use crate::store::NewPackage;

/// A deployment's content.
pub(crate) struct Payload {
    /// What is recorded.
    pub(crate) package: NewPackage,
    /// The sources: path below `scripts/`, and bytes.
    pub(crate) files: Vec<Member>,
}

/// Opens what was sent. All is refused when one part is not acceptable, with every reason.
pub(crate) fn open(
    items: Vec<Member>,
    endings: &[&str],
    limits: &Limits,
) -> Result<Payload, Vec<Fault>> {
    let mut files = Vec::new();
    let mut faults = Vec::new();
    let sent: usize = items.iter().map(|(_, bytes)| bytes.len()).sum();
    if sent > limits.packed {
        let why = format!("the deployment is larger than {} bytes", limits.packed);
        return Err(vec![Fault::new(Code::BadPackage, why)]);
    }
    for (name, bytes) in &items {
        match item(name, bytes, endings, limits) {
            Ok(members) => files.extend(members),
            Err(fault) => faults.push(fault),
        }
    }
    faults.extend(given_twice(&files));
    let empty = files.iter().filter(|(_, bytes)| bytes.is_empty());
    faults.extend(
        empty.map(|(name, _)| Fault::new(Code::BadSource, format!("source '{name}' is empty"))),
    );
    if files.is_empty() && faults.is_empty() {
        let endings = endings.join(", ");
        let fault = Fault::new(Code::BadPackage, "the deployment holds no source");
        faults.push(fault.hint(format!("Send files that end in one of: {endings}.")));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let package = package(items).map_err(|fault| vec![fault])?;
    Ok(Payload { package, files })
}

fn item(name: &str, bytes: &[u8], endings: &[&str], limits: &Limits) -> Result<Vec<Member>, Fault> {
    let shown = name.escape_debug();
    let safe = archive::safe_name(name.as_bytes()).ok_or_else(|| {
        let why = format!("file name '{shown}' is not a plain relative path");
        Fault::new(Code::BadPackage, why)
    })?;
    if archive::is_archive(&safe) {
        let members = archive::unpack(&safe, bytes, limits)?;
        return Ok(below_scripts(sources_of(&safe, members, endings)));
    }
    if !is_source(&safe, endings) {
        let why = format!("file '{shown}' is neither a source nor an archive");
        return Err(Fault::new(Code::BadPackage, why));
    }
    Ok(vec![(safe, bytes.to_vec())])
}

fn is_source(name: &str, endings: &[&str]) -> bool {
    let known = ending(name).is_some_and(|ending| endings.contains(&ending));
    known && !name.split('/').any(is_temporary)
}

fn sources_of(package: &str, members: Vec<Member>, endings: &[&str]) -> Vec<Member> {
    let (taken, ignored): (Vec<_>, Vec<_>) = members
        .into_iter()
        .partition(|(name, _)| is_source(name, endings));
    for (file, _) in ignored {
        tracing::warn!(package, file, "Ignoring a file that is no source.");
    }
    taken
}

/// Takes a leading `scripts/` off when all files have it: somebody packed the directory itself.
fn below_scripts(members: Vec<Member>) -> Vec<Member> {
    let below = |(name, _): &Member| name.starts_with("scripts/");
    if !members.iter().all(below) {
        return members;
    }
    let strip = |(name, bytes): Member| match name.strip_prefix("scripts/") {
        Some(below) => (below.to_owned(), bytes),
        None => (name, bytes),
    };
    members.into_iter().map(strip).collect()
}

fn given_twice(files: &[Member]) -> Vec<Fault> {
    let mut names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    let twice = names.windows(2).filter_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    });
    twice
        .map(|name| Fault::new(Code::BadPackage, format!("file '{name}' is given twice")))
        .collect()
}

/// Returns what is recorded: one item as it came, several as one archive.
fn package(mut items: Vec<Member>) -> Result<NewPackage, Fault> {
    let (name, bytes) = match items.len() {
        1 => items.remove(0),
        n => {
            let first = items.first().map_or("", |(name, _)| name);
            (format!("{first} and {} more", n - 1), pack(&items)?)
        }
    };
    Ok(NewPackage {
        sha256: sha256(&bytes),
        name,
        bytes,
    })
}

fn pack(items: &[Member]) -> Result<Vec<u8>, Fault> {
    let packing = |error: std::io::Error| {
        Fault::new(Code::Internal, "cannot pack the deployment").detail(error.to_string())
    };
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, bytes) in items {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, name, bytes.as_slice())
            .map_err(packing)?;
    }
    let encoder = builder.into_inner().map_err(packing)?;
    encoder.finish().map_err(packing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::archive::tests::zip_of;

    fn names(items: Vec<Member>) -> Result<Vec<String>, Vec<String>> {
        let opened = open(items, &["mini"], &Limits::default());
        let opened =
            opened.map(|payload| payload.files.into_iter().map(|(name, _)| name).collect());
        opened.map_err(|faults| faults.iter().map(|f| f.message().to_owned()).collect())
    }

    fn member(name: &str, bytes: &[u8]) -> Member {
        (name.to_owned(), bytes.to_vec())
    }

    #[test]
    fn an_archive_gives_its_sources_and_only_those() {
        let zip = zip_of(&[
            ("scripts/a.mini", b"x"),
            ("scripts/sub/b.mini", b"x"),
            ("scripts/readme.md", b"x"),
            ("scripts/.a.mini.swp", b"x"),
            ("scripts/nested.zip", b"x"),
        ]);
        assert_eq!(
            names(vec![member("p.zip", &zip)]).unwrap(),
            ["a.mini", "sub/b.mini"]
        );
    }

    #[test]
    fn every_reason_to_refuse_is_named() {
        let items = vec![
            member("notes.md", b"x"),
            member("../a.mini", b"x"),
            member("a\nb.mini", b"x"),
            member("b.mini", b""),
            member("c.mini", b"x"),
            member("c.mini", b"y"),
        ];
        assert_eq!(
            names(items).unwrap_err(),
            [
                "file 'notes.md' is neither a source nor an archive",
                "file name '../a.mini' is not a plain relative path",
                "file name 'a\\nb.mini' is not a plain relative path",
                "file 'c.mini' is given twice",
                "source 'b.mini' is empty",
            ]
        );
        let zip = zip_of(&[("readme.md", b"x")]);
        let refused = names(vec![member("p.zip", &zip)]).unwrap_err();
        assert_eq!(refused, ["the deployment holds no source"]);
    }

    #[test]
    fn several_files_are_recorded_as_one_archive_that_opens_again() {
        let items = vec![member("a.mini", b"one"), member("b.mini", b"two")];
        let payload = open(items, &["mini"], &Limits::default()).ok().unwrap();
        assert_eq!(payload.package.name, "a.mini and 1 more");
        let again = archive::unpack("p.tgz", &payload.package.bytes, &Limits::default()).unwrap();
        assert_eq!(again, payload.files);
    }
}
