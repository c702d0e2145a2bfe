//! Loads what a change touches: changed files and the files that use a changed module. Reports
//! every problem.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;

use crate::base::{Code, Fault, Place, ServiceName};
use crate::contract::{Engine, Loaded, Service, SourceSet};
use crate::deploy::sources::{Files, print, source_set};

/// What is wrong, by the path of the file that does not load.
pub(crate) type Problems = BTreeMap<String, Vec<Fault>>;

/// A file that loaded.
#[derive(Clone)]
pub(crate) struct LoadedFile {
    /// Its services.
    pub(crate) services: Vec<Arc<dyn Service>>,
    /// Paths of the modules it used.
    pub(crate) uses: Vec<String>,
    /// How long loading took.
    pub(crate) elapsed_ms: u64,
}

/// Sources and what loading them gave.
#[derive(Clone, Default)]
pub(crate) struct Image {
    /// The sources.
    pub(crate) set: Arc<SourceSet>,
    /// The files that loaded.
    pub(crate) loaded: BTreeMap<String, LoadedFile>,
}

/// A change that was loaded and checked.
#[derive(Default)]
pub(crate) struct Prepared {
    /// What would serve.
    pub(crate) image: Image,
    /// The files that were loaded anew.
    pub(crate) fresh: BTreeSet<String>,
    /// What is wrong. Only when empty may the image serve.
    pub(crate) problems: Problems,
}

/// Loads files, two at a time.
pub(crate) struct Loader {
    engines: Vec<Arc<dyn Engine>>,
    /// Digests of the shipped modules: they were tested, and load when someone uses them.
    shipped: BTreeMap<String, String>,
}

impl Loader {
    /// Makes a loader for these languages.
    pub(crate) fn new(
        engines: Vec<Arc<dyn Engine>>,
        shipped: &[(&'static str, &'static str)],
    ) -> Self {
        let digest = |text: &str| crate::deploy::digest::sha256(text.as_bytes());
        let shipped = shipped.iter();
        Self {
            engines,
            shipped: shipped
                .map(|(path, text)| ((*path).to_owned(), digest(text)))
                .collect(),
        }
    }

    /// Returns the endings of sources.
    pub(crate) fn endings(&self) -> Vec<&'static str> {
        let languages = self.engines.iter().map(|engine| engine.language());
        languages
            .flat_map(|language| language.endings.iter().copied())
            .collect()
    }

    /// Loads what differs between `before` and `files`, and checks the whole. A name that two files
    /// define stays with its owner; the other file is at fault.
    pub(crate) async fn prepare(
        &self,
        before: &Image,
        files: Files,
        owners: &BTreeMap<String, String>,
    ) -> Prepared {
        let set = source_set(files);
        let fresh = self.affected(before, &set);
        let mut loaded = before.loaded.clone();
        loaded.retain(|path, _| {
            let stands = set.by_path.contains_key(path) && !self.is_shipped(&set, path);
            stands && !fresh.contains(path)
        });
        let mut problems = Problems::new();
        for (path, result) in self.load_all(&set, &fresh).await {
            match result {
                Ok(file) => drop(loaded.insert(path, file)),
                Err(faults) => drop(problems.insert(path, faults)),
            }
        }
        for (path, fault) in duplicates(&loaded, owners) {
            problems.entry(path).or_default().push(fault);
        }
        Prepared {
            image: Image { set, loaded },
            fresh,
            problems,
        }
    }

    /// Loads single files of a set, to see what they define.
    pub(crate) async fn load_all(
        &self,
        set: &Arc<SourceSet>,
        paths: &BTreeSet<String>,
    ) -> Vec<(String, Result<LoadedFile, Vec<Fault>>)> {
        let loads = paths.iter().filter_map(|path| {
            let engine = Arc::clone(self.engine(path)?);
            Some(load(engine, Arc::clone(set), path.clone()))
        });
        let loads: Vec<_> = loads.collect();
        futures_util::stream::iter(loads)
            .buffer_unordered(2)
            .collect()
            .await
    }

    fn engine(&self, path: &str) -> Option<&Arc<dyn Engine>> {
        let mut engines = self.engines.iter();
        engines.find(|engine| engine.language().speaks(path))
    }

    fn affected(&self, before: &Image, set: &SourceSet) -> BTreeSet<String> {
        let print = |set: &SourceSet, path: &String| {
            let source = set.by_path.get(path)?;
            Some(print(source))
        };
        let touched = |path: &String| match before.loaded.get(path) {
            _ if print(&before.set, path) != print(set, path) => true,
            None => true,
            Some(file) => file.uses.iter().any(|used| moved(&before.set, set, used)),
        };
        set.by_path
            .keys()
            .filter(|path| !self.is_shipped(set, path))
            .filter(|path| touched(path))
            .cloned()
            .collect()
    }

    /// Tells whether a file is a shipped module as it was shipped: it loads with its users only.
    fn is_shipped(&self, set: &SourceSet, path: &str) -> bool {
        let shipped = self.shipped.get(path);
        shipped.is_some() && shipped == digest_of(set, path)
    }
}

