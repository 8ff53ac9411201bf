//! Sources: words and lines left out, doubled, moved, and taken from other programs.

use super::{Corpus, Input, Outcome, Seed, judge_proved, refused};
use crate::toolchain::{Module, Read, Refusal, images, read};
use fastrand::Rng;
use talasm::driver::Options;
use tallink::InputFile;

/// Numbers at the ends of intervals.
const NUMBERS: [&str; 14] = [
    "0",
    "1",
    "-1",
    "7",
    "8",
    "255",
    "256",
    "4096",
    "65537",
    "0x7fffffff",
    "0x80000000",
    "0x7fffffffffffffff",
    "0x8000000000000000",
    "0xffffffffffffffff",
];

pub(super) fn damage(corpus: &Corpus, rng: &mut Rng) -> Input {
    let seed = rng.usize(..corpus.seeds.len());
    let modules = &corpus.seeds[seed].modules;
    let part = rng.usize(..modules.len());
    let other = &corpus.seeds[rng.usize(..corpus.seeds.len())].modules;
    let other = &other[rng.usize(..other.len())].text;
    let mut text = modules[part].text.clone();
    for _ in 0..[1, 1, 1, 2, 3, 6][rng.usize(..6)] {
        text = match rng.u8(..8) {
            0..3 => lines(&text, other, rng),
            _ => words(&text, other, rng),
        };
    }
    let mut bytes = text.into_bytes();
    if rng.u8(..16) == 0 && !bytes.is_empty() {
        let at = rng.usize(..bytes.len());
        bytes[at] = rng.u8(..);
    }
    Input { seed, part, bytes }
}

/// A piece of a text that is not empty: its place and what is there.
fn one<'a>(pieces: &[&'a str], rng: &mut Rng) -> Option<(usize, &'a str)> {
    let at = rng.usize(..pieces.len().max(1));
    Some((at, *pieces.get(at)?))
}

fn lines(text: &str, other: &str, rng: &mut Rng) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let others: Vec<&str> = other.split_inclusive('\n').collect();
    let (Some((at, line)), Some((to, _)), Some((_, strange))) =
        (one(&lines, rng), one(&lines, rng), one(&others, rng))
    else {
        return other.to_string();
    };
    match rng.u8(..5) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, line),
        2 => lines.swap(at, to),
        3 => lines.insert(at, strange),
        _ => lines[at] = strange,
    }
    lines.concat()
}

fn words(text: &str, other: &str, rng: &mut Rng) -> String {
    let mut words = split(text);
    let others = split(other);
    let (Some((at, word)), Some((to, _)), Some((_, strange))) =
        (one(&words, rng), one(&words, rng), one(&others, rng))
    else {
        return other.to_string();
    };
    let number = NUMBERS[rng.usize(..NUMBERS.len())];
    let many = word.repeat(rng.usize(2..300));
    match rng.u8(..16) {
        0 | 1 => drop(words.remove(at)),
        2 => words.insert(at, word),
        3 | 4 => words.swap(at, to),
        5 | 6 => words[at] = strange,
        7 => words.insert(at, strange),
        8 => words[at] = &many,
        9..13 => {
            // A number for a number.
            let is_number = |w: &str| w.starts_with(|c: char| c.is_ascii_digit());
            match words[at..].iter().position(|w| is_number(w)) {
                Some(next) => words[at + next] = number,
                None => words[at] = number,
            }
        }
        _ => {
            // A name for a name that is near: registers, labels, mnemonics.
            let near: Vec<&str> = words[at.saturating_sub(60)..].iter().take(120).copied().collect();
            let names: Vec<&str> =
                near.into_iter().filter(|w| w.starts_with(|c: char| c.is_alphabetic())).collect();
            if let Some((_, name)) = one(&names, rng) {
                let from = words[at..].iter().position(|w| w.starts_with(|c: char| c.is_alphabetic()));
                words[at + from.unwrap_or(0)] = name;
            }
        }
    }
    words.concat()
}

/// A text in words, spaces and other characters.
fn split(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        _ if c.is_alphanumeric() || c == '_' => 0,
        ' ' => 1,
        _ => 2,
    };
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match class(first) {
            2 => first.len_utf8(),
            kind => rest.find(|c| class(c) != kind).unwrap_or(rest.len()),
        };
        let (word, more) = rest.split_at(end);
        all.push(word);
        rest = more;
    }
    all
}

/// Assembles a module that was damaged, and those for which this makes a difference.
fn assemble(seed: &Seed, damaged: usize, modules: &[Module]) -> Result<Vec<InputFile>, Refusal> {
    let read = read(modules)?;
    let seen = read[damaged].front.interface != seed.interfaces[damaged];
    let object = |(i, read): (usize, &Read)| match i == damaged || i > damaged && seen {
        true => read.assemble(&Options::default()),
        false => Ok(seed.objects[i].clone()),
    };
    read.iter().enumerate().map(object).collect()
}

pub(super) fn judge(seed: &Seed, input: &Input, rng: &mut Rng) -> Result<Outcome, String> {
    let mut modules: Vec<Module> = seed.modules.clone();
    // Bytes that are no text are for `talasm` to refuse; here they become something else.
    modules[input.part].text = String::from_utf8_lossy(&input.bytes).into_owned();
    let objects = match assemble(seed, input.part, &modules) {
        Ok(objects) => objects,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let images = match images(&modules, objects) {
        Ok(images) => images,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    judge_proved(&images, rng)
}
