//! The language reference: its examples are assembled, its lists are complete.

use crate::common::{Files, human};
use std::path::Path;
use talasm::driver::assemble;
use talasm::front::{Options, parse_module};
use talcore::abi::Abi;
use taldiag::Sources;

const MANUAL: &str = include_str!("../../../../docs/language.md");
const GRAMMAR: &str = include_str!("../../../../docs/grammar.md");

#[test]
fn examples_are_assembled() {
    let abi = Abi::of(talcore::arch::Arch::Amd64, &mut Default::default());
    let (mut count, mut failed) = (0, Vec::new());
    for block in MANUAL.split("\n```tal\n").skip(1) {
        let text = block.split("```").next().unwrap();
        let mut files = Files::default();
        files.0.insert("t.tal".into(), text.as_bytes().to_vec());
        let options = Options { arch: Default::default(), defines: vec![], include: vec![], sys: &abi };
        let mut sources = Sources::new();
        let front = match parse_module(&mut sources, &files, Path::new("t.tal"), &options) {
            Ok(front) => front,
            Err(diags) => panic!("{}", human(&sources, &diags)),
        };
        if let Err(problems) = assemble(&front.module, &front.types, &Default::default()) {
            failed.push(format!("{text}\n{problems:#?}"));
        }
        count += 1;
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(count > 20, "only {count} examples found");
}

/// Every token of the grammar is in the grammar for people, and every reserved word in the manual.
#[test]
fn nothing_is_left_out() {
    let source = include_str!("../../src/front/grammar.lalrpop");
    let tokens = source.split("enum Tok {").nth(1).unwrap().split("\n    }").next().unwrap();
    // Classes of tokens, and words that only lead to a message.
    let special = ["newline", "local", "ghost", "string", "seq", "union"];
    for line in tokens.lines().filter_map(|l| l.trim().strip_prefix('"')) {
        let token = line.split('"').next().unwrap();
        if !special.contains(&token) {
            let quoted = format!("'{token}'");
            assert!(GRAMMAR.contains(&quoted) || GRAMMAR.contains(&format!("\n{token} ")), "{token}");
        }
        if line.contains("Key::") && token != "table" {
            let reserved = MANUAL.split("```text").nth(1).unwrap().split("```").next().unwrap();
            assert!(reserved.split_whitespace().any(|w| w == token), "{token}");
        }
    }
}
