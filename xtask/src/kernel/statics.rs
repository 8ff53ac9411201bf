//! Programs of this project that run where there is no library: the checker inside the kernel, and the first process.

use super::cache;
use crate::tools::{self, cargo};
use std::path::PathBuf;

/// The target: the only one on which the guest's kernel runs.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds a package of the workspace as one static executable, and returns its path, which is always the same.
fn build(package: &str) -> Result<PathBuf, String> {
    let directory = cache().join("target");
    let binary = directory.join(TARGET).join("release").join(package);
    if !binary.is_file() {
        eprintln!("== build a static {package} (a minute or two, once)");
    }
    let mut c = cargo(&["build", "--release", "--quiet", "--package", package, "--target", TARGET]);
    c.arg("--target-dir").arg(&directory);
    // Cargo tells its children what it builds for us; this build is another one.
    c.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", "-C target-feature=+crt-static");
    c.env("CARGO_PROFILE_RELEASE_DEBUG", "false").env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    tools::run(&mut c)?;
    Ok(binary)
}

/// The checker that the kernel contains.
pub(crate) fn checker() -> Result<PathBuf, String> {
    build("talcheck")
}

/// The first process of the guest.
pub(crate) fn init() -> Result<PathBuf, String> {
    build("kml-init")
}
