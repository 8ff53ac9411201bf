//! Command lines in documents: run by the shell in a directory of their own.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Directories in which the tools are found.
pub struct Shell {
    path: OsString,
}

impl Shell {
    /// Makes links to `taltools`, the program of this crate, under the names of the tools.
    ///
    /// # Errors
    /// If the links cannot be made in `directory`.
    pub fn new(taltools: &Path, directory: &Path) -> io::Result<Shell> {
        for tool in ["talasm", "tallink", "talcheck"] {
            symlink(taltools, directory.join(tool))?;
        }
        let system = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(PathBuf::from(directory)).chain(std::env::split_paths(&system));
        Ok(Shell { path: std::env::join_paths(all).map_err(io::Error::other)? })
    }

    /// Runs a script in a new directory with these files. The first command that fails ends it.
    ///
    /// # Errors
    /// If the directory cannot be made, or the shell cannot be run.
    pub fn run(&self, script: &str, directory: &Path, files: &[(String, Vec<u8>)]) -> io::Result<Output> {
        fs::create_dir(directory)?;
        for (name, bytes) in files {
            fs::write(directory.join(name), bytes)?;
        }
        let mut command = Command::new("sh");
        command.args(["-e", "-c", script]).env("PATH", &self.path).env("LC_ALL", "C");
        command.current_dir(directory).stdin(Stdio::null()).output()
    }
}
