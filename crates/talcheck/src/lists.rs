//! `--list-instructions` and `--list-syscalls`: the trusted tables, printed.

use talcore::abi::Abi;
use talcore::arch::Arch;
use talcore::types::Types;
use talcore::x86::table;

/// The allowed encodings, of one architecture or of all: mnemonic, operands, encoding, flags, registers that no
/// operand names, typing rule.
pub(crate) fn instructions(arch: Option<Arch>) -> String {
    let heading = ["instruction", "operands", "encoding", "flags", "implicit", "rule"].map(String::from);
    let mut cells = vec![heading];
    for row in table::rows().iter().filter(|row| arch.is_none_or(|arch| row.archs.has(arch))) {
        let lock = if row.lock { "[lock] " } else { "" };
        let part = |word: &str, of: &str| if of.is_empty() { String::new() } else { format!("{word}{of} ") };
        let flags =
            [part("r:", row.flags.reads), part("w:", row.flags.writes), part("u:", row.flags.undefined)];
        let (reads, writes) = (row.reads.to_string(), row.writes.to_string());
        let aligned = if row.aligned { ", memory aligned to 16" } else { "" };
        cells.push([
            format!("{lock}{}", row.mnemonic),
            row.operands().to_string(),
            row.encoding().to_string(),
            flags.concat().trim_end().to_string(),
            [part("r:", &reads), part("w:", &writes)].concat().trim_end().to_string(),
            format!("{}{aligned}", row.rule()),
        ]);
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut out = String::new();
    for row in &cells {
        let line: String = row.iter().zip(&widths).map(|(cell, &w)| format!("{cell:w$}  ")).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str(&format!(
        "\n{} forms. Flags and registers: r read, w written, u undefined afterwards. A repeat prefix adds cx.\n",
        cells.len() - 1
    ));
    out
}

/// The system calls that are typed: number, name, manual page and type, one form on a line.
pub(crate) fn syscalls(arch: Arch) -> String {
    let abi = Abi::of(arch, &mut Types::default());
    let mut entries: Vec<_> = abi.iter().collect();
    // A stable sort: the forms of one call stay in the order in which they are tried.
    entries.sort_by_key(|e| e.number);
    let name_width = entries.iter().map(|e| e.name.len()).max().unwrap_or(0);
    let man_width = entries.iter().map(|e| e.man.len()).max().unwrap_or(0);
    let mut out = String::new();
    for e in &entries {
        let text = e.text.split_whitespace().collect::<Vec<_>>().join(" ");
        out.push_str(&format!("{:>4}  {:name_width$}  {:man_width$}  {text}\n", e.number, e.name, e.man));
    }
    let mut numbers: Vec<u32> = entries.iter().map(|e| e.number).collect();
    numbers.dedup();
    let name = crate::dump::architecture(arch);
    out.push_str(&format!("\n{} forms of {} system calls of {name}\n", entries.len(), numbers.len()));
    out
}

/// The system calls that are typed, as lines of C: `KML_SYSCALL(number, name)`. The kernel's own list of what a
/// verified program may ask for is made of it.
pub(crate) fn kernel(arch: Arch) -> String {
    let abi = Abi::of(arch, &mut Types::default());
    let mut calls: Vec<_> = abi.iter().map(|e| (e.number, e.name)).collect();
    calls.sort_unstable();
    calls.dedup_by_key(|c| c.0);
    calls.iter().map(|(number, name)| format!("KML_SYSCALL({number}, {name})\n")).collect()
}
