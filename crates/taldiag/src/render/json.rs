//! One JSON object for each diagnostic, on one line.
//!
//! Keys: `code`, `severity`, `message`, `labels`, `notes`, `helps`. Addresses and offsets are hexadecimal
//! strings, because 64 bits do not fit the numbers of every JSON reader.

use crate::{Diagnostic, Label, Place, Sources};
use serde_json::{Value, json};

pub(super) fn render(out: &mut String, sources: &Sources, d: &Diagnostic) {
    let value = json!({
        "code": d.code.to_string(),
        "severity": d.severity.word(),
        "message": d.message,
        "labels": d.labels.iter().map(|l| label(sources, l)).collect::<Vec<_>>(),
        "notes": d.notes,
        "helps": d.helps,
    });
    out.push_str(&value.to_string());
    out.push('\n');
}

fn label(sources: &Sources, l: &Label) -> Value {
    let mut v = json!({
        "file": sources.name(l.place.file()),
        "text": l.text,
        "primary": l.primary,
    });
    match &l.place {
        Place::Source { file, range } => {
            let (from, to) = (sources.position(*file, range.start), sources.position(*file, range.end));
            v["bytes"] = json!([range.start, range.end]);
            v["start"] = json!({ "line": from.line, "column": from.column });
            v["end"] = json!({ "line": to.line, "column": to.column });
        }
        Place::Binary { address, symbol, bytes, instruction, .. } => {
            v["address"] = json!(format!("{address:#x}"));
            if let Some(s) = symbol {
                v["symbol"] = json!({ "name": s.name, "offset": format!("{:#x}", s.offset) });
            }
            if !bytes.is_empty() {
                v["code"] = json!(super::hex(bytes));
            }
            if let Some(text) = instruction {
                v["instruction"] = json!(text);
            }
        }
        Place::Offset { offset, .. } => v["offset"] = json!(format!("{offset:#x}")),
        Place::File { .. } => {}
    }
    v
}
