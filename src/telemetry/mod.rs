//! Logs, counters and the metrics page.
