//! `kladka doctor`.
