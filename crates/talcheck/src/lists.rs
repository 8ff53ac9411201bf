//! `--list-instructions` and `--list-syscalls`: the trusted tables, printed.

use talcore::abi::Abi;
use talcore::types::Types;

/// The system calls that are typed: number, name, manual page and type, one form on a line.
pub(crate) fn syscalls() -> String {
    let abi = Abi::amd64(&mut Types::default());
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
    out.push_str(&format!("\n{} forms of {} system calls of AMD64\n", entries.len(), numbers.len()));
    out
}
