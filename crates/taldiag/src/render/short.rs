//! One line for each diagnostic, in the shape that editors and `grep` know.

use super::{one_line, place};
use crate::{Diagnostic, Sources};
use std::fmt::Write;

pub(super) fn render(out: &mut String, sources: &Sources, d: &Diagnostic) {
    if let Some(label) = d.main_label() {
        let _ = write!(out, "{}: ", one_line(&place(sources, &label.place)));
    }
    let _ = writeln!(out, "{}[{}]: {}", d.severity, d.code, one_line(&d.message));
}
