//! What the scripts of a REPL reach: the project in the directory, or a running server.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::base::{Fault, Faults, SystemClock};
use crate::config::interpolate::Variables;
use crate::config::{Environment, Project as Directory, ServerConfig, UserSettings};
use crate::connect::http::HttpOutgoing;
use crate::contract::{
    Connections, KeyValue, Kind as _, Limits, Ports, Services, Settings, SourceSet,
};
use crate::deploy::{Examined, Options, examine};
use crate::enmasse::Files;
use crate::kinds;
use crate::kvdb;
use crate::repl::live::{Keys, Links, Offers, Remote, declaration};
use crate::script::Api;
use crate::server::ServerVariables;
use crate::service::Registry;
use crate::stubs::Known;
use crate::testing::{objects, wanted};

/// Everything there is for scripts, at one moment.
pub(super) struct World {
    /// The ports of every call.
    pub(super) ports: Arc<Ports>,
    /// The services.
    pub(super) services: Arc<dyn Services>,
    /// The bounds of every call.
    pub(super) limits: Limits,
    /// The sources that texts may load.
    pub(super) set: Arc<SourceSet>,
    /// What has a name.
    pub(super) known: Known,
    /// What is wrong with the project; the rest of it works.
    pub(super) faults: Vec<Fault>,
}

impl World {
    /// Reads the project, and asks the server if there is one. The key/value store stays what it was.
    pub(super) async fn read(
        directory: &Directory,
        remote: Option<&Arc<dyn Remote>>,
        before: Option<&Self>,
    ) -> Result<Self, Faults> {
        let local = Local::read(directory).await?;
        match remote {
            None => {
                let kvdb = before.map(|world| Arc::clone(&world.ports.kvdb));
                let kvdb = kvdb.unwrap_or_else(|| kvdb::in_memory(Arc::new(SystemClock)));
                Ok(local.alone(directory, kvdb))
            }
            Some(remote) => local.with(remote).await,
        }
    }
}

/// What stands in the directory.
struct Local {
    limits: Limits,
    examined: Examined,
    settings: Arc<UserSettings>,
    known: Known,
    faults: Vec<Fault>,
}

impl Local {
    async fn read(directory: &Directory) -> Result<Self, Faults> {
        let environment = Environment::of_process();
        let limits = ServerConfig::load(directory, &environment)?.call_limits();
        let options = Options::new(directory.root());
        let mut known = Known {
            functions: kinds::tables().into_iter().flatten().collect(),
            settings: directory.settings().into_iter().collect(),
            shipped: options.embedded,
            ..Known::default()
        };
        let api = Api {
            rarely: true,
            ..kinds::tables().into()
        };
        let mut examined = examine(options, kinds::engines_with(&api)).await?;
        let services = examined.services().into_iter();
        known.services = services
            .map(|(name, declared)| (name.to_string(), Arc::clone(declared)))
            .collect();
        let mut faults = std::mem::take(&mut examined.faults);
        let settings = Arc::new(UserSettings::default());
        if let Err(broken) = settings.reload(&directory.config().join("user")) {
            faults.extend(broken.0);
        }
        Ok(Self {
            limits,
            examined,
            settings,
            known,
            faults,
        })
    }

    /// Makes the world of the project alone.
    fn alone(mut self, directory: &Directory, kvdb: Arc<dyn KeyValue>) -> World {
        let registry = Arc::new(Registry::default());
        registry.swap(std::mem::take(&mut self.examined.entries));
        let variables: Arc<dyn Variables> =
            Arc::new(ServerVariables::of_dev(Environment::of_process()));
        let read = Files::read(directory.root(), Some("dev"));
        let stored = match read.and_then(|files| wanted(&files, &*variables)) {
            Ok(stored) => stored,
            Err(faults) => {
                self.faults.extend(faults.0);
                Vec::new()
            }
        };
        for object in &stored {
            let id = &object.id;
            self.known
                .connect(&id.kind, id.name.as_str(), &object.source);
        }
        let connections = Arc::new(objects(directory, variables, &registry, stored));
        let services = registry.load();
        self.world(kvdb, connections, services)
    }

    /// Makes the world of a server, with the modules of the project.
    async fn with(mut self, remote: &Arc<dyn Remote>) -> Result<World, Faults> {
        let services = remote.ask("kladka.service.list", json!({})).await?;
        let services = names(&services, "services").map(|(name, _)| name);
        let own = std::mem::take(&mut self.known.services);
        let declared = services.filter_map(|name| {
            // What it declares in the server may be another text than the one in the directory.
            Some((name.to_owned(), declaration(name)?))
        });
        self.known.services = declared.collect();
        let offers = Offers::new(remote, self.known.services.values().map(Arc::clone));
        for (name, shown) in &mut self.known.services {
            if let Some(own) = own.get(name) {
                *shown = Arc::clone(own);
            }
        }
        let outgoing = remote.ask("kladka.outgoing.list", json!({})).await?;
        let mut links = Vec::new();
        for (name, kind) in names(&outgoing, "outgoing") {
            self.known.connect(kind, name, "");
            if kind == HttpOutgoing::NAME {
                links.push(name.to_owned());
            }
        }
        let kvdb = Arc::new(Keys(Arc::clone(remote)));
        let links = Arc::new(Links::new(remote, links));
        Ok(self.world(kvdb, links, Arc::new(offers)))
    }

    fn world(
        self,
        kvdb: Arc<dyn KeyValue>,
        connections: Arc<dyn Connections>,
        services: Arc<dyn Services>,
    ) -> World {
        let settings: Arc<dyn Settings> = self.settings;
        World {
            ports: Arc::new(Ports {
                kvdb,
                connections,
                settings,
                clock: Arc::new(SystemClock),
            }),
            services,
            limits: self.limits,
            set: self.examined.set,
            known: self.known,
            faults: self.faults,
        }
    }
}

/// Returns name and kind of each row of a listing.
fn names<'a>(document: &'a Json, list: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let rows = document.get(list).and_then(Json::as_array);
    let text = |row: &'a Json, field: &str| row.get(field).and_then(Json::as_str);
    let rows = rows.into_iter().flatten();
    rows.filter_map(move |row| Some((text(row, "name")?, text(row, "kind").unwrap_or_default())))
}
