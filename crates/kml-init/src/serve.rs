//! Requests of the host, one after another.

use kml_init::protocol::{self as say, Failure, Job};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Where the kernel is told whether it may run programs in kernel mode.
const MODE: &str = "/proc/sys/kernel/kml/mode";

/// What to say if there is no such file.
const NO_KERNEL_MODE: &str = "this kernel runs no programs in kernel mode; use --user";

/// The most bytes of output in a frame.
const PIECE: usize = 64 << 10;

/// The port to the host. Frames of several threads do not mix.
type Port = Arc<Mutex<File>>;

/// Serves until the host says that it is enough, or goes away.
pub(crate) fn run() -> Result<(), String> {
    let mut from = port()?;
    let to = from.try_clone().map_err(|e| format!("cannot use the port for both directions: {e}"))?;
    let to = Arc::new(Mutex::new(to));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    answer(&to, say::READY, release.trim().as_bytes())?;
    let mut input: Option<ChildStdin> = None;
    loop {
        let frame = say::receive(&mut from).map_err(|e| format!("nothing more from the host: {e}"))?;
        match frame.kind {
            say::RUN => match start(&frame.payload) {
                Ok(mut child) => {
                    input = child.stdin.take();
                    let to = Arc::clone(&to);
                    thread::spawn(move || attend(child, &to));
                }
                Err(failure) => answer(&to, say::FAILED, &failure.pack())?,
            },
            say::INPUT => {
                let wanted = input.as_mut().is_some_and(|i| i.write_all(&frame.payload).is_ok());
                // The end of the input, or the program does not want more of it.
                if frame.payload.is_empty() || !wanted {
                    input = None;
                }
            }
            say::KILL => end_all(),
            say::PUT => match put(&frame.payload) {
                Ok(()) => answer(&to, say::DONE, b"")?,
                Err(failure) => answer(&to, say::FAILED, &failure.pack())?,
            },
            say::GET => {
                let path = path(frame.payload);
                match fs::read(&path) {
                    Ok(content) => answer(&to, say::CONTENT, &content)?,
                    Err(e) => answer(&to, say::FAILED, &failed(&path, &e).pack())?,
                }
            }
            say::OFF => return Ok(()),
            _ => return Err(format!("the host sent a message of the unknown kind {}", frame.kind)),
        }
    }
}

