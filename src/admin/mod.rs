//! The operations of the admin API.
