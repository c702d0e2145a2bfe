//! Unpacks archives into memory, within bounds. Whatever could write elsewhere or hide something is
//! refused.

use std::collections::HashSet;
use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;

use crate::base::{Code, Fault};
use crate::deploy::options::Limits;

/// A file's name inside its archive, and its bytes.
pub(crate) type Member = (String, Vec<u8>);

/// Tells whether a file name is that of an archive.
pub(crate) fn is_archive(name: &str) -> bool {
    form(name).is_some()
}

/// Unpacks an archive. All is refused when one entry is.
pub(crate) fn unpack(name: &str, bytes: &[u8], limits: &Limits) -> Result<Vec<Member>, Fault> {
    if bytes.len() > limits.packed {
        let limit = limits.packed;
        return Err(bad(name, &format!("is larger than {limit} bytes")));
    }
    let mut members = Members::new(name, bytes.len(), limits);
    match form(name) {
        Some(Form::Zip) => unzip(bytes, &mut members)?,
        Some(Form::Tar) => untar(bytes, &mut members)?,
        Some(Form::TarGz) => {
            // The tape's own padding counts too, so that a bomb of padding ends here.
            let bound = limits.unpacked.saturating_mul(2) as u64;
            untar(MultiGzDecoder::new(bytes).take(bound), &mut members)?;
        }
        None => return Err(bad(name, "is not a zip, tar or tar.gz archive")),
    }
    Ok(members.taken)
}

enum Form {
    Zip,
    Tar,
    TarGz,
}

fn form(name: &str) -> Option<Form> {
    let name = name.to_ascii_lowercase();
    let ends = |ending: &str| name.len() > ending.len() && name.ends_with(ending);
    match () {
        () if ends(".zip") => Some(Form::Zip),
        () if ends(".tar") => Some(Form::Tar),
        () if ends(".tar.gz") || ends(".tgz") => Some(Form::TarGz),
        () => None,
    }
}

fn bad(name: &str, why: &str) -> Fault {
    Fault::new(Code::BadPackage, format!("package '{name}' {why}"))
}

/// What was taken so far, with the bounds that remain.
struct Members<'a> {
    archive: &'a str,
    limits: &'a Limits,
    allowed: usize,
    entries: usize,
    names: HashSet<String>,
    taken: Vec<Member>,
}

impl<'a> Members<'a> {
    fn new(archive: &'a str, packed: usize, limits: &'a Limits) -> Self {
        Self {
            archive,
            limits,
            allowed: limits.unpacked.min(packed.saturating_mul(limits.ratio)),
            entries: 0,
            names: HashSet::new(),
            taken: Vec::new(),
        }
    }

    fn refuse(&self, why: &str) -> Fault {
        bad(self.archive, why)
    }

    fn broken(&self, error: &dyn std::error::Error) -> Fault {
        self.refuse("cannot be unpacked").detail(error.to_string())
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            let limit = self.limits.entries;
            return Err(self.refuse(&format!("holds more than {limit} entries")));
        }
        Ok(())
    }

    fn take(&mut self, raw_name: &[u8], reader: impl Read) -> Result<(), Fault> {
        let name = safe_name(raw_name).ok_or_else(|| {
            let shown = String::from_utf8_lossy(raw_name).escape_debug().to_string();
            self.refuse(&format!(
                "holds the entry '{shown}', which is not a plain relative path"
            ))
        })?;
        // File systems that ignore case would let one entry overwrite the other.
        if !self.names.insert(name.to_lowercase()) {
            return Err(self.refuse(&format!("holds the entry '{name}' twice")));
        }
        let mut bytes = Vec::new();
        let bound = self.allowed as u64 + 1;
        let read = reader.take(bound).read_to_end(&mut bytes);
        read.map_err(|error| self.broken(&error))?;
        self.allowed = self.allowed.checked_sub(bytes.len()).ok_or_else(|| {
            let (ratio, limit) = (self.limits.ratio, self.limits.unpacked);
            let why = format!("unpacks to more than {ratio} times its size or {limit} bytes");
            self.refuse(&why)
        })?;
        self.taken.push((name, bytes));
        Ok(())
    }
}

/// Returns a relative path without `..`, drive letters, control characters and the like.
pub(crate) fn safe_name(raw: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(raw).ok()?;
    if name.starts_with('/') || name.len() > 1_024 {
        return None;
    }
    if name
        .chars()
        .any(|c| c.is_control() || matches!(c, '\\' | ':'))
    {
        return None;
    }
    let parts: Vec<&str> = name
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    (!parts.is_empty() && !parts.contains(&"..")).then(|| parts.join("/"))
}

fn unzip(bytes: &[u8], members: &mut Members<'_>) -> Result<(), Fault> {
    let opened = zip::ZipArchive::new(Cursor::new(bytes));
    let mut archive = opened.map_err(|error| members.broken(&error))?;
    if archive.has_duplicate_names() {
        return Err(members.refuse("holds an entry twice"));
    }
    let overlap = archive.has_overlapping_entries();
    if overlap.map_err(|error| members.broken(&error))? {
        return Err(members.refuse("holds entries that overlap"));
    }
    for index in 0..archive.len() {
        members.count()?;
        let entry = archive.by_index(index);
        let entry = entry.map_err(|error| members.broken(&error))?;
        let name = entry.name_raw().to_vec();
        if entry.is_dir() {
            continue;
        }
        let kind = entry.unix_mode().unwrap_or(0) & 0o170_000;
        if !matches!(kind, 0 | 0o100_000) {
            return Err(not_a_file(members, &name));
        }
        members.take(&name, entry)?;
    }
    Ok(())
}

