//! What load balancers and people ask of a server's health.

/// Tells how a server is doing. It never asks a shared store: a lost database must not take all nodes out at once.
pub(crate) trait Health: Send + Sync {
    /// Returns whether it takes requests, and the text that says so; `verbose` lists every check.
    fn ready(&self, verbose: bool) -> (bool, String);

    /// Returns the metrics page.
    fn metrics(&self) -> String;
}
