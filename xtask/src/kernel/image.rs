//! The first file system of the guest.

use super::cpio::Archive;
use super::statics;
use std::path::Path;

/// The most bytes that are copied into a machine.
pub(crate) const MOST: usize = 1 << 30;

/// What every guest has: the first process, and the device that the kernel opens for it.
pub(crate) fn base() -> Result<Archive, String> {
    let init = statics::init()?;
    let content = std::fs::read(&init).map_err(|e| format!("{}: {e}", init.display()))?;
    let mut archive = Archive::default();
    for directory in ["/dev", "/proc", "/sys", "/tmp", "/run", "/etc", "/examples", "/bin"] {
        archive.directory(Path::new(directory));
    }
    archive.device(Path::new("/dev/console"), 5, 1);
    archive.file(Path::new("/init"), 0o755, &content);
    for (path, text) in [
        ("/etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"),
        ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ("/etc/hosts", "127.0.0.1 localhost\n10.0.2.15 kml\n"),
        ("/etc/resolv.conf", "nameserver 10.0.2.3\n"),
    ] {
        archive.file(Path::new(path), 0o644, text.as_bytes());
    }
    Ok(archive)
}
