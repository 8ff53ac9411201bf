//! `docs/programs.md` tells what the programs are made of.

use super::build::{names, programs};
use std::fs;
use std::path::Path;
use talcore::arch::Arch;

/// How much the page may be off, of a hundred: a change of the inference moves a few bytes in many programs, and is no reason
/// to write the page anew.
const TOLERANCE: u64 = 5;

#[test]
fn sizes_are_those_of_the_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/programs.md");
    let page = fs::read_to_string(page).expect("the page can be read");
    let (start, ia32) = page.split_once("\n### IA-32\n").expect("the page has a part for each architecture");
    let (_, amd64) = start.split_once("\n### AMD64\n").expect("the page has a part for each architecture");
    let mut problems = Vec::new();
    for (arch, part) in [(Arch::Amd64, amd64), (Arch::Ia32, ia32)] {
        for name in names(arch) {
            let path = programs(&name).into_iter().nth(usize::from(arch == Arch::Ia32)).expect("it is built");
            let accept = talcheck::check(&fs::read(path).expect("it can be read")).expect("it is accepted");
            let row = part.lines().find(|l| l.starts_with(&format!("| {name} |"))).unwrap_or_default();
            let numbers: Vec<u64> = row.split(" | ").skip(1).map_while(|n| n.parse().ok()).collect();
            let [instructions, code, _, notes] = numbers[..] else {
                problems.push(format!("{arch:?}: there is no row for {name}"));
                continue;
            };
            let same = |a: u64, b: u64| a.abs_diff(b) * 100 <= TOLERANCE * b + 100;
            if !same(instructions, accept.instructions)
                || !same(code, accept.code_bytes)
                || !same(notes, accept.note_bytes)
            {
                problems.push(format!("{arch:?}: {row}: not so, but {accept:?}"));
            }
        }
    }
    assert!(
        problems.is_empty(),
        "`cargo xtask bench figures` writes docs/programs.md:\n{}",
        problems.join("\n")
    );
}
