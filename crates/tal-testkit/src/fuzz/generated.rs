//! Programs that were made up: whole, and with some damage to the executable that comes of them.

use super::{Corpus, Input, Outcome, Seed, executable, judge_proved, refused};
use crate::generate;
use crate::toolchain::modules;
use fastrand::Rng;
use talcore::arch::Arch;

/// How often what comes of one program is damaged.
const DAMAGES: usize = 3;

/// For one architecture, or for any.
pub(super) fn make(arch: Option<Arch>, rng: &mut Rng) -> Input {
    Input { seed: 0, part: 0, bytes: generate::module(arch, rng).into_bytes() }
}

pub(super) fn judge(input: &Input, rng: &mut Rng) -> Result<Outcome, String> {
    let text = String::from_utf8_lossy(&input.bytes);
    let seed = match Seed::new("made up".into(), modules(&text)) {
        Ok(seed) => seed,
        Err((_, refusal)) => return Ok(refused(&refusal)),
    };
    let outcome = judge_proved(&seed.images, rng)?;
    let corpus = Corpus { seeds: vec![seed], arch: None };
    for _ in 0..DAMAGES {
        let damaged = executable::damage(&corpus, rng);
        executable::judge(&corpus.seeds[0], &damaged, rng)?;
    }
    Ok(outcome)
}
