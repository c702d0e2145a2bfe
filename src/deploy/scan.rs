//! Reads all sources of a project, again and again; a file that did not change is not read twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Code, Fault, Place};
use crate::contract::Source;
use crate::deploy::archive;
use crate::deploy::editor_files::ending;
use crate::deploy::options::{Limits, Options};
use crate::deploy::settled::{Believe, Cache, Settle, Stat, Trust};
use crate::deploy::source_list::{self, Form, Listed};
use crate::deploy::sources::{Files, module_name, source, too_large};
use crate::deploy::walk::{Found, Walk};

/// The sources of one moment.
#[derive(Clone, Default)]
pub(crate) struct Scan {
    /// The good ones.
    pub(crate) files: Files,
    /// Those that cannot be read as a source, and why.
    pub(crate) broken: BTreeMap<String, Fault>,
    /// What is wrong with `service-sources.txt`.
    pub(crate) list: Vec<Fault>,
    /// The listed places, for the watcher.
    pub(crate) places: Vec<PathBuf>,
    /// Whether a file is being written: look again soon.
    pub(crate) unsettled: bool,
}

/// Remembers what was read.
pub(crate) struct Scanner {
    options: Options,
    endings: Vec<&'static str>,
    embedded: Files,
    sources: Cache<Result<Arc<Source>, Fault>>,
    archives: Cache<Result<Files, Fault>>,
    list: Cache<Result<String, Fault>>,
    /// What an archive held when it was last good.
    good_archives: HashMap<PathBuf, Files>,
    first: bool,
}

impl Scanner {
    /// Makes a scanner that knows the files with these endings as sources.
    pub(crate) fn new(options: Options, endings: Vec<&'static str>) -> Self {
        let shipped = options.embedded.iter().filter_map(|(path, text)| {
            let below = path.strip_prefix("stdlib/")?;
            let bytes = text.as_bytes().to_vec();
            let made = source(path, &module_name(below), bytes, usize::MAX).ok()?;
            is_source(path, &endings).then_some(((*path).to_owned(), made))
        });
        Self {
            embedded: shipped.collect(),
            options,
            endings,
            sources: Cache::default(),
            archives: Cache::default(),
            list: Cache::default(),
            good_archives: HashMap::new(),
            first: true,
        }
    }

    /// Reads all sources. Fails when a directory cannot be read: then nothing is known of what it
    /// holds.
    pub(crate) fn scan(&mut self, trust: Trust, settle: &Settle) -> Result<Scan, Fault> {
        let believe = Believe {
            // At the start there is no older text to go on with.
            trust: if self.first { Trust::Asked } else { trust },
            settle,
            stable: self.options.limits.stable,
        };
        let mut scan = Scan::default();
        let listed = self.listed(&believe, &mut scan);
        let found = self.find(&listed, &mut scan)?;
        self.read_files(&found, &believe, &mut scan);
        self.read_archives(&listed, &believe, &mut scan);
        for (path, source) in &self.embedded {
            if !scan.broken.contains_key(path) {
                let shipped = || Arc::clone(source);
                scan.files.entry(path.clone()).or_insert_with(shipped);
            }
        }
        self.first = false;
        Ok(scan)
    }

