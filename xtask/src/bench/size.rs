//! What annotations cost in bytes.

use super::{check, publish};
use crate::tools::Tools;
use crate::{Architecture, Done, examples};

/// Prints a row for each example and one for a generated program.
pub(crate) fn run(arch: Architecture) -> Done {
    let tools = Tools::build()?;
    let mut programs = examples::build_for(&tools, arch.arch())?.programs();
    programs.push(check::executable(&tools, arch, 100_000)?);
    let mut table = format!(
        "{:<16} {:>8} {:>8} {:>8} {:>12} {:>8}\n",
        "", "code", "data", "notes", "notes/(c+d)", "file"
    );
    for path in programs {
        let file = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let a = talcheck::check(&file).map_err(|r| format!("{name} is rejected: {r:?}"))?;
        let share = 100.0 * a.note_bytes as f64 / ((a.code_bytes + a.data_bytes) as f64).max(1.0);
        table.push_str(&format!(
            "{name:<16} {:>8} {:>8} {:>8} {share:>10.1} % {:>8}\n",
            a.code_bytes,
            a.data_bytes,
            a.note_bytes,
            file.len()
        ));
    }
    publish("size", arch, &table)
}
