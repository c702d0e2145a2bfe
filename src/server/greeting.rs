//! What a person reads when a server is ready.

use crate::contract::Live;
use crate::server::{Mode, Server, curls};

impl Server {
    /// Returns the lines that say what runs, where, and what to try. `keys` is what can be pressed, on a terminal.
    pub fn greeting(&self, keys: Option<&str>) -> String {
        let parts = &self.parts;
        let project = parts.configuration.project.root();
        let mut lines = vec![format!(
            "kladka {} · {} · {} · ready in {:.2} s",
            env!("CARGO_PKG_VERSION"),
            self.mode.name(),
            project
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            self.took.as_secs_f64()
        )];
        lines.push(format!("  services   {}", self.services()));
        lines.extend(self.objects("channel", "channels"));
        lines.extend(self.objects("job", "jobs"));
        lines.push(format!("  requests   {}", parts.endpoints.services));
        lines.push(format!(
            "  admin      {}   (/readyz?verbose /metrics)",
            parts.endpoints.admin
        ));
        lines.extend(
            self.partner
                .iter()
                .map(|partner| format!("  partner    {partner}   (demo recordings)")),
        );
        let (watched, how) = self.watched();
        lines.push(format!("  watching   {watched}   {}", keys.unwrap_or(how)));
        lines.extend(self.degraded());
        if self.mode == Mode::Dev {
            lines.extend(curls::all(parts));
        }
        lines.join("\n")
    }

    /// Returns what is watched, and what to do about the rest.
    fn watched(&self) -> (&'static str, &'static str) {
        let (stops, reads) = ("(Ctrl-C stops)", "(SIGHUP reads config/ again)");
        match (self.parts.config.deploy.watch, self.mode) {
            (true, Mode::Dev) => ("scripts/ pickup-dir/ config/", stops),
            (true, Mode::Start) => ("scripts/ pickup-dir/ config/user/", reads),
            (false, Mode::Dev) => ("pickup-dir/ config/", stops),
            (false, Mode::Start) => ("pickup-dir/ config/user/", reads),
        }
    }

    fn services(&self) -> String {
        let snapshot = self.parts.registry.load();
        let names: Vec<String> = snapshot
            .entries()
            .map(|entry| format!("{} (r{})", entry.service.declaration().name, entry.revision))
            .collect();
        shortened(names)
    }

    fn objects(&self, kind: &str, heading: &str) -> Option<String> {
        let live = self.parts.configuration.runtime.live();
        let fitting = live
            .objects
            .values()
            .filter(|object| object.stored.id.kind.split('.').next() == Some(kind));
        let names: Vec<String> = fitting
            .map(|object| match &object.live {
                Some(Live::Channel(plan)) => format!("{} ({})", plan.name, plan.format.name()),
                Some(Live::Job(spec)) => format!("{} ({})", object.stored.id.name, timetable(spec)),
                _ => object.stored.id.name.to_string(),
            })
            .collect();
        (!names.is_empty()).then(|| format!("  {heading:10} {}", shortened(names)))
    }

    fn degraded(&self) -> Vec<String> {
        let troubles = self.parts.troubles().into_iter();
        troubles
            .map(|trouble| format!("  degraded   {}: {}", trouble.object, trouble.fault))
            .collect()
    }
}

/// Returns when a job fires, as its file says it.
fn timetable(spec: &serde_json::Value) -> String {
    let zone = spec.get("timezone").and_then(serde_json::Value::as_str);
    let rule = ["every", "cron", "at"].into_iter().find_map(|rule| {
        let text = spec.get(rule)?.as_str()?;
        Some(format!("{rule} {text}"))
    });
    let words = [rule.as_deref(), zone].into_iter().flatten();
    words.collect::<Vec<_>>().join(" ")
}

fn shortened(names: Vec<String>) -> String {
    const SHOWN: usize = 6;
    let count = names.len();
    let mut text = format!(
        "{count}   {}",
        names.into_iter().take(SHOWN).collect::<Vec<_>>().join("  ")
    );
    if count > SHOWN {
        text.push_str("  …");
    }
    text
}
