//! Start-up, in the order of the modules.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::admin::{AdminPort, Configuration, Endpoints, Parts, operations};
use crate::base::{Clock, Code, Fault, Stories, SystemClock};
use crate::config::interpolate::Variables;
use crate::config::{Environment, Project, ServerConfig, UserSettings};
use crate::connect::http::{self, Fallback, HttpLimits, Shared, State, Threads, Timeouts};
use crate::contract::{Dispatch, KeyValue, Ports};
use crate::deploy::{Deployer, Options, Parts as DeployParts};
use crate::gateway::Gateway;
use crate::kinds::{FORMATS, KINDS, engines};
use crate::kvdb::{self, Durability};
use crate::net::{ServerTls, listen};
use crate::runtime::{Builder, Runtime};
use crate::schedule::Scheduler;
use crate::script;
use crate::server::health::ServerHealth;
use crate::server::jobs::Runner;
use crate::server::variables::ServerVariables;
use crate::server::{Mode, Server, editor, files, objects};
use crate::service::{Direct, Registry};
use crate::store::Store;
use crate::tasks::Tasks;
use crate::telemetry;

/// What the first steps found: everything that needs no other part.
struct Ground {
    mode: Mode,
    project: Project,
    config: ServerConfig,
    data: std::path::PathBuf,
    services: TcpListener,
    admin: TcpListener,
    tasks: Tasks,
    clock: Arc<dyn Clock>,
    /// Where it is told what happened to messages: in `dev` alone.
    stories: Option<Arc<Stories>>,
}

impl Server {
    /// Starts a server on a project and returns it once it takes requests.
    pub async fn start(
        mode: Mode,
        project: Project,
        environment: Environment,
    ) -> Result<Self, Fault> {
        let started = Instant::now();
        let config = ServerConfig::load(&project, &environment)?;
        telemetry::init_logging(&config.log);
        // Every library that speaks TLS takes the provider of the process; a second server finds it installed.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let data = project.data(&config.data.dir);
        files::prepare(&data)?;
        let lock = files::lock(&data)?;
        files::remove_endpoints(&data);
        let services = listen(address(&config.listen.services)?)?;
        let admin = listen(admin_address(&config)?)?;
        let ground = Ground {
            mode,
            project,
            config,
            data,
            services,
            admin,
            tasks: Tasks::default(),
            clock: Arc::new(SystemClock),
            stories: (mode == Mode::Dev).then(Arc::default),
        };
        let partner = ground.partner()?;
        let variables = ServerVariables {
            environment,
            partner: partner.clone(),
        };
        ground.build(variables, partner, lock, started).await
    }
}

/// What carries messages: the state that all cores share, the way to them, and their threads.
struct Plane {
    shared: Arc<Shared>,
    dispatch: Dispatch,
    cores: Vec<std::thread::JoinHandle<()>>,
}

impl Ground {
    async fn build(
        self,
        variables: ServerVariables,
        partner: Option<String>,
        lock: files::Lock,
        started: Instant,
    ) -> Result<Server, Fault> {
        let store = Store::open(&self.data.join("kladka.db")).await?;
        let kvdb = self.kvdb()?;
        let registry = Arc::new(Registry::default());
        let settings = Arc::new(UserSettings::default());
        objects::reload_settings(&settings, &self.project);
        let variables: Arc<dyn Variables> = Arc::new(variables);
        // The runtime publishes routes to the data plane, which is made after it.
        let plane: Arc<OnceLock<Arc<Shared>>> = Arc::default();
        let runtime = Arc::new(self.runtime(&registry, &variables, &plane));
        let ports = Arc::new(self.ports(&kvdb, &runtime, &settings));
        let tls = self.tls()?;
        let made = self.plane(&registry, &ports, tls.clone())?;
        let (shared, dispatch) = (made.shared, made.dispatch);
        drop(plane.set(Arc::clone(&shared)));
        let direct = self.direct(&dispatch, &registry, ports);
        let scheduler = self.scheduler(&store, &direct);
        let deployer = self.deployer(&store, &registry, &dispatch);
        let configuration = Configuration {
            project: self.project.clone(),
            overlay: self.mode.overlay(),
            kinds: KINDS,
            variables,
            store: store.clone(),
            runtime,
            scheduler,
            refused: ArcSwap::default(),
        };
        let parts = Arc::new(Parts {
            mode: self.mode.name(),
            config: self.config.clone(),
            started,
            endpoints: self.endpoints()?,
            configuration,
            deployer,
            registry,
            direct,
            tls,
            settings,
            stop: CancellationToken::new(),
        });
        self.open(&parts, &shared, &dispatch).await?;
        Ok(Server {
            mode: self.mode,
            parts,
            shared,
            store,
            kvdb,
            tasks: self.tasks.clone(),
            cores: made.cores,
            partner,
            took: started.elapsed(),
            lock,
        })
    }

