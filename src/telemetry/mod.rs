//! Logs, counters and the metrics page.

mod logging;
mod metrics;
mod stats;
mod text;

pub(crate) use logging::init as init_logging;
pub(crate) use metrics::MetricsPage;
pub(crate) use stats::{CallStats, Outcome};
