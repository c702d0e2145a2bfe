//! A route: a channel with everything its messages need, resolved once at reconcile.

use std::sync::Arc;

use crate::contract::{ChannelInfo, ChannelPlan, Limits, Ports};
use crate::limit::Limiter;
use crate::service::{Registry, Slot};
use crate::telemetry::CallStats;

/// What all routes share.
pub(crate) struct Gateway {
    /// The services of the moment.
    pub(crate) registry: Arc<Registry>,
    /// The ports of every call.
    pub(crate) ports: Arc<Ports>,
    /// The bounds of every call.
    pub(crate) limits: Limits,
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
}