    fn runtime(
        &self,
        registry: &Arc<Registry>,
        variables: &Arc<dyn Variables>,
        plane: &Arc<OnceLock<Arc<Shared>>>,
    ) -> Runtime {
        Runtime::new(Builder {
            kinds: KINDS,
            formats: FORMATS,
            registry: Arc::clone(registry),
            clock: Arc::clone(&self.clock),
            project: self.project.root().to_path_buf(),
            resolve: objects::resolver(self.mode, Arc::clone(variables)),
            publish: objects::publisher(Arc::clone(plane)),
        })
    }

    fn ports(
        &self,
        kvdb: &Arc<dyn KeyValue>,
        runtime: &Arc<Runtime>,
        settings: &Arc<UserSettings>,
    ) -> Ports {
        Ports {
            kvdb: Arc::clone(kvdb),
            connections: Arc::clone(runtime) as _,
            settings: Arc::clone(settings) as _,
            clock: Arc::clone(&self.clock),
        }
    }

    fn direct(&self, dispatch: &Dispatch, registry: &Arc<Registry>, ports: Arc<Ports>) -> Direct {
        Direct {
            dispatch: dispatch.clone(),
            registry: Arc::clone(registry),
            ports,
            limits: self.config.call_limits(),
            stories: self.stories.clone(),
        }
    }

    fn scheduler(&self, store: &Store, direct: &Direct) -> Scheduler {
        let runner = Runner {
            direct: direct.clone(),
        };
        Scheduler::new(
            store.clone(),
            Arc::clone(&self.clock),
            Arc::new(runner),
            self.tasks.clone(),
            "local".into(),
        )
    }

