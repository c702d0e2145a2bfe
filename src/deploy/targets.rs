//! Finds where a deployed file goes: over the file that defines the same service, else to
//! `scripts/NAME`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::{Code, Fault};
use crate::contract::Source;
use crate::deploy::archive::Member;
use crate::deploy::load::{LoadedFile, Loader, Problems};
use crate::deploy::sources::{module_name, source, source_set};
use crate::deploy::state::State;

/// Returns the sources with the paths they go to, or what is wrong with their bytes.
pub(in crate::deploy) async fn targets(
    loader: &Loader,
    state: &State,
    members: Vec<Member>,
    limit: usize,
) -> Result<Vec<Arc<Source>>, Problems> {
    let mut sources = Vec::new();
    let mut problems = Problems::new();
    for (name, bytes) in members {
        let path = format!("scripts/{name}");
        match source(&path, &module_name(&name), bytes, limit) {
            Ok(made) => sources.push(made),
            Err(fault) => drop(problems.insert(path, vec![fault])),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let owners = state.owners();
    let mut moved = Vec::new();
    for (source, loaded) in probe(loader, state, sources).await {
        let owner = loaded.and_then(|file| owner_of(&file, &source.path, &owners));
        let sent = source.path.clone();
        moved.push(match owner {
            Some(owner) => (sent, over(&source, &owner)),
            None => (sent, source),
        });
    }
    collisions(&moved)?;
    Ok(moved.into_iter().map(|(_, source)| source).collect())
}

/// Loads the files as `scripts/NAME` beside what serves, to see which services they define. What
/// does not load stays there: the check of the whole will tell why.
async fn probe(
    loader: &Loader,
    state: &State,
    sources: Vec<Arc<Source>>,
) -> Vec<(Arc<Source>, Option<LoadedFile>)> {
    let mut files = state.image.set.by_path.clone();
    let placed = sources.iter();
    files.extend(placed.map(|source| (source.path.clone(), Arc::clone(source))));
    let paths: BTreeSet<String> = sources.iter().map(|source| source.path.clone()).collect();
    let loaded = loader.load_all(&source_set(files), &paths).await;
    let mut loaded: BTreeMap<String, LoadedFile> = loaded
        .into_iter()
        .filter_map(|(path, result)| Some((path, result.ok()?)))
        .collect();
    sources
        .into_iter()
        .map(|source| {
            let file = loaded.remove(&source.path);
            (source, file)
        })
        .collect()
}

/// Returns the file below `scripts/` that defines one of the services now, unless the file goes
/// there anyway.
fn owner_of(file: &LoadedFile, path: &str, owners: &BTreeMap<String, String>) -> Option<String> {
    let names = file
        .services
        .iter()
        .map(|service| &service.declaration().name);
    let mut paths = names
        .filter_map(|name| owners.get(name.as_str()))
        .filter(|owner| owner.starts_with("scripts/"));
    let first = paths.next()?;
    (first != path && !paths.any(|owner| owner == path)).then(|| first.clone())
}

fn over(source: &Source, path: &str) -> Arc<Source> {
    Arc::new(Source {
        path: path.to_owned(),
        module: module_name(path.strip_prefix("scripts/").unwrap_or(path)),
        text: source.text.clone(),
        sha256: source.sha256.clone(),
    })
}

/// Refuses files, given with the paths they were sent for, that would go over the same one.
fn collisions(moved: &[(String, Arc<Source>)]) -> Result<(), Problems> {
    let mut known = BTreeMap::new();
    let mut problems = Problems::new();
    for (sent, source) in moved {
        let Some(other) = known.insert(&source.path, sent) else {
            continue;
        };
        let name = |path: &String| path.trim_start_matches("scripts/").to_owned();
        let why = format!(
            "'{}' and '{}' of the deployment would both replace '{}'",
            name(other),
            name(sent),
            source.path
        );
        let fault = Fault::new(Code::DuplicateService, why)
            .hint("Both define the same service: rename one, or deploy one of them.");
        problems.insert(source.path.clone(), vec![fault]);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}
