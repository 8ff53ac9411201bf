//! The virtual machine: QEMU, its command line, its end.

use super::host::Host;
use super::{Options, cache, guest};
use crate::tools::{read, write};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How the processor is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Accel {
    /// KVM if a machine boots with it here, otherwise TCG
    Auto,
    /// The real processor
    Kvm,
    /// Emulation
    Tcg,
}

/// Two ports, `HOST:GUEST`.
pub(crate) fn port(text: &str) -> Result<(u16, u16), String> {
    let ports = text.split_once(':').and_then(|(h, g)| Some((h.parse().ok()?, g.parse().ok()?)));
    ports.ok_or_else(|| "two numbers with a colon between, like 8080:80".into())
}

/// How long a machine with KVM may take to boot before we believe that it never will.
const PATIENCE: Duration = Duration::from_secs(10);

/// A machine that can be switched on.
pub(crate) struct Machine {
    /// What it is made of.
    pub(crate) options: Options,
    /// Its kernel.
    pub(crate) kernel: PathBuf,
    /// Where QEMU is.
    pub(crate) host: Host,
}

impl Machine {
    /// The command that switches it on, without what its serial ports are.
    pub(crate) fn qemu(&self, initramfs: &Path, more: &str) -> Result<Command, String> {
        let o = &self.options;
        let mut c = self.host.qemu();
        c.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-machine", "q35"]);
        if self.with_kvm()? {
            c.args(["-accel", "kvm", "-cpu", if o.cpu == "max" { "host" } else { &o.cpu }]);
        } else {
            let threads = if o.count { "single" } else { "multi" };
            c.args(["-accel", &format!("tcg,thread={threads}"), "-cpu", &o.cpu]);
            // Time is the number of instructions.
            c.args(if o.count { &["-icount", "shift=0"][..] } else { &[] });
        }
        c.args(["-smp", &o.cpus.to_string(), "-m", &self.memory(initramfs).to_string()]);
        let forwards: String =
            o.port.iter().map(|(host, guest)| format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}")).collect();
        c.args(["-netdev", &format!("user,id=net{forwards}")]);
        c.args(["-device", "virtio-net-pci,netdev=net,romfile="]);
        c.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(initramfs);
        let loud = if o.verbose { "" } else { "quiet " };
        // While it boots the kernel looks whether the timer ticks; on a busy host it does not, for a moment.
        c.arg("-append").arg(format!(
            "{loud}console=ttyS0 panic=-1 no_timer_check ip=10.0.2.15::10.0.2.2:255.255.255.0:kml:eth0:off {more} {}",
            o.append
        ));
        Ok(c)
    }

    /// What was asked for, and room for the files: the kernel has them twice while it unpacks them.
    fn memory(&self, initramfs: &Path) -> u64 {
        let files = initramfs.metadata().map_or(0, |m| m.len()) >> 20;
        u64::from(self.options.memory) + 2 * files
    }

    /// Whether to use KVM, which is tried once on each boot of the host.
    fn with_kvm(&self) -> Result<bool, String> {
        match self.options.accel {
            Accel::Tcg => return Ok(false),
            Accel::Kvm | Accel::Auto => {}
        }
        let usable = File::options().read(true).write(true).open("/dev/kvm").is_ok();
        let works = usable && self.kvm_boots()?;
        if !works && self.options.accel == Accel::Kvm {
            eprintln!("xtask: KVM does not work here; the processor is emulated (TCG)");
        }
        Ok(works)
    }

    fn kvm_boots(&self) -> Result<bool, String> {
        let known = cache().join("kvm");
        let boot = read(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
        let answer = |works: bool| format!("{}: {works}\n", boot.trim());
        match read(&known).unwrap_or_default() {
            text if text == answer(true) => return Ok(true),
            text if text == answer(false) => return Ok(false),
            _ => {}
        }
        eprintln!("== try whether a machine boots with KVM (once, at most {} s)", PATIENCE.as_secs());
        let works = guest::boots_with_kvm(self, PATIENCE)?;
        write(&known, answer(works))?;
        Ok(works)
    }

    /// A machine like this one that uses the real processor, without trying it first.
    pub(crate) fn kvm_command(&self, initramfs: &Path) -> Result<Command, String> {
        let mut options = self.options.clone();
        (options.accel, options.cpu, options.verbose) = (Accel::Tcg, "host".into(), false);
        options.port.clear();
        let plain =
            Machine { options, kernel: self.kernel.clone(), host: Host::with(super::host::For::Boot)? };
        let tcg = plain.qemu(initramfs, "")?;
        let mut c = Command::new(tcg.get_program());
        for (name, value) in tcg.get_envs() {
            match value {
                Some(value) => c.env(name, value),
                None => c.env_remove(name),
            };
        }
        c.args(tcg.get_args().map(|a| if a == "tcg,thread=multi" { "kvm".as_ref() } else { a }));
        Ok(c)
    }
}

/// A machine that is on. It is switched off when this value goes, and by `setpriv` when this process dies.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Switches it on with this serial port, and the console at this end of a pipe.
    pub(crate) fn start(mut qemu: Command, console: Stdio) -> Result<(Running, UnixStream), String> {
        let pair = UnixStream::pair().map_err(|e| format!("cannot make a socket: {e}"))?;
        let (ours, theirs) = pair;
        // QEMU takes its end of the socket as standard input, so there is no path that others could use.
        qemu.args(["-chardev", "socket,id=io,fd=0", "-device", "virtio-serial-pci"]);
        let device = format!("virtserialport,chardev=io,name={}", kml_init::protocol::PORT);
        qemu.args([
            "-device",
            &device,
            "-chardev",
            "file,id=console,path=/dev/fd/1",
            "-serial",
            "chardev:console",
        ]);
        qemu.stdin(OwnedFd::from(theirs)).stdout(console);
        let child = qemu.spawn().map_err(|e| format!("cannot run QEMU: {e}"))?;
        Ok((Running { child }, ours))
    }

    /// Waits until it has switched itself off, but not for long.
    pub(crate) fn wait_off(&mut self) -> bool {
        for _ in 0..500 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file with the first file system, which is removed when this value goes.
pub(crate) struct Initramfs {
    pub(crate) path: PathBuf,
}

impl Initramfs {
    /// Writes it.
    pub(crate) fn write(content: &[u8]) -> Result<Initramfs, String> {
        let directory = cache().join("run");
        // What was left by a process that was killed.
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let process = name.split(['-', '.']).next().unwrap_or("").to_string();
            if !Path::new("/proc").join(process).exists() {
                let _ = fs::remove_file(entry.path());
            }
        }
        let id = std::process::id();
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = directory.join(format!("{id}-{number}.cpio"));
        write(&path, content)?;
        Ok(Initramfs { path })
    }
}

impl Drop for Initramfs {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_two_numbers() {
        assert_eq!(port("8080:80"), Ok((8080, 80)));
        assert!(["80", "80:", "a:80", "80:70000"].iter().all(|t| port(t).is_err()));
    }
}
