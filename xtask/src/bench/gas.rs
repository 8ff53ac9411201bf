//! The code of an object, written as source for GNU as.

use crate::Architecture;
use iced_x86::{
    Decoder, DecoderOptions, Formatter, FormatterOutput, FormatterTextKind, Instruction, IntelFormatter,
    SymbolResolver, SymbolResult,
};
use object::{Object, ObjectSection};
use std::collections::BTreeSet;

/// The same instructions with labels for the targets of branches, and how many they are. What a relocation
/// would fill in names a symbol of another module. `None` for an object without code.
pub(crate) fn source(object: &[u8], arch: Architecture) -> Result<Option<(String, usize)>, String> {
    let elf = object::File::parse(object).map_err(|e| e.to_string())?;
    let Some(text) = elf.section_by_name(".text").filter(|t| t.size() != 0) else { return Ok(None) };
    let code = text.data().map_err(|e| e.to_string())?;
    let bits = if arch == Architecture::Ia32 { 32 } else { 64 };
    let instructions: Vec<Instruction> = Decoder::new(bits, code, DecoderOptions::NONE).into_iter().collect();
    let relocated: BTreeSet<u64> = text.relocations().map(|(offset, _)| offset).collect();
    // A branch ends with its displacement of four bytes where it has a relocation.
    let outside = |i: &Instruction| relocated.contains(&i.next_ip().wrapping_sub(4));
    let inside = instructions.iter().filter(|i| branches(i) && !outside(i));
    let targets: BTreeSet<u64> = inside.map(Instruction::near_branch_target).collect();

    let mut formatter = IntelFormatter::with_options(Some(Box::new(Labels)), None);
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_rip_relative_addresses(true);
    options.set_show_branch_size(false);
    options.set_branch_leading_zeros(false);
    let mut out = Source(String::from(".intel_syntax noprefix\n.text\n"));
    for instruction in &instructions {
        if targets.contains(&instruction.ip()) {
            out.0.push_str(&format!("{}:\n", label(instruction.ip())));
        }
        let mut instruction = *instruction;
        if branches(&instruction) && outside(&instruction) {
            match arch {
                Architecture::Amd64 => instruction.set_near_branch64(OUTSIDE),
                Architecture::Ia32 => instruction.set_near_branch32(OUTSIDE as u32),
            }
        }
        formatter.format(&instruction, &mut out);
        out.0.push('\n');
    }
    Ok(Some((out.0, instructions.len())))
}

/// Stands for the target of a branch to another module.
const OUTSIDE: u64 = 0xffff_ffff;

fn branches(i: &Instruction) -> bool {
    i.is_call_near() || i.is_jmp_short_or_near() || i.is_jcc_short_or_near()
}

fn label(address: u64) -> String {
    if address == OUTSIDE { "elsewhere".into() } else { format!(".L{address:x}") }
}

struct Labels;

impl SymbolResolver for Labels {
    fn symbol(
        &mut self,
        instruction: &Instruction,
        _: u32,
        _: Option<u32>,
        address: u64,
        _: u32,
    ) -> Option<SymbolResult<'_>> {
        branches(instruction).then(|| SymbolResult::with_string(address, label(address)))
    }
}

struct Source(String);

impl FormatterOutput for Source {
    fn write(&mut self, text: &str, _: FormatterTextKind) {
        self.0.push_str(text);
    }
}
