//! Calls from the control plane: the CLI, the admin API, jobs. They enter the pipeline at the service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::{Caller, Cid, Code, Fault, Opening, ServiceName, Stories, Story, Text, Value};
use crate::contract::{
    Answer, Ctx, Dispatch, Entry, Invocation, JobInfo, Limits, Ports, Request, Services,
};
use crate::service::Registry;
use crate::service::invoke::{SHOWN, with_input};
use crate::sio;

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
    /// Where it is told what happened to messages.
    pub(crate) stories: Option<Arc<Stories>>,
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
        let timeout = terms.timeout;
        let stories = self.stories.as_ref().zip(entry.as_ref());
        let teller =
            stories.map(|(stories, entry)| stories.begin(self.opening(entry, &given, &terms)));
        let story = teller.as_ref().map(|teller| Arc::clone(teller.story()));
        let ctx = self.context(terms, story, services);
        let name = service.clone();
        let calling = self.dispatch.invoke(Invocation {
            ctx,
            service,
            input,
        });
        let answer = tokio::time::timeout(timeout, calling).await;
        let answer = answer.unwrap_or_else(|_late| {
            let message = format!("service '{name}' did not answer in time");
            Err(Fault::new(Code::WallBudget, message))
        });
        let complete = |fault: Fault| match entry {
            Some(entry) if fault.status() >= 500 && fault.place().is_some() => {
                with_input(fault, &given, entry.service.declaration()).during(&cid, None)
            }
            _ => fault,
        };
        let answer = answer.map_err(complete);
        if let Some(teller) = teller {
            let chosen = answer.as_ref().map(|answer| answer.status.unwrap_or(200));
            teller.end(chosen.unwrap_or_else(Fault::status), answer.as_ref().err());
        }
        Ok(Called {
            answer: answer?,
            revision,
        })
    }

    fn context(&self, terms: Terms, story: Option<Arc<Story>>, services: Arc<dyn Services>) -> Ctx {
        let caller = Caller {
            security: Text::default(),
            name: Text::new(terms.caller),
        };
        let request = Request {
            read_only: terms.read_only,
            story,
            ..Request::default()
        };
        Ctx {
            cid: terms.cid,
            caller: Arc::new(caller),
            channel: None,
            job: terms.job.map(Arc::new),
            request: Arc::new(request),
            deadline: Instant::now() + terms.timeout,
            depth: 0,
            limits: self.limits,
            ports: Arc::clone(&self.ports),
            services,
        }
    }

    fn opening(&self, entry: &Entry, input: &Value, terms: &Terms) -> Opening {
        let declaration = entry.service.declaration();
        Opening {
            cid: terms.cid.clone(),
            service: declaration.name.clone(),
            place: declaration.place.clone(),
            revision: entry.revision,
            way: match &terms.job {
                Some(job) => format!("job {}", job.name),
                None => terms.caller.to_owned(),
            },
            at: self.ports.clock.now(),
            input: sio::masked(input, declaration).to_string(),
        }
    }
}
