//! Checks a project's objects without a server.

use crate::admin::clashes;
use crate::base::{Fault, Faults};
use crate::config::{Environment, Project};
use crate::enmasse::{self, Against, Files, WantedSet};
use crate::kinds::KINDS;
use crate::server::variables::ServerVariables;

/// Returns how many objects the project's files describe, with warnings; or every problem of them.
///
/// Both forms are checked: that of `start`, and that of `dev` with its overlay.
pub(crate) fn validate(
    project: &Project,
    environment: Environment,
) -> Result<(usize, Vec<Fault>), Faults> {
    let (wanted, warnings) = configuration(project, environment.clone(), None)?;
    configuration(project, environment, Some("dev"))?;
    Ok((wanted.objects.len(), warnings))
}

/// Reads and checks the objects of a project, with an overlay or without; returns them with the warnings.
pub(crate) fn configuration(
    project: &Project,
    environment: Environment,
    overlay: Option<&str>,
) -> Result<(WantedSet, Vec<Fault>), Faults> {
    let variables = ServerVariables::of_dev(environment);
    let against = Against {
        kinds: KINDS,
        variables: &variables,
        stored: &[],
    };
    let (wanted, warnings) = enmasse::load(&Files::read(project.root(), overlay)?, &against)?;
    clashes(&wanted.objects).into_result()?;
    Ok((wanted, warnings))
}
