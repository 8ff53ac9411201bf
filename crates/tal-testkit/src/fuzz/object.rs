//! Objects: sections and their headers, symbols, relocations, notes.

use super::bytes::{nudge, number, shift};
use super::layout::Layout;
use super::{Corpus, Input, Outcome, Seed, judge_images, refused};
use crate::toolchain::images;
use fastrand::Rng;
use object::{Object, ObjectSection};
use std::ops::Range;

pub(super) fn damage(corpus: &Corpus, rng: &mut Rng) -> Input {
    let seed = rng.usize(..corpus.seeds.len());
    let objects = &corpus.seeds[seed].objects;
    let part = rng.usize(..objects.len());
    let mut bytes = objects[part].bytes.clone();
    let sections = sections(&bytes);
    let layout = Layout::of(&bytes);
    let headers = layout.word(&bytes, layout.sections).unwrap_or(0);
    for _ in 0..rng.usize(1..4) {
        let range = sections[rng.usize(..sections.len())].clone();
        match rng.u8(..16) {
            // A field of a section's header.
            0..4 => {
                let fields = layout.section_fields;
                let (at, size) = fields[rng.usize(..fields.len())];
                let at = headers + layout.section * rng.usize(..sections.len() + 2) + at;
                field(&mut bytes, at, size, rng);
            }
            // Symbols and relocations have fields at multiples of 4 and 8; in ELF32 of 4.
            4..8 => {
                let at = rng.usize(range) & !(layout.word_size() - 1);
                let size = [2, 4, 8][rng.usize(..3)];
                let at = at + [0, 4, 6][rng.usize(..3)] * usize::from(size < 8);
                field(&mut bytes, at, size, rng);
            }
            8 => shift(&mut bytes, range, rng),
            9 => {
                let all = 0..bytes.len();
                nudge(&mut bytes, all, rng);
            }
            _ => nudge(&mut bytes, range, rng),
        }
    }
    if rng.u8(..16) == 0 {
        bytes.truncate(rng.usize(..bytes.len()));
    }
    Input { seed, part, bytes }
}

fn field(bytes: &mut [u8], at: usize, size: usize, rng: &mut Rng) {
    if let Some(field) = bytes.get_mut(at..at + size) {
        number(field, rng);
    }
}

/// The sections with bytes. Never empty.
fn sections(file: &[u8]) -> Vec<Range<usize>> {
    let elf = object::File::parse(file).expect("an object of the corpus");
    let range =
        |s: object::Section<'_, '_>| s.file_range().map(|(at, size)| at as usize..(at + size) as usize);
    let mut all: Vec<_> = elf.sections().filter_map(range).filter(|r| !r.is_empty()).collect();
    all.push(0..64);
    all
}

pub(super) fn judge(seed: &Seed, input: &Input, rng: &mut Rng) -> Result<Outcome, String> {
    let mut objects = seed.objects.clone();
    objects[input.part].bytes.clone_from(&input.bytes);
    match images(&seed.modules, objects) {
        Ok(images) => judge_images(&images, rng),
        Err(refusal) => Ok(refused(&refusal)),
    }
}
