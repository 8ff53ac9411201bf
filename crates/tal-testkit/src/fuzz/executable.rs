//! Executables: code, annotations, types, headers and data, each in its own way.

use super::bytes::{nudge, number, shift};
use super::layout::Layout;
use super::{Corpus, Input, Outcome, Seed, refused, run};
use crate::toolchain::Image;
use fastrand::Rng;
use iced_x86::{Decoder, DecoderOptions};
use object::{Object, ObjectSegment};
use std::ops::Range;
use talcore::program::Function;

/// Where things lie in the file of an image.
pub(super) struct Map {
    /// The code of functions.
    functions: Vec<Range<usize>>,
    /// The annotations of functions that have some.
    streams: Vec<Range<usize>>,
}

impl Map {
    pub(super) fn of(image: &Image) -> Option<Map> {
        let program = image.load().ok()?;
        let bytes = image.bytes();
        let code = |f: &Function| {
            let start = offset(bytes, f.addr)?;
            Some(start..start + f.size as usize)
        };
        let streams = program.functions.iter().map(|f| f.stream.clone()).filter(|s| !s.is_empty());
        Some(Map {
            functions: program.functions.iter().filter_map(code).collect(),
            streams: streams.collect(),
        })
    }
}

pub(super) fn damage(corpus: &Corpus, rng: &mut Rng) -> Input {
    let seed = rng.usize(..corpus.seeds.len());
    let images = &corpus.seeds[seed].images;
    let part = rng.usize(..images.len());
    let (image, map) = (&images[part], &corpus.seeds[seed].maps[part]);
    let mut bytes = image.bytes().to_vec();
    for _ in 0..[1, 1, 1, 1, 2, 3][rng.usize(..6)] {
        match rng.u8(..16) {
            0..6 => code(&mut bytes, map, rng),
            6..10 => annotations(&mut bytes, map, rng),
            10..12 => within(&mut bytes, notes(image.bytes()), rng),
            12 => header(&mut bytes, rng),
            13 => table(&mut bytes, rng),
            14 => within(&mut bytes, loaded(image.bytes(), rng), rng),
            _ => within(&mut bytes, 0..image.bytes().len(), rng),
        }
    }
    Input { seed, part, bytes }
}

pub(super) fn judge(seed: &Seed, input: &Input, rng: &mut Rng) -> Result<Outcome, String> {
    let bytes = input.bytes.clone();
    let image = match &seed.images[input.part] {
        Image::Program(_) => Image::Program(bytes),
        Image::Module(module) => {
            Image::Module(Box::new(tallink::Module { image: bytes, ..(**module).clone() }))
        }
    };
    if let Err(refusal) = image.check() {
        return Ok(refused(&refusal));
    }
    let old = seed.images[input.part].bytes();
    let changed = (0..old.len().min(input.bytes.len())).filter(|i| old[*i] != input.bytes[*i]);
    let addresses: Vec<u64> = changed.filter_map(|at| address(&input.bytes, at)).collect();
    Ok(if run(&image, &addresses, rng)? { Outcome::Run } else { Outcome::Accepted })
}

/// The address at which a byte of the file lies.
fn address(file: &[u8], at: usize) -> Option<u64> {
    let elf = object::File::parse(file).ok()?;
    elf.segments().find_map(|s| {
        let (start, size) = s.file_range();
        let offset = (at as u64).checked_sub(start).filter(|o| *o < size)?;
        Some(s.address() + offset)
    })
}

/// Where an address lies in the file.
fn offset(file: &[u8], address: u64) -> Option<usize> {
    let elf = object::File::parse(file).ok()?;
    elf.segments().find_map(|s| {
        let (start, size) = s.file_range();
        let offset = address.checked_sub(s.address()).filter(|o| *o < size)?;
        Some((start + offset) as usize)
    })
}

fn within(bytes: &mut [u8], range: Range<usize>, rng: &mut Rng) {
    if range.is_empty() || range.end > bytes.len() {
        return;
    }
    match rng.u8(..8) {
        0 => shift(bytes, range, rng),
        1 => {
            let size = [2, 4, 8][rng.usize(..3)];
            let at = rng.usize(range);
            if let Some(field) = bytes.get_mut(at..at + size) {
                number(field, rng);
            }
        }
        _ => nudge(bytes, range, rng),
    }
}