fn digest_of<'a>(set: &'a SourceSet, path: &str) -> Option<&'a String> {
    set.by_path.get(path).map(|source| &source.sha256)
}

/// Tells whether a used module has another text, or its name means another file.
fn moved(before: &SourceSet, after: &SourceSet, used: &str) -> bool {
    let Some(old) = before.by_path.get(used) else {
        return true;
    };
    digest_of(after, used) != Some(&old.sha256)
        || after.by_module.get(&old.module) != before.by_module.get(&old.module)
}

async fn load(
    engine: Arc<dyn Engine>,
    set: Arc<SourceSet>,
    path: String,
) -> (String, Result<LoadedFile, Vec<Fault>>) {
    let start = Instant::now();
    let name = path.clone();
    let loading = tokio::task::spawn_blocking(move || engine.load(&set, &name));
    let result = match loading.await {
        Ok(Ok(Loaded { services, uses })) => Ok(LoadedFile {
            services,
            uses,
            elapsed_ms: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        }),
        Ok(Err(faults)) if !faults.is_empty() => Err(faults),
        Ok(Err(_none_given)) => Err(vec![unexpected(&path, "no reason given")]),
        Err(panic) => Err(vec![unexpected(&path, &panic.to_string())]),
    };
    (path, result)
}

fn unexpected(path: &str, detail: &str) -> Fault {
    Fault::new(Code::Internal, format!("loading '{path}' failed"))
        .at(Place::new(path, 0, 0))
        .detail(detail)
}

fn duplicates(
    loaded: &BTreeMap<String, LoadedFile>,
    owners: &BTreeMap<String, String>,
) -> Vec<(String, Fault)> {
    let mut by_name: BTreeMap<&ServiceName, Vec<(&String, &Place)>> = BTreeMap::new();
    for (path, file) in loaded {
        for service in &file.services {
            let declaration = service.declaration();
            let places = by_name.entry(&declaration.name).or_default();
            places.push((path, &declaration.place));
        }
    }
    let mut faults = Vec::new();
    for (name, places) in by_name.into_iter().filter(|(_, places)| places.len() > 1) {
        let owner = owners.get(name.as_str());
        let keeper = places.iter().position(|(path, _)| Some(*path) == owner);
        let keeper = keeper.unwrap_or(0);
        for (index, (path, place)) in places.iter().enumerate() {
            if index != keeper {
                let other = places.get(keeper).map_or("", |(path, _)| path);
                faults.push(((*path).clone(), defined_twice(name, other, path, place)));
            }
        }
    }
    faults
}

fn defined_twice(name: &ServiceName, keeper: &str, path: &str, place: &Place) -> Fault {
    let message = if keeper == path {
        format!("service '{name}' is defined twice in '{path}'")
    } else {
        format!("service '{name}' is defined in '{keeper}' and in '{path}'")
    };
    Fault::new(Code::DuplicateService, message)
        .at(place.clone())
        .hint("Rename one of them, or delete one of the files.")
}
