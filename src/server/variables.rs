//! What `${…}` in objects may name: the environment, secrets in it, and in `dev` the demo partner.

use crate::config::Environment;
use crate::config::interpolate::{Variables, secret_variable};

/// The variables of one server.
pub(crate) struct ServerVariables {
    /// The environment of the process.
    pub(crate) environment: Environment,
    /// The address of the demo partner; `None` outside `dev`.
    pub(crate) partner: Option<String>,
}

impl ServerVariables {
    /// The variables of a project as `dev` has them, where no server runs: the partner is where it usually listens.
    pub(crate) fn of_dev(environment: Environment) -> Self {
        Self {
            environment,
            partner: Some("http://127.0.0.1:17020".to_owned()),
        }
    }
}

impl Variables for ServerVariables {
    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name).map(str::to_owned)
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.env(&secret_variable(name))
    }

    fn dev(&self, name: &str) -> Option<String> {
        self.partner.clone().filter(|_| name == "partner")
    }
}