    fn listed(&mut self, believe: &Believe<'_>, scan: &mut Scan) -> Vec<Listed> {
        let path = self.options.source_list();
        if !path.exists() {
            return Vec::new();
        }
        let read = self.list.read(&path, believe, || read_list(&path));
        scan.unsettled |= read.unsettled;
        match read.value {
            Some(Ok(text)) => {
                let (listed, faults) =
                    source_list::read(&self.options.project, &text, &self.endings);
                scan.list = faults;
                listed
            }
            Some(Err(fault)) => {
                scan.list.push(fault);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Finds all source files with their module names; of two ways to a file the earlier one wins.
    fn find(&self, listed: &[Listed], scan: &mut Scan) -> Result<Vec<(Found, String)>, Fault> {
        let mut walk = Walk {
            project: &self.options.project,
            endings: &self.endings,
            depth: self.options.limits.depth,
            files: self.options.limits.files,
            found: Vec::new(),
            faults: Vec::new(),
            unreadable: None,
        };
        walk.root(&self.options.scripts(), "scripts");
        walk.root(&self.options.stdlib(), "stdlib");
        let mut named = with_prefix(&mut walk, "");
        for place in listed {
            scan.places.push(place.path.clone());
            match &place.form {
                Form::Directory(prefix) => {
                    walk.root(&place.path, &place.label);
                    named.extend(with_prefix(&mut walk, prefix));
                }
                Form::File(module) => named.extend(single(place, module)),
                Form::Archive => {}
            }
        }
        if let Some(fault) = walk.unreadable {
            return Err(fault);
        }
        for fault in walk.faults {
            let path = fault.place().map(|place| place.path.to_string());
            scan.broken.insert(path.unwrap_or_default(), fault);
        }
        let mut known = HashSet::new();
        named.retain(|(found, _)| known.insert(found.real.clone()));
        Ok(named)
    }

    fn read_files(&mut self, found: &[(Found, String)], believe: &Believe<'_>, scan: &mut Scan) {
        let limit = self.options.limits.source;
        for (found, module) in found {
            let load = || read_file(found, module, limit);
            let read = self.sources.read(&found.real, believe, load);
            scan.unsettled |= read.unsettled;
            let label = found.label.clone();
            match read.value {
                Some(Ok(source)) => {
                    let source = renamed(source, &label, module);
                    scan.files.insert(label, source);
                }
                Some(Err(fault)) => drop(scan.broken.insert(label, fault)),
                None => {}
            }
        }
        let present: HashSet<&PathBuf> = found.iter().map(|(found, _)| &found.real).collect();
        for source in self.sources.keep(&present, believe).into_iter().flatten() {
            scan.unsettled = true;
            scan.files.entry(source.path.clone()).or_insert(source);
        }
    }

    fn read_archives(&mut self, listed: &[Listed], believe: &Believe<'_>, scan: &mut Scan) {
        let limits = &self.options.limits;
        for place in listed.iter().filter(|place| place.form == Form::Archive) {
            let load = || load_archive(place, limits, &self.endings);
            let read = self.archives.read(&place.path, believe, load);
            scan.unsettled |= read.unsettled;
            match read.value {
                Some(Ok(files)) => drop(self.good_archives.insert(place.path.clone(), files)),
                Some(Err(fault)) => scan.list.push(fault),
                None => {}
            }
            if let Some(files) = self.good_archives.get(&place.path) {
                scan.files.extend(files.clone());
            }
        }
        let listed: HashSet<&PathBuf> = listed.iter().map(|place| &place.path).collect();
        self.archives.retain(|path| listed.contains(path));
        self.good_archives.retain(|path, _| listed.contains(path));
    }
}

fn is_source(path: &str, endings: &[&str]) -> bool {
    ending(path).is_some_and(|ending| endings.contains(&ending))
}

fn with_prefix(walk: &mut Walk<'_>, prefix: &str) -> Vec<(Found, String)> {
    let found = std::mem::take(&mut walk.found);
    let named = found.into_iter().map(|found| {
        let module = format!("{prefix}{}", module_name(&found.below));
        (found, module)
    });
    named.collect()
}

fn single(place: &Listed, module: &str) -> Option<(Found, String)> {
    let found = Found {
        label: place.label.clone(),
        below: place.label.clone(),
        real: place.path.canonicalize().ok()?,
    };
    Some((found, module.to_owned()))
}

/// Returns a source under the names by which it is reached now; the list of places may have changed
/// them.
fn renamed(source: Arc<Source>, path: &str, module: &str) -> Arc<Source> {
    if source.path == path && source.module == module {
        return source;
    }
    Arc::new(Source {
        path: path.to_owned(),
        module: module.to_owned(),
        text: source.text.clone(),
        sha256: source.sha256.clone(),
    })
}

fn read_list(path: &Path) -> Option<(Result<String, Fault>, Stat)> {
    let stat = Stat::of(&std::fs::metadata(path).ok()?);
    let text = std::fs::read_to_string(path).map_err(|error| {
        Fault::new(
            Code::BadSourceList,
            format!("cannot read {}", source_list::PATH),
        )
        .at(Place::new(source_list::PATH, 0, 0))
        .detail(error.to_string())
    });
    Some((text, stat))
}

/// Reads a source and how its file stood when it was read whole; `None` when it is gone or no file
/// any more.
fn read_file(
    found: &Found,
    module: &str,
    limit: usize,
) -> Option<(Result<Arc<Source>, Fault>, Stat)> {
    let label = &found.label;
    let unreadable = |error: &std::io::Error| {
        Fault::new(Code::BadSource, format!("cannot read '{label}'"))
            .at(Place::new(label.as_str(), 0, 0))
            .detail(error.to_string())
    };
    let file = match open(&found.real) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            let stat = Stat::of(&std::fs::symlink_metadata(&found.real).ok()?);
            return Some((Err(unreadable(&error)), stat));
        }
    };
    let metadata = file.metadata().ok()?;
    if !metadata.is_file() {
        return None;
    }
    if metadata.len() > limit as u64 {
        return Some((Err(too_large(label, limit)), Stat::of(&metadata)));
    }
    let mut bytes = Vec::new();
    let read = (&file).take(limit as u64 + 1).read_to_end(&mut bytes);
    let after = Stat::of(&file.metadata().ok()?);
    let made = match read {
        Ok(_) => source(label, module, bytes, limit),
        Err(error) => Err(unreadable(&error)),
    };
    Some((made, after))
}

/// Opens a file that is no link and does not block, whatever it became meanwhile.
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

fn load_archive(
    place: &Listed,
    limits: &Limits,
    endings: &[&str],
) -> Option<(Result<Files, Fault>, Stat)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&place.path)
        .ok()?;
    let mut bytes = Vec::new();
    let bound = limits.packed as u64 + 1;
    (&file).take(bound).read_to_end(&mut bytes).ok()?;
    let after = Stat::of(&file.metadata().ok()?);
    let refuse = |fault: Fault| {
        let refused = source_list::bad_line(place.line, &place.label, fault.message());
        refused.detail(fault.detail_text().unwrap_or_default())
    };
    let files = archive_sources(place, &bytes, limits, endings).map_err(refuse);
    Some((files, after))
}

fn archive_sources(
    place: &Listed,
    bytes: &[u8],
    limits: &Limits,
    endings: &[&str],
) -> Result<Files, Fault> {
    let mut files = Files::new();
    for (name, bytes) in archive::unpack(&place.label, bytes, limits)? {
        if is_source(&name, endings) {
            let path = format!("{}/{name}", place.label);
            let made = source(&path, &module_name(&name), bytes, limits.source)?;
            files.insert(path, made);
        }
    }
    Ok(files)
}
