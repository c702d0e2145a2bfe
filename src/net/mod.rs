//! TLS, listening and dialling.
