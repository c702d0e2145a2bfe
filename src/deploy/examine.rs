//! Loads all sources of a project without a server: for checks and tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Fault, ServiceName};
use crate::contract::{Declaration, Engine, Entry, SourceSet};
use crate::deploy::load::{Image, Loader};
use crate::deploy::options::Options;
use crate::deploy::scan::Scanner;
use crate::deploy::settled::{Settle, Trust};

/// What loading all sources gave.
pub(crate) struct Examined {
    /// The sources, the shipped modules among them.
    pub(crate) set: Arc<SourceSet>,
    /// The files that loaded, each with what its services declare.
    pub(crate) files: BTreeMap<String, Vec<Arc<Declaration>>>,
    /// The services of these files, each of revision 1.
    pub(crate) entries: Vec<Arc<Entry>>,
    /// What is wrong, file by file.
    pub(crate) faults: Vec<Fault>,
}

impl Examined {
    /// Returns all services by name.
    pub(crate) fn services(&self) -> BTreeMap<&ServiceName, &Arc<Declaration>> {
        let declared = self.files.values().flatten();
        declared.map(|it| (&it.name, it)).collect()
    }
}

/// Loads all sources of a project.
pub(crate) async fn examine(
    options: Options,
    engines: Vec<Arc<dyn Engine>>,
) -> Result<Examined, Fault> {
    let loader = Loader::new(engines, options.embedded);
    let mut scanner = Scanner::new(options, loader.endings());
    let scan = scanner.scan(Trust::Asked, &Settle::default())?;
    let prepared = loader
        .prepare(&Image::default(), scan.files, &BTreeMap::new())
        .await;
    let mut faults = scan.list;
    faults.extend(scan.broken.into_values());
    faults.extend(prepared.problems.into_values().flatten());
    let loaded = &prepared.image.loaded;
    let entries = loaded.iter().flat_map(|(path, file)| {
        file.services.iter().map(move |service| {
            Arc::new(Entry {
                service: Arc::clone(service),
                revision: 1,
                path: path.clone(),
                direct: Arc::default(),
            })
        })
    });
    let entries = entries.collect();
    let files = prepared.image.loaded.into_iter().map(|(path, file)| {
        let declared = file.services.iter();
        let declared = declared.map(|service| Arc::clone(service.declaration()));
        (path, declared.collect())
    });
    Ok(Examined {
        set: prepared.image.set,
        files: files.collect(),
        entries,
        faults,
    })
}
