//! Frames on the serial port between host and guest.
//!
//! A frame is a kind (one byte), the length of its payload (four bytes, least significant first), and the payload.
//! The host sends requests, one at a time, and meanwhile the standard input of the program that runs; the guest
//! answers each request with one of [`EXIT`], [`CONTENT`], [`DONE`] and [`FAILED`], and sends what the program
//! prints before the answer. The guest says [`READY`] once, at the beginning.

use std::io::{self, Read, Write};

/// Host: run a program. Payload: a [`Job`]. Answered by [`EXIT`], or by [`FAILED`] if it could not be executed.
pub const RUN: u8 = b'R';
/// Host: bytes for the standard input of the program; none of them mean the end of the file.
pub const INPUT: u8 = b'I';
/// Host: end the program by a signal that it cannot ignore. Answered by nothing but the program's [`EXIT`].
pub const KILL: u8 = b'K';
/// Host: write a file. Payload: a list of its path and its content. Answered by [`DONE`].
pub const PUT: u8 = b'P';
/// Host: read a file. Payload: its path. Answered by [`CONTENT`].
pub const GET: u8 = b'G';
/// Host: switch the machine off.
pub const OFF: u8 = b'O';

/// Guest: it is up. Payload: the release of its kernel.
pub const READY: u8 = b'r';
/// Guest: the program wrote to its standard output.
pub const OUTPUT: u8 = b'o';
/// Guest: the program wrote to its standard error.
pub const ERROR: u8 = b'e';
/// Guest: the program ended. Payload: its exit status, or 128 and the signal that ended it, as a byte.
pub const EXIT: u8 = b'x';
/// Guest: the content of a file.
pub const CONTENT: u8 = b'c';
/// Guest: it was done.
pub const DONE: u8 = b'd';
/// Guest: it could not be done. Payload: a [`Failure`].
pub const FAILED: u8 = b'f';

/// The name of the port in the guest: `/sys/class/virtio-ports/*/name`.
pub const PORT: &str = "kml";

/// The most bytes of a payload.
const LARGEST: u32 = 256 << 20;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: u8,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Sends a frame.
///
/// # Errors
/// Those of the writer, and if the payload is larger than any receiver takes.
pub fn send(to: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).ok().filter(|&n| n <= LARGEST);
    let length = length.ok_or_else(|| io::Error::other("too much for one message"))?;
    // One write for the usual small frame.
    let mut bytes = Vec::with_capacity(payload.len() + 5);
    bytes.push(kind);
    bytes.extend(length.to_le_bytes());
    bytes.extend(payload);
    to.write_all(&bytes)?;
    to.flush()
}

/// Receives a frame.
///
/// # Errors
/// Those of the reader, its end, and a length that no sender sends.
pub fn receive(from: &mut impl Read) -> io::Result<Frame> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = u32::from_le_bytes(length);
    if length > LARGEST {
        return Err(io::Error::other("the message is too long to be one"));
    }
    let mut payload = vec![0; length as usize];
    from.read_exact(&mut payload)?;
    Ok(Frame { kind, payload })
}

/// A program to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// Whether it runs in user mode even if the kernel could run it in kernel mode.
    pub user: bool,
    /// Its working directory.
    pub directory: Vec<u8>,
    /// The file to execute.
    pub program: Vec<u8>,
    /// The arguments, from `argv[0]` on.
    pub args: Vec<Vec<u8>>,
    /// The environment: `NAME=VALUE`.
    pub env: Vec<Vec<u8>>,
}

impl Job {
    /// As a payload.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let user = [u8::from(self.user)];
        pack([&user[..], &self.directory, &self.program, &list(&self.args), &list(&self.env)])
    }

    /// From a payload; `None` if it is none of a job.
    #[must_use]
    pub fn unpack(payload: &[u8]) -> Option<Job> {
        let [user, directory, program, args, env] = <[Vec<u8>; 5]>::try_from(unpack(payload)?).ok()?;
        let user = user == [1];
        Some(Job { user, directory, program, args: unpack(&args)?, env: unpack(&env)? })
    }
}

/// Why a request failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The number of the error in the guest, or 0.
    pub errno: i32,
    /// What happened, for a person.
    pub text: String,
    /// What the kernel logged about it: lines that begin with `kml:`.
    pub log: String,
}

impl Failure {
    /// As a payload.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        pack([&self.errno.to_le_bytes()[..], self.text.as_bytes(), self.log.as_bytes()])
    }

    /// From a payload; what cannot be understood is left empty.
    #[must_use]
    pub fn unpack(payload: &[u8]) -> Failure {
        let fields = unpack(payload).unwrap_or_default();
        let text = |i: usize| fields.get(i).map_or_else(String::new, |t| String::from_utf8_lossy(t).into());
        let errno = fields.first().and_then(|e| e[..].try_into().ok()).map_or(0, i32::from_le_bytes);
        Failure { errno, text: text(1), log: text(2) }
    }
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    pack(items.iter().map(Vec::as_slice))
}

/// A list of byte strings as bytes: each behind its length (eight bytes).
pub fn pack<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        out.extend((item.len() as u64).to_le_bytes());
        out.extend(item);
    }
    out
}

/// The inverse of [`pack`]; `None` if it was not packed by it.
#[must_use]
pub fn unpack(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (item, rest) = rest.split_at_checked(length)?;
        items.push(item.to_vec());
        bytes = rest;
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let mut wire = Vec::new();
        send(&mut wire, RUN, b"abc").unwrap();
        send(&mut wire, INPUT, b"").unwrap();
        let mut from = &wire[..];
        assert_eq!(receive(&mut from).unwrap(), Frame { kind: RUN, payload: b"abc".to_vec() });
        assert_eq!(receive(&mut from).unwrap(), Frame { kind: INPUT, payload: Vec::new() });
        assert!(receive(&mut from).is_err(), "the end");
        assert!(receive(&mut &wire[..6]).is_err(), "cut off");
        assert!(receive(&mut &b"R\xff\xff\xff\xff"[..]).is_err(), "nonsense");
    }

    #[test]
    fn jobs_and_failures_come_back() {
        let job = Job {
            user: true,
            directory: b"/tmp".to_vec(),
            program: b"/bin/a".to_vec(),
            args: vec![b"a".to_vec(), Vec::new(), b"\xff".to_vec()],
            env: Vec::new(),
        };
        assert_eq!(Job::unpack(&job.pack()), Some(job));
        assert_eq!(Job::unpack(b"\x05\0\0\0\0\0\0\0abc"), None);
        assert_eq!(Job::unpack(&pack([&b"x"[..]])), None);
        let failure = Failure { errno: 13, text: "no".into(), log: "kml: because".into() };
        assert_eq!(Failure::unpack(&failure.pack()), failure);
    }
}
