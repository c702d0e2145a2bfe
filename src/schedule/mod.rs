//! Jobs: when they fire, and their runs.
