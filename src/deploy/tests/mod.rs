//! The rules of a reload, of deployments and of watching, against a real store and real
//! directories.

mod deploying;
mod mini;
mod reloading;
mod starting;
mod support;
mod watching;
