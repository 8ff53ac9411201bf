//! From a rejection, which is data, to a diagnostic for a person.

use crate::debuginfo::DebugInfo;
use crate::replay::{self, Scene};
use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, OpAccess, Register};
use iced_x86::{Formatter, NasmFormatter};
use std::collections::BTreeSet;
use std::io::Read;
use talcore::Policy;
use talcore::codes::coded;
use talcore::program::Program;
use talcore::state::Word;
use talcore::term::{Term, Var};
use talcore::verdict::Reject;
use taldiag::{Code, Diagnostic, FileId, Place, Sources, codes};
use talnote::print::Printer;
use talnote::print::state::StatePrinter;

/// The code of a file that could not be read.
pub const UNREADABLE: Code = Code(90);

/// Explains why the file was rejected. `file` is what was checked: of a module, its image. `program` is what
/// could be loaded of it.
pub fn rejection(
    sources: &mut Sources,
    name: &str,
    file: &[u8],
    program: Option<Program<'_>>,
    reject: &Reject,
) -> Diagnostic {
    let code = Code(reject.code as u16);
    let binary = sources.add_binary(name);
    let info = DebugInfo::new(file);
    let title = codes::find(code).map_or("the file is rejected", |e| e.title);
    let mut d = Diagnostic::error(code, title);
    if reject.in_file {
        d = d.at(Place::Offset { file: binary, offset: reject.at }, reject.why);
    } else {
        d = d.at(instruction(binary, &info, reject.at), reject.why);
        if let Some(place) = source_line(sources, &info, reject.at) {
            d = d.near(place, "from this line");
        }
    }
    let program = program.filter(|_| !reject.in_file);
    let speculative = program.as_ref().is_some_and(|p| p.policy == Policy::Speculative);
    match program.and_then(|p| replay::scene(p, file, reject.at)) {
        Some(scene) => d = known(d, &info, &scene, reject),
        None => {
            if let Some(goal) = &reject.goal {
                d = d.note(format!("not proved: {} >= 0", term(goal)));
            }
        }
    }
    if speculative && reject.code != talcore::verdict::Code::Speculation {
        d = d.note(
            "with --spectre a branch teaches nothing unless the instruction that it leads to is `lfence`",
        );
    }
    if let Some(target) = reject.target {
        let symbol = info.symbol(target).map_or(String::new(), |s| format!(" ({s})"));
        d = d.note(format!("on the way to {target:#x}{symbol}"));
        if let Some(place) = source_line(sources, &info, target) {
            d = d.near(place, "the way leads here");
        }
    }
    d
}

/// Adds what the checker knew: the registers that matter, and the facts about them.
fn known(mut d: Diagnostic, info: &DebugInfo<'_>, scene: &Scene<'_>, reject: &Reject) -> Diagnostic {
    let (program, state) = (&scene.program, &scene.state);
    let object = |index: u32| {
        let address = program.objects.get(index as usize).map_or(0, |o| o.addr);
        info.symbol(address).map_or_else(|| format!("{address:#x}"), |s| s.to_string())
    };
    let sig = program.functions.get(scene.function).map(|f| program.types.sig(f.sig));
    let printer = StatePrinter {
        types: &program.types,
        structs: &[],
        word_bits: info.word_bits(),
        sig_names: &[],
        sig_vars: sig.map_or(0, |s| s.vars.len()),
        object: &object,
    };
    let names = printer.names(state);
    let mut vars: BTreeSet<Var> = BTreeSet::new();
    if let Some((is, wanted)) = reject.types() {
        let types = Printer::new(&program.types);
        let name =
            |t: &Term| coded(t).map_or_else(|| "what a variable stands for".to_string(), |id| types.word(id));
        d = d.note(format!("not the same type: wanted is {}, and there is {}", name(wanted), name(is)));
    } else if let Some(goal) = &reject.goal {
        d = d.note(format!("not proved: {}", printer.fact(&names, goal)));
        vars.extend(goal.summands().iter().map(|s| s.0));
    }
    if let Some(id) = reject.union
        && let Some(variants) =
            program.shapes.union(id).and_then(|u| Printer::new(&program.types).variants(id, u))
    {
        d = d.note(variants);
    }
    let mut registers = registers_of(&info.instruction(reject.at));
    registers.extend(reject.reg);
    for r in registers {
        match printer.register_line(state, &names, r) {
            Some(line) => d = d.note(line),
            None if reject.reg == Some(r) => {
                d = d.note(format!("{}: nothing is known", register(r, info.word_bits())));
            }
            None => {}
        }
        match state.regs.get(usize::from(r)) {
            Some(Word::Int(t) | Word::Ptr(_, t) | Word::Sp(t)) => {
                vars.extend(t.summands().iter().map(|s| s.0))
            }
            Some(Word::Opt(v, ..)) => drop(vars.insert(*v)),
            _ => {}
        }
    }
    let facts = printer.facts(state, &names, &|v| vars.contains(&v));
    if !facts.is_empty() {
        d = d.note(format!("known here: {}", facts.join(", ")));
    }
    d
}

