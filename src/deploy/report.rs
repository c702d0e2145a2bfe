//! What a reload or deployment did, and what the services look like: the shapes that leave this
//! module.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::base::{Fault, ServiceName};
use crate::store::RevisionRow;

/// What a reload, deployment, rollback or deletion did.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    /// One line for each service that serves, was added, removed or failed; sorted by name.
    pub(crate) services: Vec<Line>,
    /// Everything that is wrong, also of files that define no service.
    pub(crate) faults: Vec<Fault>,
    /// The package on record, for a deployment.
    pub(crate) package_id: Option<i64>,
    /// Whether the change is live. `false`: nothing changed, the last good revisions serve.
    pub(crate) applied: bool,
}

/// What happened to one service.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) name: ServiceName,
    /// The revision that served before.
    pub(crate) old: Option<u32>,
    /// The revision that serves now.
    pub(crate) new: Option<u32>,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// How long loading its file took.
    pub(crate) elapsed_ms: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) faults: Vec<Fault>,
}

/// What became of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// A new revision serves.
    Ok,
    /// Nothing changed.
    Same,
    /// Its new text is not good; the old revision serves, if there was one.
    Failed,
    /// Its file is gone.
    Removed,
}

/// Who changes something, and by which way.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// By which way: `file`, `pickup`, `api`, `cli`.
    pub(crate) way: String,
    /// Who: a user's name, or empty.
    pub(crate) author: String,
}

impl Origin {
    /// Returns the origin of a change that came by `way` from nobody in particular.
    pub(crate) fn way(way: &str) -> Self {
        Self {
            way: way.to_owned(),
            author: String::new(),
        }
    }
}

/// What to reload.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    /// Everything that changed.
    All,
    /// What changed of these services and the modules they use.
    Names(Vec<ServiceName>),
}

/// Whether the newest text of a service serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It does.
    Ok,
    /// It is not good, and an older revision serves.
    Degraded,
}

/// A service, as lists show it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServiceInfo {
    /// Its name.
    pub(crate) name: ServiceName,
    /// The revision that serves.
    pub(crate) revision: u32,
    /// The language it is written in.
    pub(crate) language: &'static str,
    /// Whether the newest text serves.
    pub(crate) state: State,
    /// Why it is degraded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) faults: Vec<Fault>,
    /// The file that defines it.
    pub(crate) path: String,
    /// The modules it uses.
    pub(crate) uses: Vec<String>,
    /// The package its revision came in.
    pub(crate) package: Option<i64>,
}

/// A service with all that is known of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServiceDetail {
    /// What lists show.
    pub(crate) service: ServiceInfo,
    /// What it does.
    pub(crate) doc: String,
    /// The text that serves.
    pub(crate) text: String,
    /// The SHA-256 of the text.
    pub(crate) sha256: String,
    /// The line where it is declared.
    pub(crate) line: u32,
    /// Other services of the same file.
    pub(crate) siblings: Vec<ServiceName>,
    /// Its revisions, newest first.
    pub(crate) history: Vec<RevisionRow>,
}

/// Returns each fault once: one of a module is reported by every file that requires it.
pub(in crate::deploy) fn distinct(faults: impl IntoIterator<Item = Fault>) -> Vec<Fault> {
    let mut seen = BTreeSet::new();
    let mut faults: Vec<Fault> = faults.into_iter().collect();
    faults.retain(|fault| {
        let place = fault.place().map(ToString::to_string);
        seen.insert((place, fault.code().as_str(), fault.message().to_owned()))
    });
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Code, Place};

    #[test]
    fn the_fault_of_a_shared_module_is_told_once_and_others_stay() {
        let at = |line, message: &str| {
            Fault::new(Code::BadSource, message).at(Place::new("scripts/lib.lua", line, 1))
        };
        let module = at(3, "no such name").trace(vec!["required by a.lua".to_owned()]);
        let again = at(3, "no such name").trace(vec!["required by b.lua".to_owned()]);
        let all = [module, at(3, "another"), again, at(4, "no such name")];
        let told: Vec<_> = distinct(all)
            .iter()
            .map(|fault| format!("{} {}", fault.place().unwrap().line, fault.message()))
            .collect();
        assert_eq!(told, ["3 no such name", "3 another", "4 no such name"]);
    }
}
