//! Calls from the control plane: the CLI, the admin API, jobs. They enter the pipeline at the service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::{Caller, Cid, Code, Fault, ServiceName, Text, Value};
use crate::contract::{
    Answer, Ctx, Dispatch, Invocation, JobInfo, Limits, Ports, Request, Services as _,
};
use crate::service::Registry;
use crate::service::invoke::{SHOWN, with_input};

/// The way from the control plane to a service.
#[derive(Clone)]
pub(crate) struct Direct {
    /// The cores.
    pub(crate) dispatch: Dispatch,
    /// The services of the moment.
    pub(crate) registry: Arc<Registry>,
    /// The ports of every call.
    pub(crate) ports: Arc<Ports>,
    /// The bounds of every call.
    pub(crate) limits: Limits,
}

/// Who calls, for how long, and for which run.
pub(crate) struct Terms {
    /// The correlation id.
    pub(crate) cid: Cid,
    /// The caller's name, such as `cli`.
    pub(crate) caller: &'static str,
    /// How long the caller waits.
    pub(crate) timeout: Duration,
    /// The run of a job.
    pub(crate) job: Option<JobInfo>,
    /// Whether nothing may be changed.
    pub(crate) read_only: bool,
}

/// An answer and the revision that gave it.
pub(crate) struct Called {
    /// The answer.
    pub(crate) answer: Answer,
    /// The revision.
    pub(crate) revision: u32,
}

impl Direct {
    /// Calls a service with input that is not bound yet.
    pub(crate) async fn invoke(
        &self,
        service: ServiceName,
        input: Value,
        terms: Terms,
    ) -> Result<Called, Fault> {
        let services = self.registry.load();
        let entry = services.find(service.as_str());
        let revision = entry.as_ref().map_or(0, |entry| entry.revision);
        let (cid, given) = (terms.cid.clone(), input.excerpt(SHOWN));
        let ctx = Ctx {
            cid: terms.cid,
            caller: Arc::new(Caller {
                security: Text::default(),
                name: Text::new(terms.caller),
            }),
            channel: None,
            job: terms.job.map(Arc::new),
            request: Arc::new(Request {
                read_only: terms.read_only,
                ..Request::default()
            }),
            deadline: Instant::now() + terms.timeout,
            depth: 0,
            limits: self.limits,
            ports: Arc::clone(&self.ports),
            services,
        };
        let name = service.clone();
        let calling = self.dispatch.invoke(Invocation {
            ctx,
            service,
            input,
        });
        let answer = tokio::time::timeout(terms.timeout, calling)
            .await
            .map_err(|_late| {
                Fault::new(
                    Code::WallBudget,
                    format!("service '{name}' did not answer in time"),
                )
            })?;
        let complete = |fault: Fault| match entry {
            Some(entry) if fault.status() >= 500 && fault.place().is_some() => {
                with_input(fault, &given, entry.service.declaration()).during(&cid, None)
            }
            _ => fault,
        };
        let answer = answer.map_err(complete)?;
        Ok(Called { answer, revision })
    }
}
