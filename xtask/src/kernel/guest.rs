//! A machine that is up, and what it is asked.

use super::image;
use super::machine::{Initramfs, Machine, Running};
use kml_init::protocol::{self as say, Failure, Frame, Job};
use std::io::{ErrorKind, PipeWriter, Read, Write, pipe};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long booting may take. An emulated machine on a busy host needs seconds.
const BOOT: Duration = Duration::from_secs(300);

/// How many bytes of the console's end are kept.
const CONSOLE: usize = 16 << 20;

/// A machine that is up.
pub(crate) struct Guest {
    running: Running,
    from: UnixStream,
    to: Arc<Mutex<UnixStream>>,
    console: Arc<Mutex<Vec<u8>>>,
    reader: Option<thread::JoinHandle<()>>,
    /// The release of its kernel.
    pub(crate) release: String,
    /// When it is switched off at the latest.
    end: Option<Instant>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The guest says that it could not be done.
    Failed(Failure),
    /// The machine does not answer within the time that it was given.
    Timeout,
    /// The machine is gone, or what it says makes no sense: a sentence, with the end of its console.
    Broken(String),
}

impl Trouble {
    /// A sentence for a person.
    pub(crate) fn text(&self) -> String {
        match self {
            Trouble::Failed(f) if f.log.is_empty() => f.text.clone(),
            Trouble::Failed(f) => format!("{}\n{}", f.text, f.log.trim_end()),
            Trouble::Timeout => "the machine was switched off: the time was up".into(),
            Trouble::Broken(text) => text.clone(),
        }
    }
}

impl Guest {
    /// Switches a machine on and waits until it is up.
    pub(crate) fn boot(machine: &Machine, archive: &[u8]) -> Result<Guest, Trouble> {
        let broken = Trouble::Broken;
        let initramfs = Initramfs::write(archive).map_err(broken)?;
        let qemu = machine.qemu(&initramfs.path, "").map_err(broken)?;
        let end = machine.options.timeout.map(|s| Instant::now() + Duration::from_secs(s));
        let boot = Instant::now() + BOOT;
        let mut guest = Guest::start(qemu, machine.options.verbose, end.map_or(boot, |e| e.min(boot)))?;
        guest.end = end;
        Ok(guest)
    }

    fn start(qemu: std::process::Command, loud: bool, end: Instant) -> Result<Guest, Trouble> {
        let (console, pipe, reader) = console(loud).map_err(Trouble::Broken)?;
        let (running, from) = Running::start(qemu, Stdio::from(pipe)).map_err(Trouble::Broken)?;
        let to = from.try_clone().map_err(|e| Trouble::Broken(format!("the socket: {e}")))?;
        let (to, reader) = (Arc::new(Mutex::new(to)), Some(reader));
        let mut guest = Guest { running, from, to, console, reader, release: String::new(), end: Some(end) };
        match guest.receive()? {
            Frame { kind: say::READY, payload } => {
                guest.release = String::from_utf8_lossy(&payload).into_owned();
                Ok(guest)
            }
            other => Err(guest.broken(&format!("the machine begins with a message of kind {}", other.kind))),
        }
    }

    /// What the console has shown, at least its end.
    pub(crate) fn log(&self) -> String {
        let bytes = self.console.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }

