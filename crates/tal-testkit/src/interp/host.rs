//! A kernel that does what was asked for: reads and writes, files and directories, memory, the end. With it a program gives
//! under the interpreter what it gives by itself.

use super::memory::Holds;
use super::network::{Network, Socket};
use super::status::{stat, stat64, statx};
use super::{Machine, Watched};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirEntryExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use talcore::arch::Arch;
use talcore::types::Mode;

const EBADF: i64 = 9;
const ENOMEM: i64 = 12;
const EISDIR: i64 = 21;
const EINVAL: i64 = 22;
const ESPIPE: i64 = 29;
const ENOTDIR: i64 = 20;
/// The directory in which a program was started, in place of a descriptor.
const AT_FDCWD: i32 = -100;
const AT_SYMLINK_NOFOLLOW: u64 = 0x100;
const AT_EMPTY_PATH: u64 = 0x1000;
const O_ACCMODE: u64 = 3;
const O_WRONLY: u64 = 1;
const O_CREAT: u64 = 0x40;

/// What a descriptor is.
pub(super) enum Open {
    Input,
    Output,
    Errors,
    File(File),
    Directory(PathBuf, Vec<Listed>, usize),
    Socket(Socket),
}

/// An entry of a directory.
pub(super) struct Listed {
    inode: u64,
    kind: u8,
    name: Vec<u8>,
}

/// The world around a program.
pub struct Host {
    directory: PathBuf,
    input: io::Cursor<Vec<u8>>,
    /// What it wrote to its standard output.
    pub output: Vec<u8>,
    /// What it wrote to its standard error.
    pub errors: Vec<u8>,
    /// How it ended.
    pub status: Option<i32>,
    open: Vec<Option<Open>>,
    /// Those who come to it, if it is a server.
    pub network: Option<Network>,
}

/// The result of a call, or the number of an error.
pub(super) type Answer = Result<u64, i64>;

impl Host {
    /// A program is started in a directory and reads this.
    #[must_use]
    pub fn new(directory: &Path, input: &[u8]) -> Host {
        Host {
            directory: directory.to_path_buf(),
            input: io::Cursor::new(input.to_vec()),
            output: Vec::new(),
            errors: Vec::new(),
            status: None,
            open: vec![Some(Open::Input), Some(Open::Output), Some(Open::Errors)],
            network: None,
        }
    }

    /// The same, with clients and datagrams that come.
    #[must_use]
    pub fn with_network(mut self, network: Network) -> Host {
        self.network = Some(network);
        self
    }

    pub(super) fn at(&mut self, fd: u64) -> Result<&mut Open, i64> {
        let index = usize::try_from(fd as i32).map_err(|_| EBADF)?;
        self.open.get_mut(index).and_then(Option::as_mut).ok_or(EBADF)
    }

    /// A path as the program means it.
    fn path(&mut self, directory: u64, name: &[u8]) -> Result<PathBuf, i64> {
        let base = match directory as i32 {
            AT_FDCWD => self.directory.clone(),
            _ => match self.at(directory)? {
                Open::Directory(path, ..) => path.clone(),
                _ => return Err(ENOTDIR),
            },
        };
        if name.is_empty() {
            return Err(2);
        }
        Ok(base.join(std::ffi::OsStr::from_bytes(name)))
    }

    fn read(&mut self, fd: u64, size: usize) -> Result<Vec<u8>, i64> {
        let mut bytes = vec![0; size];
        let count = match self.at(fd)? {
            Open::Input => self.input.read(&mut bytes).map_err(|e| number(&e))?,
            Open::File(file) => file.read(&mut bytes).map_err(|e| number(&e))?,
            Open::Directory(..) => return Err(EISDIR),
            Open::Output | Open::Errors | Open::Socket(_) => return Err(EBADF),
        };
        bytes.truncate(count);
        Ok(bytes)
    }

    fn write(&mut self, fd: u64, bytes: &[u8]) -> Answer {
        match self.at(fd)? {
            Open::Output => self.output.extend(bytes),
            Open::Errors => self.errors.extend(bytes),
            Open::File(file) => return file.write(bytes).map(|n| n as u64).map_err(|e| number(&e)),
            _ => return Err(EBADF),
        }
        Ok(bytes.len() as u64)
    }

