//! Instructions against the processor; see [`tal_testkit::cpu`].

use tal_testkit::cpu::Laboratory;
use talcore::arch::Arch;

/// Some rounds, always the same ones, and more as long as there is something left: a row of the table at a width, or a
/// condition, of which nothing was executed. `cargo xtask fuzz instructions` goes on with others for as long as one likes.
fn rounds(arch: Arch) {
    let mut laboratory = Laboratory::new(arch).unwrap();
    for n in 0..5_000 {
        if n >= 1000 && laboratory.coverage.left().is_empty() {
            break;
        }
        if let Err(what) = laboratory.round(n) {
            panic!("round {n}: {what}");
        }
    }
    println!("{}", laboratory.coverage.summary());
    let left = laboratory.coverage.left();
    assert!(left.is_empty(), "never executed: {left:#?}");
}

#[test]
fn amd64_does_what_the_rules_say() {
    rounds(Arch::Amd64);
}

#[test]
fn ia32_does_what_the_rules_say() {
    rounds(Arch::Ia32);
}
