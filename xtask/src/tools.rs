//! Paths of the project, and running other programs.

use crate::Done;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    // The manifest of xtask lies one below. Cargo sets the variable when it runs us.
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// The directory where cargo builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Cargo, in the root of the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut c = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    c.args(args).current_dir(root());
    c
}

/// The release binaries of the toolchain.
pub(crate) struct Tools {
    directory: PathBuf,
}

impl Tools {
    /// Builds them.
    pub(crate) fn build() -> Result<Tools, String> {
        let packages = ["-p", "talasm", "-p", "tallink", "-p", "talcheck"];
        run(cargo(&["build", "--release", "--quiet"]).args(packages))?;
        Ok(Tools { directory: target().join("release") })
    }

    /// A command of the toolchain, in the root of the workspace.
    pub(crate) fn tool(&self, name: &str) -> Command {
        let mut c = Command::new(self.directory.join(name));
        c.current_dir(root());
        c
    }
}

/// The command as one would type it, with paths relative to the root where that is shorter.
pub(crate) fn shown(c: &Command) -> String {
    let root = root();
    let short = |s: &OsStr| {
        let text = Path::new(s).strip_prefix(&root).unwrap_or(Path::new(s)).display().to_string();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,@%".contains(c);
        if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{text}'") }
    };
    let mut words = vec![short(c.get_program())];
    words.extend(c.get_args().map(short));
    words.join(" ")
}

/// Runs a command with our own streams, and complains unless it succeeds.
pub(crate) fn run(c: &mut Command) -> Done {
    let status = c.status().map_err(|e| format!("cannot run `{}`: {e}", shown(c)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed: {status}", shown(c))) }
}

/// Runs a command and returns what it printed to standard output; complains unless it succeeds.
pub(crate) fn output(c: &mut Command) -> Result<Vec<u8>, String> {
    let out = c.stderr(Stdio::inherit()).output().map_err(|e| format!("cannot run `{}`: {e}", shown(c)))?;
    if out.status.success() { Ok(out.stdout) } else { Err(format!("`{}` failed: {}", shown(c), out.status)) }
}

/// Whether a program of this name can be run here.
pub(crate) fn exists(program: &str) -> bool {
    let mut c = Command::new(program);
    c.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    c.status().is_ok_and(|s| s.success())
}

/// [`std::fs::read_to_string`] with the path in the message.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// [`std::fs::write`] with the path in the message, making the directory first.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Done {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    }
    std::fs::write(path, content).map_err(|e| format!("{}: {e}", path.display()))
}

/// All files below a directory whose path satisfies `keep`, sorted. Build products and hidden
/// directories are left out, but for `.ci` and `.cargo`.
pub(crate) fn files(directory: &Path, keep: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        let entries = std::fs::read_dir(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        for entry in entries {
            let entry = entry.map_err(|e| format!("{}: {e}", directory.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let kind = entry.file_type().map_err(|e| format!("{}: {e}", path.display()))?;
            let hidden = name.starts_with('.') && name != ".ci" && name != ".cargo";
            if kind.is_dir() && !hidden && name != "target" {
                open.push(path);
            } else if kind.is_file() && !hidden && keep(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
