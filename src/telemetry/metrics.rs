//! The metrics page in the Prometheus text format.

use std::fmt::Write as _;

use crate::base::{CallStats, Ending};

/// A metrics page under construction. Label values are names that we checked; they need no escaping
/// beyond quotes and backslashes.
#[derive(Default)]
pub(crate) struct MetricsPage {
    text: String,
}

impl MetricsPage {
    /// Starts a metric: its help line and type.
    pub(crate) fn metric(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    /// Adds one sample.
    pub(crate) fn sample(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: impl std::fmt::Display,
    ) {
        let labels = render(labels);
        self.line(format_args!("{name}{labels} {value}"));
    }

    /// Adds the samples of a set of call counters: totals by outcome.
    pub(crate) fn outcomes(&mut self, name: &str, labels: &[(&str, &str)], stats: &CallStats) {
        for (word, outcome) in [
            ("ok", Ending::Ok),
            ("refused", Ending::Refused),
            ("failed", Ending::Failed),
        ] {
            let labels: Vec<_> = labels.iter().copied().chain([("outcome", word)]).collect();
            self.sample(name, &labels, stats.outcome(outcome));
        }
    }

    /// Adds the samples of a latency histogram in seconds.
    pub(crate) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], stats: &CallStats) {
        for (bound_us, count) in stats.cumulated() {
            let bound = format!(
                "{}",
                std::time::Duration::from_micros(bound_us).as_secs_f64()
            );
            let labels: Vec<_> = labels
                .iter()
                .copied()
                .chain([("le", bound.as_str())])
                .collect();
            self.sample(&format!("{name}_bucket"), &labels, count);
        }
        let rest: Vec<_> = labels.iter().copied().chain([("le", "+Inf")]).collect();
        self.sample(&format!("{name}_bucket"), &rest, stats.calls());
        self.sample(&format!("{name}_sum"), labels, stats.seconds());
        self.sample(&format!("{name}_count"), labels, stats.calls());
    }

    /// Returns the page.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        self.text.write_fmt(line).unwrap_or_default();
        self.text.push('\n');
    }
}

fn render(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let escape = |value: &str| {
        value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
    };
    let pairs: Vec<_> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_prometheus_expects() {
        let mut page = MetricsPage::default();
        page.metric("kladka_build_info", "gauge", "The version that runs.");
        page.sample("kladka_build_info", &[("version", "0.1\"0")], 1);
        expect_test::expect![[r#"
            # HELP kladka_build_info The version that runs.
            # TYPE kladka_build_info gauge
            kladka_build_info{version="0.1\"0"} 1
        "#]]
        .assert_eq(&page.finish());
    }
}
