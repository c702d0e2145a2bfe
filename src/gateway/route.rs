//! A route: a channel with everything its messages need, resolved once at reconcile.

use std::sync::Arc;

use crate::base::{CallStats, Code, Fault, Stories};
use crate::contract::{ChannelInfo, ChannelPlan, Limits, Ports};
use crate::limit::Limiter;
use crate::service::{Registry, Slot, Snapshot};

/// What all routes share.
pub(crate) struct Gateway {
    /// The services of the moment.
    pub(crate) registry: Arc<Registry>,
    /// The ports of every call.
    pub(crate) ports: Arc<Ports>,
    /// The bounds of every call.
    pub(crate) limits: Limits,
    /// Whether clients see where a script failed, as in `dev`.
    pub(crate) open: bool,
    /// Where it is told what happened to messages, as in `dev`.
    pub(crate) stories: Option<Arc<Stories>>,
}

/// A channel, ready for its messages. Nothing is looked up by name once this stands.
pub(crate) struct Route {
    /// What the channel's kind made of its spec.
    pub(crate) plan: Arc<ChannelPlan>,
    /// Whether it is switched on.
    pub(crate) enabled: bool,
    /// Its counters; they outlive an edit of the channel.
    pub(crate) stats: Arc<CallStats>,
    pub(super) info: Arc<ChannelInfo>,
    pub(super) slot: Slot,
    pub(super) limiter: Option<Limiter>,
}

impl Route {
    /// Resolves a channel.
    pub(crate) fn new(plan: Arc<ChannelPlan>, enabled: bool, registry: &Registry) -> Self {
        let info = ChannelInfo {
            name: plan.name.clone(),
            transport: "http",
            format: plan.format.name(),
        };
        Self {
            enabled,
            stats: Arc::default(),
            info: Arc::new(info),
            slot: registry.slot(&plan.service),
            limiter: plan.rate_limit.as_ref().map(Limiter::new),
            plan,
        }
    }

    /// Takes over the counters of the route it replaces.
    #[must_use]
    pub(crate) fn counting_on(mut self, stats: Arc<CallStats>) -> Self {
        self.stats = stats;
        self
    }

    /// Returns why every message of it is answered 503, if that is so: its security definition lets nobody in, or
    /// its service is gone.
    pub(crate) fn closed(&self, services: &Snapshot) -> Option<Fault> {
        let guard = self.plan.guard.as_ref();
        let unusable = guard.and_then(|guard| guard.usable().err());
        let gone = || {
            let hint =
                "See `kladka service list` for what serves and what is wrong with the files.";
            let gone = services.at(self.slot).is_none();
            gone.then(|| self.gone().hint(hint))
        };
        let why = unusable.or_else(gone)?;
        let message = format!("channel '{}': {}", self.plan.name, why.message());
        let fault = Fault::new(why.code(), message);
        Some(match why.hint_text() {
            Some(hint) => fault.hint(hint),
            None => fault,
        })
    }

    /// Returns the answer while no file defines its service.
    pub(super) fn gone(&self) -> Fault {
        Fault::new(
            Code::ServiceGone,
            format!("service '{}' is not available", self.plan.service),
        )
        .header("Retry-After", "5")
    }
}
