//! A process of either architecture that executes single instructions for us.
//!
//! It is an executable of three segments without any code of its own: it spins until it is traced, and from then on runs
//! one instruction after the other with the registers and the memory that it is told.

use nix::libc::user_regs_struct;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use talcore::arch::Arch;

/// Where instructions lie: somewhere in this page.
pub(super) const CODE: u64 = 0x40_0000;
/// Where data lies.
pub(super) const DATA: u64 = 0x1000_0000;
/// Where the stack lies.
pub(super) const STACK: u64 = 0x2000_0000;
/// How many bytes data and stack have each.
pub(super) const ROOM: usize = 3 * 4096;
/// The flags that instructions work with: CF, PF, AF, ZF, SF, OF.
pub(super) const FLAGS: u64 = 0x8d5;

/// Registers, in hardware order, the place, and the flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Registers {
    pub(super) general: [u64; 16],
    pub(super) rip: u64,
    pub(super) flags: u64,
}

/// What became of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// It was executed.
    Done(Registers),
    /// The processor does not have it.
    Unknown,
    /// It divides by zero, or the quotient is too large.
    Divide,
    /// Any other signal: it may not touch what it touched.
    Fault(Signal),
}

/// The process, which is gone when this is dropped.
pub(super) struct Tracee {
    child: Child,
    pid: Pid,
    memory: File,
    /// What the kernel gave it besides the registers that we set.
    rest: user_regs_struct,
    path: PathBuf,
}

impl Tracee {
    /// Starts it, and stops it at once.
    pub(super) fn start(arch: Arch) -> io::Result<Tracee> {
        let name = format!("tal-cpu-{}-{}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        crate::executable::write(&path, &executable(arch))?;
        let child = Command::new(&path).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let pid = Pid::from_raw(child.id() as i32);
        ptrace::attach(pid)?;
        // It may have been about to stop for something else.
        while waitpid(pid, None)? != WaitStatus::Stopped(pid, Signal::SIGSTOP) {
            ptrace::cont(pid, None)?;
        }
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"))?;
        Ok(Tracee { child, pid, memory, rest: ptrace::getregs(pid)?, path })
    }

    /// Puts bytes into its memory, whatever its own rights there are.
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.memory.write_all_at(bytes, at)
    }

    /// Takes bytes out of its memory.
    pub(super) fn read(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.memory.read_exact_at(bytes, at)
    }

    /// Executes the instruction at the place that the registers say, with all its repetitions.
    pub(super) fn step(&mut self, registers: &Registers) -> io::Result<Step> {
        ptrace::setregs(self.pid, with(self.rest, registers))?;
        loop {
            ptrace::step(self.pid, None)?;
            match waitpid(self.pid, None)? {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
                WaitStatus::Stopped(_, Signal::SIGILL) => return Ok(Step::Unknown),
                WaitStatus::Stopped(_, Signal::SIGFPE) => return Ok(Step::Divide),
                WaitStatus::Stopped(_, signal) => return Ok(Step::Fault(signal)),
                other => return Err(io::Error::other(format!("the traced process is gone: {other:?}"))),
            }
            let now = of(&ptrace::getregs(self.pid)?);
            // A repeated instruction stops behind each turn.
            if now.rip != registers.rip {
                return Ok(Step::Done(now));
            }
        }
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        // Nothing else can be done where one of these fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.path);
    }
}

fn of(r: &user_regs_struct) -> Registers {
    let general = [
        r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13,
        r.r14, r.r15,
    ];
    Registers { general, rip: r.rip, flags: r.eflags & FLAGS }
}

fn with(rest: user_regs_struct, r: &Registers) -> user_regs_struct {
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = r.general;
    let eflags = rest.eflags & !FLAGS & !(1 << 10) | r.flags & FLAGS;
    // No system call is on its way that would have to be begun again.
    let orig_rax = u64::MAX;
    user_regs_struct {
        rax,
        rcx,
        rdx,
        rbx,
        rsp,
        rbp,
        rsi,
        rdi,
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        eflags,
        orig_rax,
        rip: r.rip,
        ..rest
    }
}

/// `jmp $`, and room for code, data and stack.
fn executable(arch: Arch) -> Vec<u8> {
    // Behind the page for instructions one for a function that they call.
    let segments = [(CODE, 7u32, 4096usize, 2 * 4096), (DATA, 6, 0, ROOM), (STACK, 6, 0, ROOM)];
    let mut file = vec![0x7f, b'E', b'L', b'F', if arch == Arch::Amd64 { 2 } else { 1 }, 1, 1];
    file.resize(16, 0);
    let machine: u16 = if arch == Arch::Amd64 { 62 } else { 3 };
    for half in [2, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1u32.to_le_bytes());
    let word = |file: &mut Vec<u8>, x: u64| match arch {
        Arch::Amd64 => file.extend(x.to_le_bytes()),
        Arch::Ia32 => file.extend((x as u32).to_le_bytes()),
    };
    let (header, entry) = if arch == Arch::Amd64 { (64u16, 56u16) } else { (52, 32) };
    for x in [CODE, header.into(), 0] {
        word(&mut file, x);
    }
    file.extend(0u32.to_le_bytes());
    for half in [header, entry, segments.len() as u16, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for (at, rights, bytes, size) in segments {
        file.extend(1u32.to_le_bytes());
        if arch == Arch::Amd64 {
            file.extend(rights.to_le_bytes());
        }
        for x in [4096, at, at, bytes as u64, size as u64] {
            word(&mut file, x);
        }
        if arch == Arch::Ia32 {
            file.extend(rights.to_le_bytes());
        }
        word(&mut file, 4096);
    }
    file.resize(4096, 0);
    file.extend([0xeb, 0xfe]);
    file.resize(2 * 4096, 0xcc);
    file
}