    /// Loads the scripts and objects, then opens the doors.
    async fn open(
        &self,
        parts: &Arc<Parts>,
        shared: &Arc<Shared>,
        dispatch: &Dispatch,
    ) -> Result<(), Fault> {
        parts.deployer.start_up().await?;
        objects::apply_at_start(self.mode, &parts.configuration).await?;
        parts.deployer.watch(&self.tasks);
        objects::watch(self.mode, parts, &self.tasks)?;
        if self.mode == Mode::Dev {
            editor::keep_fresh(parts, &self.tasks);
        }
        let token = files::token(&self.data)?;
        let health = ServerHealth {
            parts: Arc::clone(parts),
            shared: Arc::clone(shared),
        };
        let port = AdminPort::new(operations(parts), token, Arc::new(health));
        serve_admin(port, &self.admin, &self.tasks)?;
        http::accept(clone(&self.services)?, dispatch.clone(), shared)?;
        parts.configuration.scheduler.start().await?;
        shared.set_state(State::Ready);
        files::write_endpoints(
            &self.data,
            &parts.endpoints.services,
            &parts.endpoints.admin,
        )?;
        // Without a service manager there is nobody to notify.
        drop(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
        Ok(())
    }

    fn partner(&self) -> Result<Option<String>, Fault> {
        if self.mode != Mode::Dev {
            return Ok(None);
        }
        let address = match self.config.dev.partner.as_str() {
            "0" => SocketAddr::from(([127, 0, 0, 1], 0)),
            other => address(other)?,
        };
        let partner = http::start_partner(address, &self.project.recordings(), &self.tasks)?;
        Ok(Some(format!("http://{partner}")))
    }

    fn kvdb(&self) -> Result<Arc<dyn KeyValue>, Fault> {
        let word = &self.config.kvdb.durability;
        let durability = Durability::parse(word).ok_or_else(|| {
            Fault::new(
                Code::ConfigConstraint,
                format!("[kvdb] durability = {word:?} is not known"),
            )
            .hint("Write batched or always.")
        })?;
        kvdb::open(&self.config.kvdb.url, &self.data, durability, &self.tasks)
    }

    fn plane(
        &self,
        registry: &Arc<Registry>,
        ports: &Arc<Ports>,
        tls: Option<Arc<ServerTls>>,
    ) -> Result<Plane, Fault> {
        let gateway = Gateway {
            registry: Arc::clone(registry),
            ports: Arc::clone(ports),
            limits: self.config.call_limits(),
            open: self.mode == Mode::Dev,
            stories: self.stories.clone(),
        };
        let fallback = Fallback::new(FORMATS)?;
        let limits = self.http_limits();
        let shared = Shared::new(
            Arc::new(gateway),
            fallback,
            limits,
            tls,
            script::sweep,
            self.tasks.clone(),
        );
        let shared = Arc::new(shared);
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let wanted = usize::try_from(self.config.limits.cores).unwrap_or(usize::MAX);
        let count = if wanted == 0 {
            processors
        } else {
            wanted.min(256)
        };
        let long = usize::try_from(self.config.limits.long_cores).unwrap_or(usize::MAX);
        let threads = Threads {
            cores: count,
            long: long.min(256),
        };
        let (dispatch, cores) = http::start_cores(threads, &shared)?;
        Ok(Plane {
            shared,
            dispatch,
            cores,
        })
    }

    fn http_limits(&self) -> HttpLimits {
        let limits = &self.config.limits;
        let count = |limit| usize::try_from(limit).unwrap_or(usize::MAX);
        HttpLimits {
            connections: count(limits.connections),
            connections_per_address: count(limits.connections_per_address),
            timeouts: Timeouts {
                head: limits.header_timeout.into(),
                body: limits.body_timeout.into(),
                idle: limits.idle_timeout.into(),
                ..Timeouts::default()
            },
            ..HttpLimits::default()
        }
    }

    fn tls(&self) -> Result<Option<Arc<ServerTls>>, Fault> {
        let tls = &self.config.tls;
        if tls.certificate.is_empty() {
            return Ok(None);
        }
        let path = |file: &str| self.project.root().join(file);
        let tls = Arc::new(ServerTls::load(&path(&tls.certificate), &path(&tls.key))?);
        tls.watch(&self.tasks);
        Ok(Some(tls))
    }

    fn deployer(
        &self,
        store: &Store,
        registry: &Arc<Registry>,
        dispatch: &Dispatch,
    ) -> Arc<Deployer> {
        let mut options = Options::new(self.project.root());
        options.data.clone_from(&self.data);
        options.watch = self.config.deploy.watch;
        let (tasks, cores) = (self.tasks.clone(), dispatch.clone());
        Deployer::new(DeployParts {
            options,
            engines: engines(),
            store: store.clone(),
            registry: Arc::clone(registry),
            clock: Arc::clone(&self.clock),
            tasks: self.tasks.clone(),
            on_swap: Arc::new(move |_report| {
                let cores = cores.clone();
                tasks.spawn("sweep", async move { cores.sweep().await });
            }),
        })
    }

    fn endpoints(&self) -> Result<Endpoints, Fault> {
        let scheme = if self.config.tls.certificate.is_empty() {
            "http"
        } else {
            "https"
        };
        Ok(Endpoints {
            services: url(scheme, &self.services)?,
            admin: url("http", &self.admin)?,
        })
    }
}

fn serve_admin(port: Arc<AdminPort>, listener: &TcpListener, tasks: &Tasks) -> Result<(), Fault> {
    let failed = |error: std::io::Error| Fault::new(Code::Internal, format!("admin port: {error}"));
    let listener = clone(listener)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
    let stop = tasks.soft.clone();
    tasks.spawn("admin port", async move {
        if let Err(error) = port.serve(listener, stop.cancelled_owned()).await {
            tracing::error!(%error, "Admin port failed.");
        }
    });
    Ok(())
}

fn clone(listener: &TcpListener) -> Result<TcpListener, Fault> {
    listener
        .try_clone()
        .map_err(|error| Fault::new(Code::Internal, format!("listener: {error}")))
}

/// Returns the URL of a listener; one that listens everywhere is reached by loopback.
fn url(scheme: &str, listener: &TcpListener) -> Result<String, Fault> {
    let bound = listener.local_addr();
    let mut bound =
        bound.map_err(|error| Fault::new(Code::Internal, format!("listener: {error}")))?;
    if bound.ip().is_unspecified() {
        bound.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Ok(format!("{scheme}://{bound}"))
}

/// Tells whether the ports of the settings are free.
pub(crate) fn check_ports(config: &ServerConfig) -> Result<(), Fault> {
    listen(address(&config.listen.services)?)?;
    listen(admin_address(config)?).map(drop)
}

fn address(text: &str) -> Result<SocketAddr, Fault> {
    let found = text
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| {
        Fault::new(
            Code::ConfigConstraint,
            format!("{text:?} is not an address to listen on"),
        )
        .hint("Write HOST:PORT, such as 127.0.0.1:17010; port 0 takes any free one.")
    })
}

fn admin_address(config: &ServerConfig) -> Result<SocketAddr, Fault> {
    let address = address(&config.listen.admin)?;
    if address.ip().is_loopback() || config.listen.admin_insecure {
        return Ok(address);
    }
    Err(Fault::new(
        Code::ConfigConstraint,
        format!(
            "[listen] admin = {:?} is open to the network",
            config.listen.admin
        ),
    )
    .hint("Use 127.0.0.1, or set admin_insecure = true if something else protects it."))
}
