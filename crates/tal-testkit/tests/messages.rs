//! What newcomers read when they make a usual mistake: the programs of `tests/messages`, and the messages about them.

use std::path::Path;
use tal_testkit::filetest::cases;
use tal_testkit::toolchain::build;

#[test]
fn messages() {
    let cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/messages"));
    assert!(!cases.is_empty());
    for case in cases {
        let name = case.path.file_stem().and_then(|n| n.to_str()).expect("a name");
        let refusal = build(&case.text).expect_err(name);
        insta::assert_snapshot!(name, refusal.text);
    }
}