/// One instruction of one function.
fn code(bytes: &mut [u8], map: &Map, rng: &mut Rng) {
    let instructions = |bytes: &[u8], rng: &mut Rng| -> Option<(usize, Vec<Range<usize>>)> {
        let f = map.functions.get(rng.usize(..map.functions.len().max(1)))?.clone();
        let start = f.start;
        // ELFCLASS32 or ELFCLASS64.
        let bits = 32 * u32::from(*bytes.get(4)?).clamp(1, 2);
        let all = Decoder::with_ip(bits, bytes.get(f)?, 0, DecoderOptions::NONE).into_iter();
        Some((start, all.map(|i| i.ip() as usize..i.next_ip() as usize).collect()))
    };
    let Some((start, list)) = instructions(bytes, rng) else { return };
    let Some(one) = list.get(rng.usize(..list.len().max(1))) else { return };
    let place = start + one.start..(start + one.end).min(bytes.len());
    if place.is_empty() {
        return;
    }
    match rng.u8(..8) {
        // Others of the same length, from anywhere.
        0 | 1 => {
            let Some((from, others)) = instructions(bytes, rng) else { return };
            let fitting: Vec<_> = others.iter().filter(|o| o.len() == place.len()).collect();
            if let Some(other) = fitting.get(rng.usize(..fitting.len().max(1))) {
                bytes.copy_within(from + other.start..from + other.end, place.start);
            }
        }
        2 => bytes[place].fill(0x90),
        // Its last bytes: the immediate or the displacement.
        3 => {
            let last = place.end - 1;
            bytes[last] = match rng.u8(..4) {
                0 => bytes[last].wrapping_add(1),
                1 => bytes[last].wrapping_sub(1),
                2 => bytes[last] ^ 0x80,
                _ => rng.u8(..),
            };
        }
        // With the next one in its place.
        4 => {
            let Some(next) = list.iter().find(|n| n.start == one.end) else { return };
            let both = place.start..(start + next.end).min(bytes.len());
            let size = place.len();
            bytes[both].rotate_left(size);
        }
        5 => shift(bytes, place, rng),
        _ => nudge(bytes, place, rng),
    }
}

/// The annotations of one function.
fn annotations(bytes: &mut [u8], map: &Map, rng: &mut Rng) {
    if let Some(stream) = map.streams.get(rng.usize(..map.streams.len().max(1))) {
        match rng.u8(..4) {
            0 => shift(bytes, stream.clone(), rng),
            _ => within(bytes, stream.clone(), rng),
        }
    }
}

/// Where the notes lie.
fn notes(file: &[u8]) -> Range<usize> {
    let layout = Layout::of(file);
    let word = |at: usize| layout.word(file, at).unwrap_or(0);
    let headers = (0..8).map(|i| layout.header + layout.segment * i);
    let note = headers.into_iter().find(|&at| file.get(at..at + 4) == Some(&[4, 0, 0, 0]));
    note.map_or(0..0, |at| {
        let start = word(at + layout.segment_offset);
        start..start.saturating_add(word(at + layout.segment_size))
    })
}

/// What the kernel maps of one segment.
fn loaded(file: &[u8], rng: &mut Rng) -> Range<usize> {
    let Ok(elf) = object::File::parse(file) else { return 0..0 };
    let all: Vec<_> = elf.segments().map(|s| s.file_range()).filter(|r| r.1 > 0).collect();
    all.get(rng.usize(..all.len().max(1))).map_or(0..0, |r| r.0 as usize..(r.0 + r.1) as usize)
}

/// A field of the ELF header.
pub(super) fn header(bytes: &mut [u8], rng: &mut Rng) {
    let fields = Layout::of(bytes).header_fields;
    let (at, size) = fields[rng.usize(..fields.len())];
    number(&mut bytes[at..at + size], rng);
}

/// A field of a program header.
pub(super) fn table(bytes: &mut [u8], rng: &mut Rng) {
    let layout = Layout::of(bytes);
    let count = u16::from_le_bytes([bytes[layout.count], bytes[layout.count + 1]]).clamp(1, 16);
    let fields = layout.segment_fields;
    let (at, size) = fields[rng.usize(..fields.len())];
    let at = layout.header + layout.segment * rng.usize(..usize::from(count)) + at;
    if let Some(field) = bytes.get_mut(at..at + size) {
        number(field, rng);
    }
}
