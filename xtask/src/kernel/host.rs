//! The programs of the host that building and booting a kernel needs.
//!
//! What is missing is installed if we are root, otherwise unpacked below `.cache`, with everything that it needs
//! itself, and found there through the environment of the commands that use it.

use super::apt::{self, Apt};
use super::cache;
use crate::tools::{self, output};
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that must be there: a program or a file, and the package of Debian that brings it.
struct Need {
    what: &'static str,
    package: &'static str,
}

/// To boot.
const BOOT: &[Need] = &[need("qemu-system-x86_64", "qemu-system-x86")];
/// To build a kernel.
const BUILD: &[Need] = &[
    need("gcc", "gcc"),
    need("ld", "binutils"),
    need("make", "make"),
    need("flex", "flex"),
    need("bison", "bison"),
    need("bc", "bc"),
    need("perl", "perl-base"),
    need("patch", "patch"),
    need("tar", "tar"),
    need("xz", "xz-utils"),
    need("/usr/include/libelf.h", "libelf-dev"),
    need("/usr/include/stdio.h", "libc6-dev"),
];
/// To look around in the guest.
const SHELL: &[Need] = &[need("/bin/busybox", "busybox-static")];

const fn need(what: &'static str, package: &'static str) -> Need {
    Need { what, package }
}

/// What a task is going to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Boot a machine.
    Boot,
    /// Build a kernel.
    Build,
    /// Have a shell in the machine.
    Shell,
}

/// Where programs and libraries are found.
pub(crate) struct Host {
    /// Unpacked packages, beside the system's own.
    extra: Option<PathBuf>,
}

impl Host {
    /// Makes sure that everything for `task` is there.
    ///
    /// # Errors
    /// What is missing and cannot be had, and what to install.
    pub(crate) fn with(task: For) -> Result<Host, String> {
        let needs = match task {
            For::Boot => BOOT,
            For::Build => BUILD,
            For::Shell => SHELL,
        };
        let directory = cache().join("tools");
        let mut host = Host { extra: directory.is_dir().then_some(directory) };
        let missing = host.missing(needs);
        if missing.is_empty() {
            return Ok(host);
        }
        let advice = format!("install these packages: {}", missing.join(" "));
        if !apt::exists() {
            return Err(format!("programs are missing, and there is no apt to install them; {advice}"));
        }
        let got = if apt::is_root() { apt::install(&missing) } else { host.unpack(&missing) };
        got.map_err(|e| format!("{e}\n{advice}"))?;
        match host.missing(needs) {
            still if still.is_empty() => Ok(host),
            still => Err(format!("still missing: what these packages have: {}", still.join(" "))),
        }
    }

    fn missing(&self, needs: &[Need]) -> Vec<&'static str> {
        let absent =
            |n: &&Need| if n.what.starts_with('/') { self.file(n.what).is_none() } else { !self.has(n.what) };
        needs.iter().filter(absent).map(|n| n.package).collect()
    }

    fn has(&self, program: &str) -> bool {
        env::split_paths(&self.path()).any(|d| d.join(program).is_file())
    }

    /// A file of a package, wherever that is.
    pub(crate) fn file(&self, absolute: &str) -> Option<PathBuf> {
        let below = self.extra.as_ref().map(|e| e.join(absolute.trim_start_matches('/')));
        [Some(PathBuf::from(absolute)), below].into_iter().flatten().find(|p| p.exists())
    }

    /// Unpacks packages and what they need below `.cache`.
    fn unpack(&mut self, packages: &[&str]) -> Result<(), String> {
        let directory = cache().join("tools");
        eprintln!("== get {} into .cache/kernel/tools (not root: nothing is installed)", packages.join(" "));
        let apt = Apt::system()?;
        apt.update()?;
        let all = apt.closure(packages)?;
        let archives = cache().join("debs/tools");
        for archive in apt.download(&all, &archives)? {
            apt::quiet(Command::new("dpkg").arg("-x").arg(&archive).arg(&directory))?;
        }
        // The archives take room and are never read again.
        let _ = std::fs::remove_dir_all(&archives);
        self.extra = Some(directory);
        Ok(())
    }

    fn path(&self) -> OsString {
        let own = env::var_os("PATH").unwrap_or_default();
        let mut all: Vec<PathBuf> = env::split_paths(&own).collect();
        if let Some(extra) = &self.extra {
            all.extend(["usr/bin", "bin", "usr/sbin"].map(|d| extra.join(d)));
        }
        // Tools of administrators are not on everyone's path.
        all.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
        env::join_paths(all).unwrap_or(own)
    }

    /// A command that finds the programs and their libraries.
    pub(crate) fn command(&self, program: &str) -> Command {
        let paths = self.path();
        let found = env::split_paths(&paths).map(|d| d.join(program)).find(|p| p.is_file());
        let mut c = Command::new(found.as_deref().unwrap_or(Path::new(program)));
        c.env("PATH", &paths);
        if let Some(extra) = &self.extra {
            let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map(|d| extra.join(d));
            let libraries = libraries.iter().map(|d| d.display().to_string()).collect::<Vec<_>>().join(":");
            c.env("LD_LIBRARY_PATH", libraries);
            // bison and flex know their own files by absolute paths.
            c.env("BISON_PKGDATADIR", extra.join("usr/share/bison"));
            if let Some(m4) = self.file("/usr/bin/m4") {
                c.env("M4", m4);
            }
        }
        c
    }

    /// What `make` of the kernel must be told to find unpacked headers and libraries.
    pub(crate) fn make_arguments(&self) -> Vec<String> {
        let Some(extra) = &self.extra else { return Vec::new() };
        let at = extra.display();
        vec![
            format!("HOSTCFLAGS=-I{at}/usr/include -I{at}/usr/include/x86_64-linux-gnu"),
            format!("HOSTLDFLAGS=-L{at}/usr/lib/x86_64-linux-gnu"),
        ]
    }

    /// QEMU, with its own data. It ends when the thread that starts it ends, however that happens.
    pub(crate) fn qemu(&self) -> Command {
        let qemu = self.command("qemu-system-x86_64");
        let mut c = qemu;
        if tools::exists("setpriv") {
            let mut outer = self.command("setpriv");
            outer.args(["--pdeathsig", "KILL"]).arg(c.get_program());
            c = outer;
        }
        // QEMU looks beside the directory of its program, but the firmware is in directories of other packages.
        if let Some(extra) = &self.extra {
            for directory in ["usr/share/qemu", "usr/share/seabios"] {
                c.arg("-L").arg(extra.join(directory));
            }
        }
        c
    }

    /// How many jobs a build may run at once.
    pub(crate) fn jobs(&self) -> String {
        let n = output(&mut self.command("nproc")).ok();
        n.and_then(|n| Some(String::from_utf8(n).ok()?.trim().to_string())).unwrap_or_else(|| "1".into())
    }
}
