//! One SARIF 2.1.0 document: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>.

use crate::{Code, Diagnostic, Place, Severity, Sources, codes};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn render(out: &mut String, tool: &str, groups: &[(&Sources, &[Diagnostic])]) {
    let all = || groups.iter().flat_map(|g| g.1.iter().map(move |d| (g.0, d)));
    let used: BTreeSet<Code> = all().map(|(_, d)| d.code).collect();
    let used: Vec<Code> = used.into_iter().collect();
    let rules: Vec<Value> = used.iter().map(|&c| rule(c)).collect();
    let results: Vec<Value> = all().map(|(sources, d)| result(sources, &used, d)).collect();
    let document = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": tool, "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    out.push_str(&format!("{document:#}\n"));
}

fn rule(code: Code) -> Value {
    let mut v = json!({ "id": code.to_string() });
    if let Some(entry) = codes::find(code) {
        v["shortDescription"] = json!({ "text": entry.title });
        v["help"] = json!({ "text": entry.page, "markdown": entry.page });
    }
    v
}

fn result(sources: &Sources, used: &[Code], d: &Diagnostic) -> Value {
    let level = match d.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let mut text = d.message.clone();
    d.notes.iter().for_each(|n| text.push_str(&format!("\nnote: {n}")));
    d.helps.iter().for_each(|h| text.push_str(&format!("\nhelp: {h}")));
    let place = |primary: bool| -> Vec<Value> {
        let labels = d.labels.iter().enumerate().filter(|l| l.1.primary == primary);
        labels.map(|(i, l)| location(sources, i, &l.place, &l.text)).collect()
    };
    let mut v = json!({
        "ruleId": d.code.to_string(),
        "level": level,
        "message": { "text": text },
        "locations": place(true),
    });
    if let Ok(index) = used.binary_search(&d.code) {
        v["ruleIndex"] = json!(index);
    }
    let related = place(false);
    if !related.is_empty() {
        v["relatedLocations"] = json!(related);
    }
    v
}

fn location(sources: &Sources, id: usize, place: &Place, text: &str) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(sources.name(place.file())) } });
    let mut v = json!({ "id": id });
    match place {
        Place::Source { file, range } => {
            let (from, to) = (sources.position(*file, range.start), sources.position(*file, range.end));
            physical["region"] = json!({
                "startLine": from.line, "startColumn": from.column,
                "endLine": to.line, "endColumn": to.column,
            });
        }
        Place::Binary { address, symbol, .. } => {
            // SARIF wants signed 64-bit numbers; addresses above that are left out.
            if let Ok(a) = i64::try_from(*address) {
                physical["address"] = json!({ "absoluteAddress": a });
            }
            if let Some(s) = symbol {
                v["logicalLocations"] = json!([{ "name": s.name, "kind": "function" }]);
            }
        }
        Place::Offset { offset, .. } => {
            if let Ok(o) = i64::try_from(*offset) {
                physical["region"] = json!({ "byteOffset": o, "byteLength": 0 });
            }
        }
        Place::File { .. } => {}
    }
    v["physicalLocation"] = physical;
    if !text.is_empty() {
        v["message"] = json!({ "text": text });
    }
    v
}

/// A file name as a relative or absolute URI reference.
fn uri(name: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let scheme = if name.starts_with('/') { "file://" } else { "" };
    let path = name.bytes().map(|b| if keep(b) { (b as char).to_string() } else { format!("%{b:02X}") });
    scheme.to_string() + &path.collect::<String>()
}