    fn broken(&mut self, what: &str) -> Trouble {
        // A kernel that dies prints why and takes QEMU with it.
        self.running.wait_off();
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(40)..].join("\n");
        let console = if end.is_empty() {
            "Its console showed nothing.".into()
        } else {
            format!("The end of its console:\n{end}")
        };
        Trouble::Broken(format!("{what}. {console}"))
    }

    fn receive(&mut self) -> Result<Frame, Trouble> {
        self.receive_until(None)
    }

    /// The next message, which must begin before this and before the machine's own end.
    fn receive_until(&mut self, limit: Option<Instant>) -> Result<Frame, Trouble> {
        let end = [self.end, limit].into_iter().flatten().min();
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|l| l.is_zero()) {
            return Err(Trouble::Timeout);
        }
        // A frame comes in one piece, so the time between its bytes does not matter.
        let set = self.from.set_read_timeout(left);
        match set.and_then(|()| say::receive(&mut self.from)) {
            Ok(frame) => Ok(frame),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(Trouble::Timeout)
            }
            Err(e) if e.kind() == ErrorKind::UnexpectedEof || e.kind() == ErrorKind::ConnectionReset => {
                Err(self.broken("the machine went off by itself"))
            }
            Err(e) => Err(self.broken(&format!("the machine cannot be understood: {e}"))),
        }
    }

    fn send(&mut self, kind: u8, payload: &[u8]) -> Result<(), Trouble> {
        let sent = {
            let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
            say::send(&mut *to, kind, payload)
        };
        sent.map_err(|e| self.broken(&format!("the machine does not listen: {e}")))
    }

    /// Runs a program until it ends, or until `limit` has passed: then it is killed. Its input is what `input` gives; what it prints goes to `print`, with
    /// [`say::OUTPUT`] or [`say::ERROR`]. Returns its exit status, or 128 and the number of the signal.
    pub(crate) fn run(
        &mut self,
        job: &Job,
        limit: Option<Duration>,
        mut input: impl Read + Send + 'static,
        mut print: impl FnMut(u8, &[u8]) -> std::io::Result<()>,
    ) -> Result<u8, Trouble> {
        self.send(say::RUN, &job.pack())?;
        // Detached: reading our own standard input cannot be broken off.
        let to = Arc::clone(&self.to);
        let live = Arc::new(Mutex::new(true));
        let running = Arc::clone(&live);
        thread::spawn(move || {
            let mut piece = vec![0; 32 << 10];
            loop {
                let n = match input.read(&mut piece) {
                    Ok(n) => n,
                    Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => 0,
                };
                // Held while sending, so that nothing is sent to the next program.
                let live = running.lock().unwrap_or_else(PoisonError::into_inner);
                let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
                if !*live || say::send(&mut *to, say::INPUT, &piece[..n]).is_err() || n == 0 {
                    return;
                }
            }
        });
        let mut limit = limit.map(|l| Instant::now() + l);
        let status = loop {
            let frame = match (self.receive_until(limit), limit) {
                (Err(Trouble::Timeout), Some(_)) => {
                    self.send(say::KILL, b"")?;
                    limit = None;
                    continue;
                }
                (frame, _) => frame?,
            };
            match frame.kind {
                say::OUTPUT | say::ERROR => {
                    // The reader of our own output may be gone; the program is not told, it ends by itself.
                    let _ = print(frame.kind, &frame.payload);
                }
                say::EXIT => break frame.payload.first().copied().unwrap_or(u8::MAX),
                say::FAILED => return Err(Trouble::Failed(Failure::unpack(&frame.payload))),
                kind => return Err(self.broken(&format!("an unexpected message of kind {kind}"))),
            }
        };
        *live.lock().unwrap_or_else(PoisonError::into_inner) = false;
        Ok(status)
    }

    /// The content of a file of the guest.
    pub(crate) fn read(&mut self, path: &str) -> Result<Vec<u8>, Trouble> {
        self.send(say::GET, path.as_bytes())?;
        self.answer(say::CONTENT)
    }

    /// Writes a file of the guest that may be executed.
    pub(crate) fn write(&mut self, path: &str, content: &[u8]) -> Result<(), Trouble> {
        self.send(say::PUT, &say::pack([path.as_bytes(), content]))?;
        self.answer(say::DONE).map(drop)
    }

    fn answer(&mut self, expected: u8) -> Result<Vec<u8>, Trouble> {
        let frame = self.receive()?;
        match frame.kind {
            kind if kind == expected => Ok(frame.payload),
            say::FAILED => Err(Trouble::Failed(Failure::unpack(&frame.payload))),
            kind => Err(self.broken(&format!("an unexpected message of kind {kind}"))),
        }
    }

    /// What the kernel counts in `/proc/kml`: names and values. Empty if it counts nothing.
    pub(crate) fn counters(&mut self) -> Vec<(String, u64)> {
        let text = self.read("/proc/kml").unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let row = |line: &str| {
            let (name, value) = line.split_once(char::is_whitespace)?;
            Some((name.to_string(), value.trim().parse().ok()?))
        };
        text.lines().filter_map(row).collect()
    }

    /// Switches the machine off, and returns what its console has shown.
    pub(crate) fn off(mut self) -> Result<String, Trouble> {
        self.send(say::OFF, b"")?;
        if !self.running.wait_off() {
            return Err(self.broken("the machine does not switch itself off"));
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(self.log())
    }
}

/// A buffer with what comes through a pipe, the pipe, and the thread between them.
type Console = (Arc<Mutex<Vec<u8>>>, PipeWriter, thread::JoinHandle<()>);

/// Keeps what the console shows, and shows it too if wanted.
fn console(loud: bool) -> Result<Console, String> {
    let (mut from, to) = pipe().map_err(|e| format!("cannot make a pipe: {e}"))?;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let console = Arc::clone(&kept);
    let reader = thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut piece) {
            let piece = &piece[..n];
            if loud {
                // Who asked for it may stop reading.
                let _ = std::io::stderr().write_all(piece);
            }
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(piece);
            if kept.len() > 2 * CONSOLE {
                let surplus = kept.len() - CONSOLE;
                kept.drain(..surplus);
            }
        }
    });
    Ok((console, to, reader))
}

/// Whether a machine with the real processor comes up.
pub(crate) fn boots_with_kvm(machine: &Machine, patience: Duration) -> Result<bool, String> {
    let initramfs = Initramfs::write(&image::base()?.finish())?;
    let mut qemu = machine.kvm_command(&initramfs.path)?;
    // Where it does not work QEMU may say so in many ways.
    qemu.stderr(Stdio::null());
    Ok(Guest::start(qemu, false, Instant::now() + patience).is_ok())
}