fn untar(reader: impl Read, members: &mut Members<'_>) -> Result<(), Fault> {
    let mut archive = tar::Archive::new(reader);
    let entries = archive.entries();
    for entry in entries.map_err(|error| members.broken(&error))? {
        members.count()?;
        let entry = entry.map_err(|error| members.broken(&error))?;
        let name = entry.path_bytes().into_owned();
        match entry.header().entry_type() {
            tar::EntryType::Directory | tar::EntryType::XGlobalHeader => {}
            tar::EntryType::Regular | tar::EntryType::Continuous => members.take(&name, entry)?,
            _ => return Err(not_a_file(members, &name)),
        }
    }
    Ok(())
}

fn not_a_file(members: &Members<'_>, name: &[u8]) -> Fault {
    let shown = String::from_utf8_lossy(name).escape_debug().to_string();
    members.refuse(&format!(
        "holds the entry '{shown}', which is a link or device"
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    pub(crate) fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            let options = zip::write::SimpleFileOptions::default();
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn tar_with(name: &str, kind: tar::EntryType, bytes: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        // The builder refuses `..` itself, so the name is written past it.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        if matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, bytes).unwrap();
        builder.into_inner().unwrap()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn refused(name: &str, bytes: &[u8]) -> String {
        let fault = unpack(name, bytes, &Limits::default()).unwrap_err();
        assert_eq!(fault.code(), Code::BadPackage);
        fault.message().to_owned()
    }

    #[test]
    fn every_form_gives_its_files() {
        let tar = tar_with("./a/b.lua", tar::EntryType::Regular, b"text");
        let packages = [
            ("p.zip", zip_of(&[("a/", b""), ("a/b.lua", b"text")])),
            ("p.TGZ", gz(&tar)),
            ("p.tar.gz", gz(&tar)),
            ("p.tar", tar),
        ];
        for (name, bytes) in packages {
            let files = unpack(name, &bytes, &Limits::default()).unwrap();
            let files: Vec<_> = files.into_iter().filter(|(name, _)| name != "a").collect();
            assert_eq!(files, [("a/b.lua".to_owned(), b"text".to_vec())], "{name}");
        }
    }

    #[test]
    fn an_entry_that_leaves_the_archive_is_refused() {
        for name in [
            "../x.lua",
            "a/../../x.lua",
            "/x.lua",
            "C:\\x.lua",
            "a\\..\\x",
            "c:x",
            "a\nb",
        ] {
            let tar = tar_with(name, tar::EntryType::Regular, b"x");
            assert!(
                refused("p.tar", &tar).contains("plain relative path"),
                "{name:?}"
            );
            let zip = zip_of(&[(name, b"x")]);
            assert!(
                refused("p.zip", &zip).contains("plain relative path"),
                "{name:?}"
            );
        }
    }

    #[test]
    fn links_and_devices_are_refused() {
        use tar::EntryType as Entry;
        for kind in [
            Entry::Symlink,
            Entry::Link,
            Entry::Fifo,
            Entry::Char,
            Entry::Block,
        ] {
            let tar = tar_with("x.lua", kind, b"");
            assert!(
                refused("p.tar", &tar).contains("link or device"),
                "{kind:?}"
            );
        }
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        writer.add_symlink("x.lua", "/etc/passwd", options).unwrap();
        let zip = writer.finish().unwrap().into_inner();
        assert!(refused("p.zip", &zip).contains("link or device"));
    }

    #[test]
    fn bombs_are_refused_by_ratio_size_and_count() {
        let zeros = vec![0_u8; 4 << 20];
        assert!(refused("p.zip", &zip_of(&[("x.lua", &zeros)])).contains("100 times"));
        let tar = tar_with("x.lua", tar::EntryType::Regular, &zeros);
        assert!(refused("p.tgz", &gz(&tar)).contains("100 times"));
        let many: Vec<String> = (0..1_001).map(|n| format!("f{n}.lua")).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|name| (&**name, &b"x"[..])).collect();
        assert!(refused("p.zip", &zip_of(&many)).contains("1000 entries"));
        let large = vec![b'x'; (10 << 20) + 1];
        assert!(refused("p.tar", &large).contains("larger than"));
    }

    #[test]
    fn an_entry_given_twice_is_refused_also_when_only_the_case_differs() {
        let zip = zip_of(&[("A.lua", b"x"), ("a.lua", b"y")]);
        assert!(refused("p.zip", &zip).contains("twice"));
        let one = tar_with("a.lua", tar::EntryType::Regular, b"x");
        let mut tar = one[..1_024].to_vec();
        tar.extend(&one);
        assert!(refused("p.tar", &tar).contains("twice"));
        // The writer refuses a name twice, so the second is renamed in the finished bytes.
        let zip = zip_of(&[("aa.lua", b"x"), ("ab.lua", b"y")]);
        let twice: Vec<u8> = String::from_utf8_lossy(&zip)
            .contains("ab.lua")
            .then(|| {
                let mut bytes = zip.clone();
                for start in 0..bytes.len() - 6 {
                    if bytes.get(start..start + 6) == Some(b"ab.lua") {
                        bytes[start + 1] = b'a';
                    }
                }
                bytes
            })
            .unwrap();
        assert!(refused("p.zip", &twice).contains("twice"));
    }

    #[test]
    fn rubbish_is_refused() {
        for name in ["p.zip", "p.tar", "p.tgz"] {
            assert!(
                refused(name, &[7_u8; 600]).contains("cannot be unpacked"),
                "{name}"
            );
        }
        assert!(refused("p.rar", b"x").contains("is not a zip"));
    }
}
