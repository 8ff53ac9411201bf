//! Whether every rule about numbers is looked at here.

/// What is public, and what the tests of it are called in.
const PLACES: [(&[&str], &[&str]); 2] = [
    (
        &[
            include_str!("../../src/arith.rs"),
            include_str!("../../src/arith/bitwise.rs"),
            include_str!("../../src/arith/choose.rs"),
            include_str!("../../src/arith/divide.rs"),
            include_str!("../../src/arith/flags.rs"),
            include_str!("../../src/arith/linear.rs"),
            include_str!("../../src/arith/multiply.rs"),
            include_str!("../../src/arith/refine.rs"),
            include_str!("../../src/arith/shift.rs"),
            include_str!("../../src/arith/words.rs"),
        ],
        &[
            include_str!("main.rs"),
            include_str!("flags.rs"),
            include_str!("harness.rs"),
            include_str!("wrong.rs"),
        ],
    ),
    (
        &[include_str!("../../src/facts.rs"), include_str!("../../src/term.rs")],
        &[include_str!("../facts_brute.rs"), include_str!("../term_model.rs"), include_str!("harness.rs")],
    ),
];

/// Those that are no rules, or are looked at through others.
const THROUGH_OTHERS: [(&str, &str); 25] = [
    ("and_value", "`and`"),
    ("choose", "`cmov` and `setcc`"),
    ("assume", "`refine`, of which it takes all facts"),
    ("proves", "every rule that asks for a range"),
    ("proves_in", "every rule that asks for a range"),
    ("known", "`read`"),
    ("known_signed", "`read_signed`"),
    ("result", "shifts"),
    ("zero_only", "`bit_scan`"),
    ("forget", "nothing is known then"),
    ("keep", "`named`"),
    ("zero_test", "names a term, and says nothing about it"),
    ("terms", "names terms, and says nothing about them"),
    ("within", "two comparisons"),
    ("number", "`unsigned` and `signed`"),
    ("signed", "the ranges of all words"),
    ("unsigned", "the ranges of all words"),
    ("clear", "an empty set of facts"),
    ("declare", "a fact as it is written"),
    ("declare_range", "an interval as it is written"),
    ("keep_vars", "like `keep_facts`"),
    ("push", "a list"),
    ("append", "`from_parts`"),
    ("logic", "`and`, `or`, `xor`"),
    ("is_boxed", "says where a term lies, and nothing about it"),
];

/// A public function about numbers is called by a test of this directory, or named above.
#[test]
fn every_rule_is_looked_at() {
    let mut missing = Vec::new();
    for (sources, tests) in PLACES {
        for source in sources {
            let (lines, mut names) = (source.lines().map(str::trim_start), Vec::new());
            for line in lines {
                let line = line.strip_prefix("pub fn ").or_else(|| line.strip_prefix("pub const fn "));
                names.extend(line.and_then(|l| l.split(['(', '<']).next()));
            }
            missing.extend(names.into_iter().filter(|name| {
                let called = [format!(".{name}("), format!("::{name}("), format!(" {name}(")];
                let named = THROUGH_OTHERS.iter().any(|o| o.0 == *name);
                !named && !tests.iter().any(|t| called.iter().any(|c| t.contains(c)))
            }));
        }
    }
    assert!(missing.is_empty(), "no test calls {missing:?}");
}
