//! The first steps and the last one.

use rustix::mount::{MountFlags, mount};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Mounts what the kernel provides. Without `/proc` and `/dev` nothing works; the others may be missing in a
/// small kernel.
pub(crate) fn mounts() -> Result<(), String> {
    let needed = [("proc", "/proc", ""), ("devtmpfs", "/dev", "mode=0755")];
    let useful = [
        ("sysfs", "/sys", ""),
        ("devpts", "/dev/pts", "mode=0620,ptmxmode=0666"),
        ("tmpfs", "/dev/shm", "mode=1777"),
        ("tmpfs", "/tmp", "mode=1777"),
        ("tmpfs", "/run", "mode=0755"),
    ];
    for (kind, at, options) in needed {
        mounted(kind, at, options).map_err(|e| format!("cannot mount {kind} at {at}: {e}"))?;
    }
    for (kind, at, options) in useful {
        if let Err(e) = mounted(kind, at, options) {
            eprintln!("kml-init: going on without {at}: {e}");
        }
    }
    let links =
        [("/proc/self/fd", "/dev/fd"), ("/proc/self/fd/0", "/dev/stdin"), ("/proc/self/fd/1", "/dev/stdout")];
    for (to, at) in links {
        // A convenience.
        let _ = std::os::unix::fs::symlink(to, at);
    }
    Ok(())
}

fn mounted(kind: &str, at: &str, options: &str) -> std::io::Result<()> {
    fs::create_dir_all(at)?;
    // The file system below may have files there, like those of the host's /tmp that were copied.
    let hides = fs::read_dir(at)?.next().is_some() && kind == "tmpfs";
    if hides {
        return fs::set_permissions(at, fs::Permissions::from_mode(0o1777));
    }
    let options = std::ffi::CString::new(options)?;
    Ok(mount(kind, at, kind, MountFlags::empty(), Some(options.as_c_str()))?)
}

/// Switches the machine off. If that fails, the first process ends, which the kernel does not survive: off as well.
pub(crate) fn off() {
    rustix::fs::sync();
    if let Err(e) = rustix::system::reboot(rustix::system::RebootCommand::PowerOff) {
        eprintln!("kml-init: cannot switch off: {e}");
    }
}
