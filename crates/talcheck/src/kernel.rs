//! `--kernel`: the checker as a kernel runs it when a program is executed.
//!
//! The program comes on standard input and nothing else is opened; one thread does all the work. Only the
//! exit code [`ACCEPTED`] accepts: a checker that crashes, is killed, or could not even be started ends with
//! another one. One short line on standard output tells more: of an accepted program the address of its gate
//! slot (`gate 0x402000`), which the kernel must know from nowhere else, of another one the reason, for the
//! log.

use crate::read::{Failure, read};
use std::io::Write;
use std::path::Path;
use talcore::verdict::{Code, Reject, Verdict};
use talcore::{Policy, limits};

/// The program is safe. No accident ends with this code: 0 is what a process ends with that did nothing.
pub(crate) const ACCEPTED: u8 = 42;
/// The program is refused.
const REFUSED: u8 = 1;
/// The program could not be read.
const UNUSABLE: u8 = 2;

/// The most bytes of the line, without its end.
const LINE: usize = 159;

/// The machine, as in the header of an ELF file, that this checker was built for. A kernel runs no programs
/// of other machines in kernel mode.
const MACHINE: Option<[u8; 2]> = if cfg!(target_arch = "x86_64") {
    Some([62, 0])
} else if cfg!(target_arch = "x86") {
    Some([3, 0])
} else {
    None
};

/// Checks standard input.
pub(crate) fn run(policy: Policy) -> u8 {
    match read(Path::new("-")) {
        Ok(file) => answer(&verdict(&file, policy)),
        Err(Failure::TooLarge) => {
            let most = limits::FILE_BYTES as u64;
            answer(&Err(Reject::new(Code::Limit, most, "the file is too large").in_file()))
        }
        Err(Failure::Io(e)) => {
            tell(&format!("the program cannot be read: {e}"));
            UNUSABLE
        }
    }
}

/// The checker's verdict; a program of another machine is refused whatever that says.
fn verdict(file: &[u8], policy: Policy) -> Verdict {
    let accept = talcore::check::check(file, policy)?;
    if MACHINE.is_none() || file.get(18..20) != MACHINE.as_ref().map(|m| &m[..]) {
        return Err(Reject::new(Code::Header, 18, "not a program of this machine").in_file());
    }
    Ok(accept)
}

fn answer(verdict: &Verdict) -> u8 {
    match verdict {
        Ok(accept) => {
            tell(&format!("gate {:#x}", accept.gate));
            ACCEPTED
        }
        Err(reject) => {
            tell(&line(reject));
            REFUSED
        }
    }
}

/// A refusal in one line: code, place, reason.
fn line(reject: &Reject) -> String {
    let place = if reject.in_file { "offset" } else { "address" };
    format!("TAL{:04} at {place} {:#x}: {}", reject.code as u16, reject.at, reject.why)
}

/// Writes the line. Nobody may be reading: the verdict is the exit code.
fn tell(text: &str) {
    let end = (0..=LINE).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    let text = text.get(..end).unwrap_or(text);
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_short_line() {
        let reject = Reject::new(Code::Bounds, 0x401000, "the access may lie outside the object");
        assert_eq!(line(&reject), "TAL0301 at address 0x401000: the access may lie outside the object");
        let reject = Reject::new(Code::Header, 18, "not a program of this machine").in_file();
        assert_eq!(line(&reject), "TAL0002 at offset 0x12: not a program of this machine");
    }

    #[test]
    fn only_a_program_is_accepted() {
        assert_eq!(answer(&verdict(b"", Policy::default())), REFUSED);
        assert_eq!(answer(&verdict(b"\x7fELF", Policy::default())), REFUSED);
    }
}
