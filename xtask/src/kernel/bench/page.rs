//! What the pages of the documentation with results have in common.

use super::{Load, Native, Pairs, Spread};
use std::fmt::Write;

/// What instructions mean.
pub(super) const COUNTED: &str = "QEMU counts them (`-icount shift=0`), so these figures hold for any computer. On a real \
     processor `syscall` and its way back cost much more time than other instructions, which they do not show. The \
     emulator counts each step of a copying instruction; the processor is said not to be fast at `rep movsb`, so that the kernel \
     copies eight bytes in a step. A real one copies more at a time, so that what copying costs is overstated. ";

/// A title, who wrote the page, what is measured, and how often.
pub(super) fn begin(title: &str, experiment: &str, what: &str, runs: usize) -> String {
    format!(
        "# {title}\n\n<!-- Written by `cargo xtask bench kernel {experiment}`; do not edit. -->\n\n{what}\n\n\
         Medians of {runs} runs with the quarters around them in brackets. The kernel is the minimal one, on one emulated \
         processor (QEMU, TCG). [What ring 0 costs and saves](kernel-speed.md) has the same for single system calls.\n\n"
    )
}

/// The heading of what was measured as time.
pub(super) fn time(out: &mut String, load: Option<Load>) {
    out.push_str(
        "\n## Time under emulation\n\n\
         An emulated processor changes its privilege nearly for free, so this understates what ring 0 saves on a real one.\n\n",
    );
    out.push_str(&load.and_then(Load::warning).unwrap_or_default());
}

/// What a projection to a real processor begins with.
pub(super) fn on_real(out: &mut String, native: &Native) {
    let _ = write!(
        out,
        "\n## On a real processor\n\n\
         **A projection, not a measurement.** On the computer that measured a system call that does nothing takes {:.1} ns \
         ({:.1} to {:.1}) in user mode, and a call of an empty function {:.2} ns ({:.2} to {:.2}). The difference, {:.0} ns, is \
         the most that ring 0 can save for a call there; what the kernel does for such a call besides entry and exit stays. ",
        native.null.median,
        native.null.low,
        native.null.high,
        native.call.median,
        native.call.low,
        native.call.high,
        native.most_saved()
    );
}

/// A page with its text in lines of usual length.
pub(crate) fn wrapped(page: &str) -> String {
    page.lines().map(wrapped_line).collect()
}

/// A line of text in lines of usual length; other lines as they are.
fn wrapped_line(line: &str) -> String {
    const LENGTH: usize = 116;
    let mut out = String::new();
    let mut length = 0;
    let words = if line.starts_with(['|', '!', '<', '#']) { vec![line] } else { line.split(' ').collect() };
    for word in words {
        if length > 0 {
            let fits = length + 1 + word.len() <= LENGTH;
            out.push(if fits { ' ' } else { '\n' });
            length = if fits { length + 1 } else { 0 };
        }
        out.push_str(word);
        length += word.len();
    }
    out.push('\n');
    out
}

/// One median as a part of another.
pub(super) fn percent(a: &Spread, b: &Spread) -> String {
    format!("{:.0} %", 100.0 * a.median / b.median.max(1e-9))
}

/// A median with the quarters around it.
pub(super) fn shown(s: &Spread) -> String {
    format!("{:.0} ({:.0} to {:.0})", s.median, s.low, s.high)
}

/// The same with digits behind the point.
pub(super) fn digits(s: &Spread, digits: usize) -> String {
    format!("{:.digits$} ({:.digits$} to {:.digits$})", s.median, s.low, s.high)
}

/// How much of its time ring 0 saves, pair by pair.
pub(super) fn saved(pairs: &Pairs) -> Result<String, String> {
    Ok(format!("{} %", digits(&pairs.saved()?, 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_computer_is_told() {
        let told = |running| Load { running, processors: 2 }.warning();
        assert!(told(8.6).is_some_and(|t| t.contains("9 processes wanted its 2 processors")));
        assert_eq!(told(1.2), None);
    }

    #[test]
    fn long_lines_are_wrapped_and_tables_are_not() {
        let long = "word ".repeat(60);
        assert!(wrapped_line(long.trim()).lines().all(|l| l.len() <= 116 && !l.is_empty()));
        assert_eq!(wrapped_line("| a | b |"), "| a | b |\n");
        assert_eq!(wrapped_line(""), "\n");
        assert_eq!(wrapped_line(&"x".repeat(200)).lines().count(), 1);
    }
}
