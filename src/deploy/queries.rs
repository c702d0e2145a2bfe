//! Reads: lists, single services, histories, what is wrong. None of them waits for a change that
//! runs.

use crate::base::{Fault, ServiceName};
use crate::deploy::deployer::Deployer;
use crate::deploy::report::{ServiceDetail, ServiceInfo};
use crate::service;
use crate::store::RevisionRow;

impl Deployer {
    /// Returns all services, by name.
    pub(crate) fn list(&self) -> Vec<ServiceInfo> {
        self.view.load().services.clone()
    }

    /// Returns what is wrong now: files whose newest text does not serve, the last deployment if it
    /// was refused, bad lines of the list of places. Empty when all is well.
    pub(crate) fn status(&self) -> Vec<Fault> {
        self.view.load().faults.clone()
    }

    /// Returns all that is known of a service.
    pub(crate) async fn show(&self, name: &ServiceName) -> Result<ServiceDetail, Fault> {
        let view = self.view.load_full();
        let found = view.services.iter().find(|info| info.name == *name);
        let service = found.ok_or_else(|| self.no_service(name))?.clone();
        let history = self.history(name).await?;
        let source = view.image.set.by_path.get(&service.path);
        let loaded = view.image.loaded.get(&service.path);
        let declarations = loaded.into_iter().flat_map(|file| &file.services);
        let declarations: Vec<_> = declarations.map(|service| service.declaration()).collect();
        let own = declarations.iter().find(|declared| declared.name == *name);
        let siblings = declarations
            .iter()
            .filter(|declared| declared.name != *name);
        Ok(ServiceDetail {
            doc: own.map(|declared| declared.doc.clone()).unwrap_or_default(),
            line: own.map_or(0, |declared| declared.place.line),
            siblings: siblings.map(|declared| declared.name.clone()).collect(),
            text: source.map(|source| source.text.clone()).unwrap_or_default(),
            sha256: source
                .map(|source| source.sha256.clone())
                .unwrap_or_default(),
            service,
            history,
        })
    }

    /// Returns the revisions of a service on record, newest first; also of one that is gone.
    pub(crate) async fn history(&self, name: &ServiceName) -> Result<Vec<RevisionRow>, Fault> {
        let rows = self.store.revisions(name.as_str()).await?;
        if rows.is_empty() && !self.list().iter().any(|info| info.name == *name) {
            return Err(self.no_service(name));
        }
        Ok(rows)
    }

    fn no_service(&self, name: &ServiceName) -> Fault {
        let services = self.list();
        service::unknown(name.as_str(), services.iter().map(|info| &info.name))
    }
}
