//! What load balancers, people and Prometheus ask of a server.

use std::sync::Arc;

use crate::admin::{Area, Health, Parts};
use crate::connect::http::{Shared, State};
use crate::telemetry::MetricsPage;

/// Answers from what this process knows; asks no store.
pub(super) struct ServerHealth {
    pub(super) parts: Arc<Parts>,
    pub(super) shared: Arc<Shared>,
}

impl Health for ServerHealth {
    fn ready(&self, verbose: bool) -> (bool, String) {
        let state = self.shared.state();
        let word = match state {
            State::Starting => "starting",
            State::Ready => "ready",
            State::Draining => "draining",
        };
        let mut text = format!("{word}\n");
        if verbose {
            text.push_str(&self.checks());
        }
        (state == State::Ready, text)
    }

    fn metrics(&self) -> String {
        let mut page = MetricsPage::default();
        page.metric("kladka_build_info", "gauge", "The version that runs.");
        page.sample(
            "kladka_build_info",
            &[("version", env!("CARGO_PKG_VERSION"))],
            1,
        );
        self.server(&mut page);
        self.calls(&mut page);
        page.finish()
    }
}

impl ServerHealth {
    /// Lists what is wrong: nothing of it makes the server unready, since the last good revision serves.
    fn checks(&self) -> String {
        let section = |area: Area| {
            let well = area.troubles.is_empty();
            let state = if well { "ok" } else { "degraded" };
            let mut lines = vec![format!("[{state}] {}", area.name)];
            lines.extend(area.troubles.iter().map(|trouble| trouble.fault.block()));
            lines.join("\n") + "\n"
        };
        self.parts.areas().into_iter().map(section).collect()
    }

    fn server(&self, page: &mut MetricsPage) {
        page.metric(
            "kladka_uptime_seconds",
            "gauge",
            "How long the server has been running.",
        );
        page.sample(
            "kladka_uptime_seconds",
            &[],
            self.parts.started.elapsed().as_secs(),
        );
        page.metric(
            "kladka_connections",
            "gauge",
            "Open connections on the services port.",
        );
        page.sample("kladka_connections", &[], self.shared.connections());
        page.metric(
            "kladka_connections_refused_total",
            "counter",
            "Connections refused because too many were open.",
        );
        page.sample(
            "kladka_connections_refused_total",
            &[],
            self.shared.refused(),
        );
        page.metric(
            "kladka_requests_in_flight",
            "gauge",
            "Requests being handled.",
        );
        page.sample("kladka_requests_in_flight", &[], self.shared.in_flight());
        page.metric("kladka_services", "gauge", "Services that serve.");
        page.sample(
            "kladka_services",
            &[],
            self.parts.registry.load().entries().count(),
        );
        page.metric(
            "kladka_degraded",
            "gauge",
            "What is wrong: as many as /readyz?verbose names.",
        );
        page.sample("kladka_degraded", &[], self.parts.troubles().len());
    }

    fn calls(&self, page: &mut MetricsPage) {
        let live = self.parts.configuration.runtime.live();
        let routes = live
            .objects
            .values()
            .filter_map(|object| object.route.as_ref());
        let routes = routes.map(|route| {
            let plan = &route.plan;
            (plan.service.as_str(), plan.name.as_str(), &*route.stats)
        });
        let services = self.parts.registry.load();
        let direct = services.entries().map(|entry| {
            // By no channel: the label is empty, so that a sum over all of a service counts each call once.
            let name = entry.service.declaration().name.as_str();
            (name, "", &*entry.direct)
        });
        let all: Vec<_> = routes.chain(direct).collect();
        let (calls, seconds) = (
            "kladka_service_calls_total",
            "kladka_service_duration_seconds",
        );
        page.metric(
            calls,
            "counter",
            "Calls, by service, outcome and channel; those of jobs, other services and the API have none.",
        );
        for (service, channel, stats) in &all {
            page.outcomes(calls, &[("service", service), ("channel", channel)], stats);
        }
        page.metric(seconds, "histogram", "Time from message or call to answer.");
        for (service, channel, stats) in &all {
            page.histogram(
                seconds,
                &[("service", service), ("channel", channel)],
                stats,
            );
        }
    }
}
