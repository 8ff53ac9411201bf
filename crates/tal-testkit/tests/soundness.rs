//! Some attacks on the checker. `cargo xtask fuzz soundness` makes more of them.

use tal_testkit::fuzz::Corpus;
use tal_testkit::fuzz::soundness::{Arena, Class, Tally};
use tal_testkit::rounds;

/// Nothing that is accepted breaks a rule when it runs, and lies of each kind are accepted now and then: those that do no
/// harm.
#[test]
fn nothing_unsafe_is_accepted() {
    let (batches, seed) = rounds(150, 1);
    let corpus = Corpus::tests(24).and(Corpus::tests_named("w32_a").of(talcore::arch::Arch::Ia32));
    let corpus = Corpus { arch: None, ..corpus };
    let arena = Arena::of(&corpus);
    let mut tally = Tally::default();
    for batch in seed..seed + batches as u64 {
        let finds = arena.batch(batch, &mut tally);
        assert!(finds.is_empty(), "batch {batch}: {}: {}", finds[0].subject, finds[0].what);
    }
    for class in [Class::Code, Class::Labels, Class::Answers, Class::Stream, Class::Note] {
        let n = tally.classes.get(&class).copied().unwrap_or_default();
        assert!(n.cases > 100, "{class:?}: {n:?}");
        assert!(n.run > 0 && n.accepted < n.cases, "{class:?}: {n:?}");
    }
    assert!(tally.coverage.reasons.len() > 60, "{:?}", tally.coverage.reasons);
}
