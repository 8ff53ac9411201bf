//! The reading of GNU objdump, of many instructions at once.
//!
//! They lie one behind the other in one file, without anything in between: where objdump ends one of them elsewhere,
//! the addresses of the lines that follow are not those that were put there.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use talcore::arch::Arch;
use talcore::x86::decode::decode;
use talcore::x86::insn::{Insn, Op, Rep};
use talcore::x86::table;

use super::{Operand, Reading, class, immediate_mask, implied, ours};

/// Where the file is said to lie.
const START: u64 = 0x40_1000;
/// Instructions of one file.
const FULL: usize = 1 << 19;

/// Whether it is there at all.
pub(crate) fn installed() -> bool {
    Command::new("objdump").arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Instructions that wait for objdump.
pub(crate) struct Batch {
    arch: Arch,
    bytes: Vec<u8>,
    lens: Vec<u8>,
    /// How many were compared.
    pub(crate) compared: u64,
}

impl Batch {
    pub(crate) fn new(arch: Arch) -> Batch {
        Batch { arch, bytes: Vec::new(), lens: Vec::new(), compared: 0 }
    }

    /// One accepted instruction.
    pub(crate) fn push(&mut self, used: &[u8]) {
        self.bytes.extend_from_slice(used);
        self.lens.push(used.len() as u8);
        if self.lens.len() == FULL {
            self.compare();
        }
    }

    /// Asserts that objdump reads all of them as we do.
    pub(crate) fn compare(&mut self) {
        if self.lens.is_empty() {
            return;
        }
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&self.bytes).unwrap();
        let machine = if self.arch == Arch::Amd64 { "i386:x86-64" } else { "i386" };
        let mut objdump = Command::new("objdump")
            .args(["-D", "-z", "-w", "-b", "binary", "-m", machine, "-M", "intel", "--no-show-raw-insn"])
            .arg(format!("--adjust-vma={START}"))
            .arg(file.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("objdump of GNU binutils");
        let mut lines = BufReader::with_capacity(1 << 16, objdump.stdout.take().unwrap());
        let mut line = String::new();
        let (mut at, mut rest) = (START, &self.bytes[..]);
        for &len in &self.lens {
            let (used, behind) = rest.split_at(len.into());
            loop {
                line.clear();
                assert!(lines.read_line(&mut line).unwrap() > 0, "objdump ends at {at:#x}");
                if line.starts_with(' ') {
                    break;
                }
            }
            check(self.arch, at, used, &line);
            (at, rest) = (at + u64::from(len), behind);
        }
        line.clear();
        assert_eq!(lines.read_line(&mut line).unwrap(), 0, "objdump reads more: {line}");
        assert!(objdump.wait().unwrap().success());
        self.compared += self.lens.len() as u64;
        self.bytes.clear();
        self.lens.clear();
    }
}

/// Compares one line with the instruction that lies at `at`.
fn check(arch: Arch, at: u64, used: &[u8], line: &str) {
    let wrong = |what: &str| -> ! { panic!("objdump: {what}: {used:02x?} at {at:#x}: {}", line.trim()) };
    let (address, text) = line.split_once(":\t").unwrap_or_else(|| wrong("no line of code"));
    if u64::from_str_radix(address.trim(), 16) != Ok(at) {
        wrong("another length");
    }
    let insn = decode(arch, used, at).unwrap();
    let ours = ours(&insn);
    match read(arch, text.trim(), &insn, at) {
        Some(theirs) if agrees(&theirs, &ours) => {}
        Some(theirs) => wrong(&format!("disagrees\n  objdump {theirs:?}\n  ours    {ours:?}\n")),
        None => wrong("not understood"),
    }
}

fn agrees(theirs: &Reading, ours: &Reading) -> bool {
    theirs.op == ours.op
        && theirs.cond == ours.cond
        && theirs.lock == ours.lock
        && theirs.rep == ours.rep
        && theirs.operands == ours.operands
        && theirs.memory == ours.memory
        && (ours.cond.is_some() || theirs.name == ours.name)
}

/// A line without its address.
fn read(arch: Arch, text: &str, insn: &Insn, at: u64) -> Option<Reading> {
    // What stands behind `#` is an address in words that the operand says already.
    let (text, target) = match text.split_once('#') {
        Some((text, target)) => (text.trim_end(), Some(target.trim())),
        None => (text, None),
    };
    let (mut lock, mut rep) = (false, Rep::No);
    let (mut word, mut rest) = split(text);
    loop {
        match word {
            "lock" => lock = true,
            "rep" | "repz" => rep = Rep::Rep,
            "repnz" => rep = Rep::Repne,
            // The longest `nop` has prefixes that mean nothing.
            "data16" | "cs" if insn.op == Op::Nop => {}
            _ => break,
        }
        (word, rest) = split(rest);
    }
    // Two names of the same byte.
    if insn.op == Op::Nop && (word, rest) == ("xchg", "ax,ax") {
        (word, rest) = ("nop", "");
    }
    let row = table::row(insn.row)?;
    let relative = matches!(insn.op, Op::Jcc | Op::Jmp | Op::Call | Op::Jcxz);
    let (mut operands, mut memory) = (Vec::new(), None);
    for part in rest.split(',').filter(|p| !p.is_empty()) {
        if let Some(place) = place(part) {
            let (size, mut operand) = address(arch, part, place)?;
            if insn.op != Op::Lea {
                memory = size;
            }
            if let Operand::Mem(.., disp, true) = &mut operand {
                *disp = disp.wrapping_add((at + u64::from(insn.len)) as i64);
                if number(target?)? != *disp as u64 {
                    return None;
                }
            }
            operands.push(operand);
        } else if let Some(register) = register(part) {
            operands.push(match register {
                Operand::General(n, 4) if row.mnemonic == "pinsrw" => Operand::General(n, 2),
                other => other,
            });
        } else if relative {
            operands.push(Operand::Rel(number(part)?));
        } else {
            operands.push(Operand::Imm(number(part)? as i64 & immediate_mask(insn, row)));
        }
    }
    let (op, cond) = class(word, &operands)?;
    let name = match (word, insn.op) {
        ("movabs", _) => "mov",
        ("int", Op::Syscall) => "int 0x80",
        (name, _) => name,
    };
    let implied = implied(insn.op);
    Some(Reading {
        len: 0,
        op,
        cond,
        name: name.into(),
        lock,
        rep,
        operands: if implied { Vec::new() } else { operands },
        memory: if implied { None } else { memory },
    })
}

/// The first word, and what follows it.
fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').map_or((text, ""), |(word, rest)| (word, rest.trim_start()))
}

