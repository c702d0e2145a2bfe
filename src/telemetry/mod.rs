//! Logs and the metrics page.

mod logging;
mod metrics;
mod record;
mod text;

pub(crate) use logging::{init as init_logging, init_brief as init_brief_logging};
pub(crate) use metrics::MetricsPage;
pub(crate) use record::{Logged, Recorder};
pub(crate) use text::escaped;
