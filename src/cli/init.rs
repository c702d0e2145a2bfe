//! `kladka init`.
