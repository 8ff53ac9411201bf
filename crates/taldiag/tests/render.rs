//! Each renderer on the same diagnostics.

use taldiag::render::{Format, Renderer};
use taldiag::{Code, Diagnostic, Place, Severity, Sources, Symbol};

const TEXT: &str = "fn main()\n    mov\trax, [rbx + 8]   ; é\n    ret\n";

fn samples() -> (Sources, Vec<Diagnostic>) {
    let mut sources = Sources::new();
    let text = sources.add("dir/a file.tal", TEXT);
    let program = sources.add_binary("target/prog");
    let load = TEXT.find("[rbx").unwrap();
    let code = Place::Binary {
        file: program,
        address: 0x401010,
        symbol: Some(Symbol { name: "main".into(), offset: 0x10 }),
        bytes: vec![0x48, 0x8b, 0x43, 0x08],
        instruction: Some("mov rax,[rbx+8]".into()),
    };
    let all = vec![
        Diagnostic::error(Code(301), "load of 8 bytes outside of its object")
            .primary(text, load..load + 9, "8 bytes are read from `rbx + 8`")
            .secondary(text, 3..7, "in this function")
            .note("rbx: &bytes(n), n >= 8")
            .help("check that n >= 16 before:\ncmp rsi, 16"),
        Diagnostic::error(Code(301), "load of 8 bytes outside of its object")
            .at(code, "needs n >= 16")
            .near(Place::Source { file: text, range: load..load + 9 }, "from this line")
            .note("rbx: &bytes(n), n >= 8"),
        Diagnostic::warning(Code(1102), "nothing uses `x`").at(Place::address(program, 0x400000), ""),
        Diagnostic::error(Code(1), "no ELF file").at(Place::File { file: program }, "100% wrong:\nno magic"),
        Diagnostic::new(Severity::Note, Code(2), "bad header")
            .at(Place::Offset { file: program, offset: 64 }, "here"),
        Diagnostic::error(Code(9001), "no place at all"),
    ];
    (sources, all)
}

fn render(format: Format) -> String {
    let (sources, all) = samples();
    Renderer::new("talcheck", format).render(&sources, &all)
}

#[test]
fn human() {
    insta::assert_snapshot!(render(Format::Human));
}

/// Of a line that is too long to be read, only a piece is shown.
#[test]
fn long_lines() {
    let mut sources = Sources::new();
    let text = format!("short\n{}é here {}\nshort\n", "x".repeat(5000), "y".repeat(5000));
    let at = text.find("here").unwrap();
    let file = sources.add("long.tal", &text);
    let d = Diagnostic::error(Code(1101), "unknown").primary(file, at..at + 4, "this").secondary(
        file,
        0..5,
        "near",
    );
    let shown = Renderer::new("talasm", Format::Human).render(&sources, &[d]);
    assert!(shown.contains("xxxé here yyy") && shown.contains("...") && shown.contains("this"), "{shown}");
    assert!(shown.len() < 1000 && shown.contains("near"), "{shown}");
    assert!(shown.contains("long.tal:2:"), "{shown}");
}

#[test]
fn human_in_colour() {
    let (sources, all) = samples();
    let text = Renderer::new("talcheck", Format::Human).color(true).render(&sources, &all);
    insta::assert_snapshot!(text.replace('\x1b', "␛"));
}

#[test]
fn short() {
    insta::assert_snapshot!(render(Format::Short));
}

#[test]
fn json() {
    let text = render(Format::Json);
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn sarif() {
    let mut document: serde_json::Value = serde_json::from_str(&render(Format::Sarif)).unwrap();
    // Titles and pages are documentation, and change.
    for rule in document["runs"][0]["tool"]["driver"]["rules"].as_array_mut().unwrap() {
        if let Some(help) = rule.get_mut("help") {
            assert!(help["text"].as_str().unwrap().starts_with("# TAL"));
            *help = "the page".into();
            rule["shortDescription"] = "the title".into();
        }
    }
    insta::assert_snapshot!(format!("{document:#}"));
}

#[test]
fn github() {
    let text = render(Format::Github);
    assert!(text.lines().all(|l| l.starts_with("::")), "a message escaped its line: {text}");
    insta::assert_snapshot!(text);
}

/// Ranges outside of the text, inside of characters and upside down are made valid.
#[test]
fn hostile_places_and_texts() {
    let mut sources = Sources::new();
    let texts = ["", "\n", "é", "a\x1b[31mb\u{85}c\u{2028}d\x0b\x0ce\rf\r\n\u{202e}g", "\n\n"];
    for text in texts {
        let id = sources.add("x\x1b[2J\n.tal", text);
        for start in 0..=text.len() + 2 {
            for end in 0..=text.len() + 2 {
                let d = Diagnostic::error(Code(1001), "m\x1b[1m").primary(id, start..end, "t\x07\nu");
                for format in [Format::Human, Format::Short, Format::Json, Format::Sarif, Format::Github] {
                    let out = Renderer::new("talasm", format).render(&sources, std::slice::from_ref(&d));
                    assert!(out.ends_with('\n'), "{format:?}");
                    if matches!(format, Format::Human | Format::Short) {
                        assert!(!out.contains(['\x1b', '\x07', '\r', '\u{202e}']), "{out:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn positions_count_lines_and_characters_from_one() {
    let mut sources = Sources::new();
    let id = sources.add("a", "é1\n\nx");
    let at = |offset| {
        let p = sources.position(id, offset);
        (p.line, p.column)
    };
    assert_eq!([at(0), at(1), at(2), at(3), at(4), at(5), at(99)].map(|p| p.0), [1, 1, 1, 1, 2, 3, 3]);
    assert_eq!([at(0), at(1), at(2), at(3), at(4), at(5), at(99)].map(|p| p.1), [1, 1, 2, 3, 1, 1, 2]);
    assert_eq!(sources.line_range(id, 1), Some(0..3));
    assert_eq!(sources.line_range(id, 2), Some(4..4));
    assert_eq!(sources.line_range(id, 3), Some(5..6));
    assert_eq!(sources.line_range(id, 4), None);
    assert_eq!(sources.line_range(id, 0), None);
}

#[test]
fn codes_are_read_and_printed() {
    for s in ["TAL0301", "tal0301", "301", "0301"] {
        assert_eq!(s.parse(), Ok(Code(301)), "{s}");
    }
    for s in ["", "TAL", "TALx", "99999", "+301", "é01", "TAL 301"] {
        assert!(s.parse::<Code>().is_err(), "{s}");
    }
    assert_eq!(Code(7).to_string(), "TAL0007");
}