    fn open(&mut self, path: &Path, flags: u64, mode: u64) -> Answer {
        let open = match fs::metadata(path) {
            Ok(about) if about.is_dir() && flags & O_ACCMODE == 0 => {
                Open::Directory(path.to_path_buf(), listed(path).map_err(|e| number(&e))?, 0)
            }
            _ => {
                let access = flags & O_ACCMODE;
                let mut options = OpenOptions::new();
                options.read(access != O_WRONLY).write(access != 0).mode(mode as u32);
                // The rest is for the kernel to look at.
                options.custom_flags((flags & !O_ACCMODE & !O_CREAT) as i32).create(flags & O_CREAT != 0);
                Open::File(options.open(path).map_err(|e| number(&e))?)
            }
        };
        Ok(self.opened(open))
    }

    /// The descriptor of something new: the least that is free.
    pub(super) fn opened(&mut self, open: Open) -> u64 {
        let free = self.open.iter().position(Option::is_none).unwrap_or(self.open.len());
        if free == self.open.len() {
            self.open.push(None);
        }
        self.open[free] = Some(open);
        free as u64
    }

    fn close(&mut self, fd: u64) -> Answer {
        self.at(fd)?;
        let closed = self.open[fd as usize].take();
        if let (Some(Open::Socket(socket)), Some(network)) = (closed, &mut self.network) {
            network.close(socket);
        }
        Ok(0)
    }

    fn seek(&mut self, fd: u64, offset: u64, whence: u64) -> Answer {
        let to = match whence {
            0 => SeekFrom::Start(offset),
            1 => SeekFrom::Current(offset as i64),
            2 => SeekFrom::End(offset as i64),
            _ => return Err(EINVAL),
        };
        match self.at(fd)? {
            Open::File(file) => file.seek(to).map_err(|e| number(&e)),
            _ => Err(ESPIPE),
        }
    }

    /// `struct stat` of what a descriptor is.
    fn about(&mut self, fd: u64) -> Result<Vec<u8>, i64> {
        match self.at(fd)? {
            Open::File(file) => Ok(stat(&file.metadata().map_err(|e| number(&e))?)),
            Open::Directory(path, ..) => Ok(stat(&fs::metadata(path).map_err(|e| number(&e))?)),
            // A pipe of its own.
            _ => {
                let mut bytes = vec![0; 144];
                bytes[8..16].copy_from_slice(&(fd + 1).to_le_bytes());
                bytes[24..28].copy_from_slice(&0o010_600_u32.to_le_bytes());
                bytes[56..64].copy_from_slice(&4096_u64.to_le_bytes());
                Ok(bytes)
            }
        }
    }

    /// As many entries as fit, as `struct linux_dirent64`.
    fn entries(&mut self, fd: u64, size: usize) -> Result<Vec<u8>, i64> {
        let Open::Directory(_, all, next) = self.at(fd)? else { return Err(ENOTDIR) };
        let mut out = Vec::new();
        while let Some(entry) = all.get(*next) {
            let length = (19 + entry.name.len() + 1).next_multiple_of(8);
            if out.len() + length > size {
                break;
            }
            *next += 1;
            let start = out.len();
            out.extend(entry.inode.to_le_bytes());
            out.extend((*next as u64).to_le_bytes());
            out.extend((length as u16).to_le_bytes());
            out.push(entry.kind);
            out.extend(&entry.name);
            out.resize(start + length, 0);
        }
        if out.is_empty() && *next < all.len() { Err(EINVAL) } else { Ok(out) }
    }
}

fn number(e: &io::Error) -> i64 {
    e.raw_os_error().map_or(5, i64::from)
}

fn listed(path: &Path) -> io::Result<Vec<Listed>> {
    let dot = |name: &str| Listed { inode: 1, kind: 4, name: name.into() };
    let mut all = vec![dot("."), dot("..")];
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        // DT_DIR, DT_LNK, DT_REG, or it must be asked.
        let kind = match (kind.is_dir(), kind.is_symlink(), kind.is_file()) {
            (true, ..) => 4,
            (_, true, _) => 10,
            (.., true) => 8,
            _ => 0,
        };
        all.push(Listed { inode: entry.ino(), kind, name: entry.file_name().into_vec() });
    }
    Ok(all)
}

