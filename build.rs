//! Keeps the released binary small in memory and easy to carry to another machine.
//!
//! Relocations are packed (glibc 2.36 and later read them): unpacked, reading them at start costs 1.2 MiB of memory.
//! The C++ library of the script engine is linked into the binary: it needs a small part of it only.
#![expect(clippy::disallowed_methods, reason = "cargo tells in the environment")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let ours =
        variable("TARGET") == "x86_64-unknown-linux-gnu" && variable("HOST") == variable("TARGET");
    // Whoever chose another linker knows better what it can do.
    if !ours || variable("PROFILE") != "release" || !variable("RUSTC_LINKER").is_empty() {
        return;
    }
    if glibc().is_some_and(|version| version >= (2, 36)) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    if let Some(archive) = cpp_archive() {
        prefer(&archive, &PathBuf::from(variable("OUT_DIR")));
    }
}

/// The version of the C library here.
fn glibc() -> Option<(u32, u32)> {
    let output = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().rsplit(' ').next()?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Where the C++ library stands as an archive.
fn cpp_archive() -> Option<PathBuf> {
    let output = Command::new("c++")
        .arg("-print-file-name=libstdc++.a")
        .output()
        .ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    path.is_absolute().then_some(path)
}

/// Lets the linker find the archive before the shared library of that name: it stands alone in a directory that is
/// searched first.
fn prefer(archive: &Path, dir: &Path) {
    let dir = dir.join("lib");
    let copied = std::fs::create_dir_all(&dir)
        .and_then(|()| std::fs::copy(archive, dir.join("libstdc++.a")));
    if copied.is_ok() {
        println!("cargo:rustc-link-search=native={}", dir.display());
    }
}
