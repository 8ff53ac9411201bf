//! Inputs that grow in one dimension at a time: what a hostile file would grow, to make the tools take longer than its
//! size pays for. `cargo xtask bench growth` measures them, tests count their steps and the memory they take.

mod checker;
pub mod image;
mod linker;
mod source;

use crate::toolchain::{Module, assemble};
use talcore::arch::Arch;
use tallink::Input;

/// A family of inputs. Its members are numbered by their size in bytes, about.
#[derive(Clone, Copy)]
pub struct Family {
    /// A word.
    pub name: &'static str,
    /// What there is more of.
    pub grows: &'static str,
    /// Makes a member.
    pub make: Made,
}

/// What members are.
#[derive(Clone, Copy)]
pub enum Made {
    /// Executables, for the checker.
    Executable(fn(Arch, usize) -> Vec<u8>),
    /// Objects and archives, for the linker.
    Objects(fn(Arch, usize) -> Vec<Input>),
    /// Modules without their first line, for the assembler.
    Source(fn(usize) -> String),
}

/// A member of a family.
pub enum Member {
    /// An executable.
    Executable(Vec<u8>),
    /// What is linked.
    Objects(Vec<Input>),
    /// A module.
    Source(String),
}

/// All families.
#[must_use]
pub fn families() -> Vec<Family> {
    [checker::FAMILIES, linker::FAMILIES, source::FAMILIES].concat()
}

impl Family {
    /// The member of about so many bytes.
    #[must_use]
    pub fn member(&self, arch: Arch, size: usize) -> Member {
        match self.make {
            Made::Executable(make) => Member::Executable(make(arch, size)),
            Made::Objects(make) => Member::Objects(make(arch, size)),
            Made::Source(make) => Member::Source(source::for_arch(arch, &make(size))),
        }
    }
}

impl Member {
    /// Its size.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let size = |input: &Input| match input {
            Input::File(file) => file.bytes.len(),
            Input::GroupStart | Input::GroupEnd => 0,
        };
        match self {
            Member::Executable(bytes) => bytes.len(),
            Member::Objects(inputs) => inputs.iter().map(size).sum(),
            Member::Source(text) => text.len(),
        }
    }

    /// Lets the tool look at it that it is for, and says in a few words what came of it. For the checker, also how many
    /// steps were paid for.
    #[must_use]
    pub fn judge(&self) -> (String, Option<u64>) {
        let refused = |codes: &mut dyn Iterator<Item = u16>| {
            let first = codes.next().unwrap_or(0);
            format!("TAL{first:04} and {} more", codes.count())
        };
        match self {
            Member::Executable(bytes) => match image::judge(bytes) {
                Ok(accept) => {
                    let each = accept.steps as f64 / bytes.len() as f64;
                    (format!("accepted, {each:.1} steps/byte"), Some(accept.steps))
                }
                Err(r) => (format!("TAL{:04} {}", r.code as u16, r.why), None),
            },
            Member::Objects(inputs) => match tallink::link(inputs, &tallink::Options::default()) {
                Ok(_) => ("linked".into(), None),
                // Messages are part of what it costs.
                Err(errors) => {
                    let text = tallink::diag::render(&errors, taldiag::render::Format::Human, false);
                    (format!("{}, {} bytes", refused(&mut errors.iter().map(|e| e.code.0)), text.len()), None)
                }
            },
            Member::Source(text) => {
                let module = Module { name: "main.tal".into(), text: text.clone() };
                match assemble(&[module]) {
                    Ok(objects) => (format!("{} bytes of object", objects[0].bytes.len()), None),
                    Err(r) => {
                        let codes = refused(&mut r.codes.iter().map(|c| c.0));
                        (format!("{codes}, {} bytes", r.text.len()), None)
                    }
                }
            }
        }
    }
}