impl Machine<'_> {
    /// Gives the program a world around it, in which nothing happens but what it does.
    #[must_use]
    pub fn with_host(mut self, host: Host) -> Self {
        self.others = false;
        self.host = Some(host);
        self
    }

    /// The world around the program, as it is now.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// A call of this name, whose arguments have been looked at. `None`: the program has ended.
    pub(super) fn host_call(&mut self, host: &mut Host, name: &str) -> Watched<Option<u64>> {
        let order: [usize; 6] = match self.program.arch {
            Arch::Amd64 => [7, 6, 2, 10, 8, 9],
            Arch::Ia32 => [3, 1, 2, 6, 7, 5],
        };
        let words = order.map(|r| self.regs[r]);
        let [a, b, c, d, e, _] = words;
        let wide = self.program.arch == Arch::Amd64;
        let layout = |bytes: Vec<u8>| if wide { bytes } else { stat64(&bytes) };
        let answer = match name {
            "exit" | "exit_group" => {
                host.status = Some((a & 0xff) as i32);
                return Ok(None);
            }
            "read" => host.read(a, c as usize).and_then(|bytes| self.fill_in(b, &bytes)),
            "write" => {
                let bytes = self.bytes_at(b, c)?;
                host.write(a, &bytes)
            }
            "openat" => {
                let path = self.string_at(b)?;
                host.path(a, &path).and_then(|path| host.open(&path, c, d))
            }
            "close" => host.close(a),
            "lseek" => host.seek(a, b, c),
            "_llseek" => match host.seek(a, b << 32 | c & 0xffff_ffff, e) {
                Ok(to) => self.fill_in(d, &to.to_le_bytes()).map(|_| 0),
                Err(e) => Err(e),
            },
            "fstat" | "fstat64" => host.about(a).and_then(|s| self.fill_in(b, &layout(s)).map(|_| 0)),
            "stat" => {
                let path = self.string_at(a)?;
                let about = host.path(AT_FDCWD as u64, &path);
                let about = about.and_then(|p| fs::metadata(p).map_err(|e| number(&e)));
                about.and_then(|m| self.fill_in(b, &stat(&m)).map(|_| 0))
            }
            "newfstatat" | "fstatat64" => {
                let path = self.string_at(b)?;
                let look = if d & AT_SYMLINK_NOFOLLOW != 0 { fs::symlink_metadata } else { fs::metadata };
                let about = host.path(a, &path).and_then(|p| look(p).map_err(|e| number(&e)));
                about.and_then(|m| self.fill_in(c, &layout(stat(&m))).map(|_| 0))
            }
            "statx" => {
                let path = self.string_at(b)?;
                let look = if c & AT_SYMLINK_NOFOLLOW != 0 { fs::symlink_metadata } else { fs::metadata };
                let about = match path.is_empty() && c & AT_EMPTY_PATH != 0 {
                    true => host.about(a),
                    false => host.path(a, &path).and_then(|p| Ok(stat(&look(p).map_err(|e| number(&e))?))),
                };
                about.and_then(|s| self.fill_in(e, &statx(&s)).map(|_| 0))
            }
            "clock_gettime" | "clock_gettime64" => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let words = [now.as_secs(), now.subsec_nanos().into()];
                let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
                self.fill_in(b, &bytes).map(|_| 0)
            }
            "getdents64" => host.entries(a, c as usize).and_then(|bytes| self.fill_in(b, &bytes)),
            "mmap" | "mmap2" => {
                self.memory.allocate(vec![0; b as usize], Mode::Own, Holds::Hidden).ok_or(ENOMEM)
            }
            "munmap" => Ok(0),
            _ => self.network_call(host, name, words)?,
        };
        Ok(Some(answer.unwrap_or_else(|e| e.wrapping_neg() as u64)))
    }

    /// The kernel writes to memory that it was given; how many bytes.
    pub(super) fn fill_in(&mut self, addr: u64, bytes: &[u8]) -> Answer {
        for (i, byte) in bytes.iter().enumerate() {
            self.memory.write(addr + i as u64, 1, (*byte).into()).map_err(|_| EINVAL)?;
        }
        Ok(bytes.len() as u64)
    }

    pub(super) fn bytes_at(&mut self, addr: u64, size: u64) -> Watched<Vec<u8>> {
        (0..size).map(|i| self.memory.read(addr + i, 1).map(|b| b as u8)).collect()
    }

    fn string_at(&mut self, addr: u64) -> Watched<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            match self.memory.read(addr + bytes.len() as u64, 1)? {
                0 => return Ok(bytes),
                byte => bytes.push(byte as u8),
            }
        }
    }
}