fn number(text: &str) -> Option<u64> {
    // The count that no byte says.
    if text == "1" {
        return Some(1);
    }
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// What names a place in memory: behind the segment, or in brackets.
fn place(part: &str) -> Option<&str> {
    let place = part.rsplit_once(' ').map_or(part, |p| p.1);
    match place.strip_prefix("ds:").or_else(|| place.strip_prefix("es:")) {
        Some(place) => Some(place),
        None => place.starts_with('[').then_some(place),
    }
}

/// The size and the operand.
fn address(arch: Arch, part: &str, place: &str) -> Option<(Option<u32>, Operand)> {
    let size = match part.split_once(" PTR ").map(|p| p.0) {
        Some("BYTE") => Some(1),
        Some("WORD") => Some(2),
        Some("DWORD") => Some(4),
        Some("QWORD") => Some(8),
        Some("XMMWORD") => Some(16),
        Some(_) => return None,
        None => None,
    };
    let signed = |x: u64| if arch == Arch::Ia32 { x as i32 as i64 } else { x as i64 };
    let Some(inner) = place.strip_prefix('[') else {
        return Some((size, Operand::Mem(None, None, 0, signed(number(place)?), false)));
    };
    let mut inner = inner.strip_suffix(']')?;
    let mut disp = 0;
    // The displacement comes last, behind its sign.
    if let Some(cut) = inner.rfind(['+', '-'])
        && let Some(x) = number(&inner[cut + 1..])
    {
        disp = signed(if inner.as_bytes()[cut] == b'-' { x.wrapping_neg() } else { x });
        inner = &inner[..cut];
    }
    let (mut base, mut index, mut scale, mut rip) = (None, None, 0, false);
    for part in inner.split('+') {
        let word = |name| match register(name)? {
            Operand::General(n, bytes) if bytes == arch.word_bytes() => Some(n),
            _ => None,
        };
        match part.split_once('*') {
            Some((name, by)) => {
                index = Some(word(name)?);
                scale = by.parse().ok()?;
            }
            None if part == "rip" => rip = true,
            None if base.is_none() => base = Some(word(part)?),
            None => return None,
        }
    }
    Some((size, Operand::Mem(base, index, scale, disp, rip)))
}

/// The register of this name.
fn register(name: &str) -> Option<Operand> {
    const WORDS: [&str; 8] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
    const BYTES: [&str; 8] = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];
    const HIGH: [&str; 4] = ["ah", "ch", "dh", "bh"];
    let find = |names: &[&str], name| names.iter().position(|n| *n == name).map(|n| n as u8);
    if let Some(n) = name.strip_prefix("xmm") {
        return n.parse().ok().map(Operand::Xmm);
    }
    if let Some(n) = find(&BYTES, name) {
        return Some(Operand::General(n, 1));
    }
    if let Some(n) = find(&HIGH, name) {
        return Some(Operand::High(n));
    }
    if let Some(n) = find(&WORDS, name) {
        return Some(Operand::General(n, 2));
    }
    let (wide, rest) = (name.as_bytes().first()?, &name[1..]);
    if let Some(n) = find(&WORDS, rest) {
        return Some(Operand::General(
            n,
            match wide {
                b'e' => 4,
                b'r' => 8,
                _ => return None,
            },
        ));
    }
    let rest = name.strip_prefix('r')?;
    let digits = rest.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let bytes = match &rest[digits.len()..] {
        "" => 8,
        "d" => 4,
        "w" => 2,
        "b" => 1,
        _ => return None,
    };
    digits.parse().ok().filter(|n| (8..16).contains(n)).map(|n| Operand::General(n, bytes))
}
