//! The listing: addresses, bytes and source lines, with what is known at each label.

use super::lines::Lines;
use crate::encode::{Encoded, FunctionCode};
use crate::ir::{Item, LabelId, Module, Span};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What is known at labels, as text of one or more lines: by function and label.
pub type States = BTreeMap<(u32, LabelId), String>;

/// How many bytes stand on one line.
const BYTES: usize = 8;

/// Something to print beside a source line.
enum Entry<'a> {
    Code { offset: u32, bytes: &'a [u8] },
    State(&'a str),
    Data { offset: u64, size: u64, bytes: &'a [u8] },
}

/// The listing of the module's first file; lines that come from other files are left out.
/// Offsets count from the start of the section.
pub fn write(module: &Module, encoded: &Encoded, states: &States) -> String {
    let lines = Lines::new(module);
    let mut by_line: BTreeMap<u32, Vec<Entry<'_>>> = BTreeMap::new();
    let mut add = |span: Span, entry| {
        if span.file == 0 {
            by_line.entry(lines.line(span)).or_default().push(entry);
        }
    };
    for (object, &offset) in module.objects.iter().zip(&encoded.objects) {
        let section = &encoded.data[object.section as usize];
        let bytes = section.bytes.get(offset as usize..(offset + object.size) as usize).unwrap_or(&[]);
        add(object.span, Entry::Data { offset, size: object.size, bytes });
    }
    for ((f, code), number) in module.functions.iter().zip(&encoded.functions).zip(0u32..) {
        for (i, item) in f.body.iter().enumerate() {
            match item {
                Item::Label(label) => {
                    if let Some(text) = states.get(&(number, *label)) {
                        add(f.labels[label.0 as usize].1, Entry::State(text));
                    }
                }
                Item::Instr(instr) => add(instr.span, code_entry(encoded, code, i)),
                Item::Sys { span, .. } => add(*span, code_entry(encoded, code, i)),
                Item::Annotation(_) | Item::Ghost(..) => {}
            }
        }
    }

    let mut out = String::new();
    for number in 1..=lines.count(0) {
        let text = lines.text(module, 0, number);
        let entries = by_line.remove(&number).unwrap_or_default();
        if number == lines.count(0) && text.is_empty() && entries.is_empty() {
            break;
        }
        let mut left = Some(format!("{number:6}  {text}"));
        for entry in &entries {
            print(&mut out, entry, &mut left);
        }
        if let Some(text) = left {
            row(&mut out, "", "", &text);
        }
    }
    out
}

/// All instructions of one item.
fn code_entry<'a>(encoded: &'a Encoded, code: &FunctionCode, item: usize) -> Entry<'a> {
    let first = code.insns.partition_point(|i| (i.item as usize) < item);
    let next = code.insns.partition_point(|i| i.item as usize <= item);
    let at = |n: usize| code.start + code.insns.get(n).map_or(code.size, |i| i.offset);
    Entry::Code { offset: at(first), bytes: &encoded.text[at(first) as usize..at(next) as usize] }
}

fn row(out: &mut String, offset: &str, bytes: &str, text: &str) {
    let width = 3 * BYTES;
    let _ = writeln!(out, "{}", format!("{offset:8} {bytes:width$}{text}").trim_end());
}

/// Prints an entry; the first that has bytes takes the source line along.
fn print(out: &mut String, entry: &Entry<'_>, line: &mut Option<String>) {
    let mut bytes_from = |offset: u64, bytes: &[u8]| {
        for (chunk, n) in bytes.chunks(BYTES).zip(0u64..) {
            let hex: String = chunk.iter().map(|b| format!("{b:02x} ")).collect();
            let text = line.take().unwrap_or_default();
            row(out, &format!("{:08x}", offset + n * BYTES as u64), &hex, &text);
        }
    };
    match *entry {
        Entry::Code { offset, bytes } => bytes_from(offset.into(), bytes),
        Entry::Data { offset, bytes, .. } if !bytes.is_empty() => bytes_from(offset, bytes),
        Entry::Data { offset, size, .. } => {
            let text = line.take().unwrap_or_default();
            row(out, &format!("{offset:08x}"), &format!("<{size} zero bytes>"), &text);
        }
        Entry::State(text) => {
            for state in text.lines() {
                row(out, "", "", &format!("        ; {state}"));
            }
        }
    }
}