/// The hardware numbers of the general registers that an instruction reads, with those that pass arguments or
/// results if it is a call or a return.
fn registers_of(instruction: &Instruction) -> BTreeSet<u8> {
    let mut found = BTreeSet::new();
    let mut factory = InstructionInfoFactory::new();
    for used in factory.info(instruction).used_registers() {
        let reads = matches!(
            used.access(),
            OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        );
        let full = used.register().full_register();
        if reads && full.is_gpr() && full != Register::RSP && full != Register::ESP {
            found.extend(u8::try_from(full.number()));
        }
    }
    match instruction.flow_control() {
        FlowControl::Call | FlowControl::IndirectCall => found.extend([7, 6, 2, 1, 8, 9]),
        FlowControl::Return => found.extend([0, 2]),
        _ => {}
    }
    found
}

/// The place of the instruction at an address.
fn instruction(file: FileId, info: &DebugInfo<'_>, address: u64) -> Place {
    let code = info.bytes(address, 15);
    let i = info.instruction(address);
    let (bytes, text) = match i.is_invalid() {
        true => (code.to_vec(), None),
        false => (code[..i.len().min(code.len())].to_vec(), Some(disassembled(&i))),
    };
    Place::Binary { file, address, symbol: info.symbol(address), bytes, instruction: text }
}

/// The text of an instruction, in the syntax of the assembler.
pub(crate) fn disassembled(instruction: &Instruction) -> String {
    let mut formatter = NasmFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_space_between_memory_add_operators(true);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_small_hex_numbers_in_decimal(true);
    options.set_branch_leading_zeros(false);
    options.set_rip_relative_addresses(false);
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}

/// The source line of an address, if the debug information names one and the file can be shown.
fn source_line(sources: &mut Sources, info: &DebugInfo<'_>, address: u64) -> Option<Place> {
    let line = info.line(address)?;
    let text = source_text(&line.path)?;
    let file = sources.add(line.path, text);
    let range = sources.line_range(file, line.line)?;
    let shown = sources.text(file)?.get(range.clone())?;
    let start = range.start + shown.len() - shown.trim_start().len();
    // A comment at the end of the line is not what is meant.
    let code = shown.split(';').next().unwrap_or(shown).trim_end();
    let end = (range.start + code.len()).max(start);
    Some(Place::Source { file, range: start..end })
}

/// The text of a source file that debug information names. The path comes from the file under
/// suspicion, so only ordinary TAL sources of ordinary size are opened: no devices, no secrets.
fn source_text(path: &str) -> Option<String> {
    const MOST: u64 = 16 << 20;
    if !path.ends_with(".tal") {
        return None;
    }
    let meta = std::fs::symlink_metadata(path).ok()?;
    if !meta.is_file() || meta.len() > MOST {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(MOST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The name of a general register by its hardware number.
pub(crate) fn register(number: u8, bits: u32) -> String {
    const LOW: [&str; 8] = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];
    match (LOW.get(usize::from(number)), bits) {
        (Some(name), 32) => format!("e{name}"),
        (Some(name), _) => format!("r{name}"),
        (None, _) => format!("r{number}"),
    }
}

/// A term as text. Variables of a state have no names: they are numbered.
pub(crate) fn term(t: &Term) -> String {
    let mut text = String::new();
    for &(v, c) in t.summands().iter() {
        let sign = match (text.is_empty(), c < 0) {
            (true, false) => "",
            (true, true) => "-",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        let factor = if c.unsigned_abs() == 1 { String::new() } else { format!("{}*", c.unsigned_abs()) };
        text.push_str(&format!("{sign}{factor}x{v}"));
    }
    match (text.is_empty(), t.konst()) {
        (true, c) => c.to_string(),
        (false, 0) => text,
        (false, c) if c < 0 => format!("{text} - {}", c.unsigned_abs()),
        (false, c) => format!("{text} + {c}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_read_like_formulas() {
        let t = |c, parts: &[(u32, i64)]| term(&Term::from_parts(c, parts).unwrap());
        assert_eq!(t(0, &[]), "0");
        assert_eq!(t(-7, &[]), "-7");
        assert_eq!(t(0, &[(1, 1)]), "x1");
        assert_eq!(t(-8, &[(0, -1), (1, 8), (3, -2)]), "-x0 + 8*x1 - 2*x3 - 8");
        assert_eq!(t(3, &[(2, i64::MIN)]), "-9223372036854775808*x2 + 3");
    }

    #[test]
    fn registers_have_the_names_of_their_word_size() {
        assert_eq!(
            (register(0, 64), register(7, 32), register(12, 64)),
            ("rax".into(), "edi".into(), "r12".into())
        );
    }
}
