//! The page of the documentation with the results.

use super::super::page::{self, percent, shown};
use super::super::{Load, Native};
use super::{Execs, Results, Row};
use std::fmt::Write;

/// The page.
pub(crate) fn text(
    instructions: &Results,
    time: &Results,
    native: &Native,
    runs: usize,
    load: Option<Load>,
) -> String {
    let mut out = format!(
        "# What ring 0 costs and saves\n\n\
         <!-- Written by `cargo xtask bench kernel`; do not edit. -->\n\n\
         The same verified programs on the same kernel in one boot, in user mode (CPL 3, `syscall`) and in ring 0 (CPL 0, \
         system calls are calls of functions). Medians of at least {runs} runs, in turns, with the quarters around them in \
         brackets. The kernel is the minimal one, on one emulated processor (QEMU, TCG).\n\n\
         ![Instructions for one operation, in both modes](figures/kernel-speed.svg)\n\n\
         ## Instructions\n\n\
         QEMU counts them (`-icount shift=0`), so these figures hold for any computer. They are all instructions from one \
         operation to the next, those of the kernel and the three or four of the loop. What they do not show: on a real \
         processor `syscall` and its way back cost much more time than other instructions.\n\n"
    );
    table(&mut out, &instructions.rows, "instructions");
    out.push_str(
        "\n## Time under emulation\n\n\
         Nanoseconds. An emulated processor changes its privilege nearly for free, so this understates what ring 0 saves \
         on a real one.\n\n",
    );
    out.push_str(&load.and_then(Load::warning).unwrap_or_default());
    table(&mut out, &time.rows, "ns");
    let (null, call) = (native.null.median, native.call.median);
    let _ = write!(
        out,
        "\n## On a real processor\n\n\
         The kernel above does not run on the computer that measured, but its processor and its own kernel can tell what \
         the two ways of calling cost there: the null call in user mode takes {null:.1} ns ({:.1} to {:.1}), a call of an \
         empty function {call:.2} ns ({:.2} to {:.2}), loop included: {:.0} to 1. **A projection, not a measurement:** \
         what the kernel does for the null call besides entry and exit stays, and the rest of the difference is what ring 0 \
         can save for each call.\n",
        native.null.low,
        native.null.high,
        native.call.low,
        native.call.high,
        null / call.max(1e-9)
    );
    out.push_str(
        "\n## Executing a program\n\n\
         From starting a process to having seen its end, for the example `hello`: without notes, so that it is an ordinary \
         process; verified, when the kernel has accepted it before; and verified anew each time, by the checker in a process of \
         its own.\n\n\
         | | without notes | verified, cached | | verified, checked | |\n| --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    execs(&mut out, "instructions", &instructions.execs);
    execs(&mut out, "ns", &time.execs);
    page::wrapped(&out)
}

fn table(out: &mut String, rows: &[Row], unit: &str) {
    let _ =
        writeln!(out, "| {unit} | user mode | ring 0 | ring 0 : user mode |\n| --- | ---: | ---: | ---: |");
    for r in rows {
        let ratio = percent(&r.ring0, &r.user);
        let _ = writeln!(out, "| {} | {} | {} | {ratio} |", r.name, shown(&r.user), shown(&r.ring0));
    }
}

fn execs(out: &mut String, unit: &str, e: &Execs) {
    let (cached, checked) = (percent(&e.cached, &e.unmarked), percent(&e.checked, &e.unmarked));
    let (a, b, c) = (shown(&e.unmarked), shown(&e.cached), shown(&e.checked));
    let _ = writeln!(out, "| {unit} | {a} | {b} | {cached} | {c} | {checked} |");
}
