//! Executables that tests write and run.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes an image to a file that can be executed at once.
///
/// A process of its own writes the file. If this process opened it, another thread that starts a program
/// in that moment would hand the open file to its child, and as long as the child has it, Linux refuses to
/// execute it (`ETXTBSY`).
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, image: &[u8]) -> io::Result<()> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]).arg(path).stdin(Stdio::piped());
    let mut child = shell.spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(image)?;
    }
    match child.wait()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{} cannot be written", path.display()))),
    }
}