/// The port with our name. The driver may find it a moment after we have started.
fn port() -> Result<File, String> {
    for _ in 0..1000 {
        for entry in fs::read_dir("/sys/class/virtio-ports").into_iter().flatten().flatten() {
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            let device = PathBuf::from("/dev").join(entry.file_name());
            if name.trim() == say::PORT && device.exists() {
                let port = OpenOptions::new().read(true).write(true).open(&device);
                return port.map_err(|e| format!("{}: {e}", device.display()));
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err(format!("no serial port has the name `{}`", say::PORT))
}

fn answer(to: &Port, kind: u8, payload: &[u8]) -> Result<(), String> {
    // A thread that panicked has sent its frame whole or not at all; both are the host's to notice.
    let mut to = to.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    say::send(&mut *to, kind, payload).map_err(|e| format!("cannot write to the host: {e}"))
}

fn path(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

fn failed(what: &std::path::Path, e: &std::io::Error) -> Failure {
    Failure {
        errno: e.raw_os_error().unwrap_or(0),
        text: format!("{}: {e}", what.display()),
        log: String::new(),
    }
}

/// Writes a file that may be executed.
fn put(payload: &[u8]) -> Result<(), Failure> {
    let fields = say::unpack(payload).and_then(|f| <[Vec<u8>; 2]>::try_from(f).ok());
    let [name, content] =
        fields.ok_or_else(|| Failure { text: "not a file".into(), ..Failure::default() })?;
    let path = path(name);
    // A new file: the old one may be running.
    let _ = fs::remove_file(&path);
    let write = || {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(&path, &content)?;
        // The kernel's own files have their own permissions.
        if path.starts_with("/proc") || path.starts_with("/sys") {
            return Ok(());
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
    };
    write().map_err(|e| failed(&path, &e))
}

/// Starts the program with pipes for its three streams.
fn start(payload: &[u8]) -> Result<Child, Failure> {
    let job =
        Job::unpack(payload).ok_or_else(|| Failure { text: "not a job".into(), ..Failure::default() })?;
    mode(job.user)?;
    let program = path(job.program);
    let mut command = Command::new(&program);
    let mut args = job.args.into_iter().map(std::ffi::OsString::from_vec);
    if let Some(name) = args.next() {
        command.arg0(name);
    }
    command.args(args).current_dir(path(job.directory)).env_clear();
    for variable in job.env {
        let at = variable.iter().position(|&b| b == b'=').unwrap_or(variable.len());
        let (name, value) = variable.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        command
            .env(std::ffi::OsString::from_vec(name.to_vec()), std::ffi::OsString::from_vec(value.to_vec()));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let log = log_from_here();
    command.spawn().map_err(|e| {
        let mut failure = failed(&program, &e);
        if e.kind() == std::io::ErrorKind::NotFound && program.exists() {
            failure
                .text
                .push_str(" (the program is there: its interpreter or dynamic linker is not; see --mount)");
        }
        Failure { log: log.map_or_else(String::new, told), ..failure }
    })
}

/// Lets the kernel run verified programs in kernel mode, or none.
pub(crate) fn mode(user: bool) -> Result<(), Failure> {
    let wanted = if user { "0" } else { "1" };
    let missing = !std::path::Path::new(MODE).exists();
    match fs::write(MODE, wanted) {
        // It knows no other mode.
        Err(_) if user && missing => Ok(()),
        Err(_) if missing => Err(Failure { text: NO_KERNEL_MODE.into(), ..Failure::default() }),
        Err(e) => Err(failed(std::path::Path::new(MODE), &e)),
        Ok(()) => Ok(()),
    }
}

/// The kernel's log behind what stands there now.
fn log_from_here() -> Option<File> {
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).ok()?;
    let mut log = OpenOptions::new().read(true).custom_flags(nonblocking).open("/dev/kmsg").ok()?;
    log.seek(SeekFrom::End(0)).ok()?;
    Some(log)
}

/// What the kernel has logged about kernel mode since.
fn told(mut log: File) -> String {
    let mut out = String::new();
    let mut record = vec![0; 8192];
    // Each read returns one record: numbers, a semicolon, the text.
    while let Ok(n) = log.read(&mut record) {
        let text = String::from_utf8_lossy(&record[..n]);
        let line = text.split_once(';').map_or("", |t| t.1).lines().next().unwrap_or("");
        if n == 0 {
            break;
        }
        if line.starts_with("kml:") {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// Sends what the program prints, and in the end how it ended.
fn attend(mut child: Child, to: &Port) {
    let output = child.stdout.take().map(|s| forward(s, say::OUTPUT, to));
    let error = child.stderr.take().map(|s| forward(s, say::ERROR, to));
    let status = child.wait();
    // What the program left behind ends with it, and with that the streams.
    end_all();
    for thread in [output, error].into_iter().flatten() {
        let _ = thread.join();
    }
    while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
    let done = match status {
        Ok(status) => {
            let signal = status.signal().map_or(0, |s| 128 + s);
            let code = u8::try_from(status.code().unwrap_or(signal)).unwrap_or(u8::MAX);
            answer(to, say::EXIT, &[code])
        }
        Err(e) => answer(to, say::FAILED, &failed(std::path::Path::new("the program"), &e).pack()),
    };
    if let Err(message) = done {
        eprintln!("kml-init: {message}");
    }
}

/// Ends every process but this one: to the first process this group is everybody else.
fn end_all() {
    // There may be none.
    let _ = kill_process_group(Pid::INIT, Signal::KILL);
}

/// Sends everything that comes from a pipe.
fn forward(mut from: impl Read + Send + 'static, kind: u8, to: &Port) -> thread::JoinHandle<()> {
    let to = Arc::clone(to);
    thread::spawn(move || {
        let mut piece = vec![0; PIECE];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return,
                Ok(n) if answer(&to, kind, &piece[..n]).is_ok() => {}
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    })
}
