//! Damaged files: whatever the bytes are, there is a verdict, and a message that can be made.

use object::{Object, ObjectSegment};
use tal_testkit::toolchain::{assemble, build, modules};
use taldiag::codes::ALL;
use taldiag::render::{Format, Renderer};
use taldiag::{Code, Sources};

/// The executables of the error pages' accepted programs.
fn executables() -> Vec<Vec<u8>> {
    let examples = ALL.iter().flat_map(|e| e.examples()).filter(|e| e.rejected.is_none());
    let mut all: Vec<Vec<u8>> = examples.filter_map(|e| build(&e.text).ok().flatten()).collect();
    all.sort();
    all.dedup();
    assert!(all.len() > 10, "only {} programs", all.len());
    all
}

/// Checks, and makes the message of a rejection. Answers whether the file is accepted.
fn judge(file: &[u8]) -> bool {
    let Err(reject) = talcheck::check(file) else { return true };
    let mut sources = Sources::new();
    let program = talcore::check::load(file).ok();
    let d = talcheck::report::rejection(&mut sources, "damaged", file, program, &reject);
    assert_eq!(d.code, Code(reject.code as u16));
    for format in [Format::Human, Format::Json, Format::Sarif] {
        assert!(!Renderer::new("talcheck", format).render(&sources, std::slice::from_ref(&d)).is_empty());
    }
    false
}

/// The offsets of the bytes that the kernel maps.
fn loaded(file: &[u8]) -> Vec<usize> {
    let elf = object::File::parse(file).unwrap();
    elf.segments().map(|s| s.file_range()).flat_map(|(at, size)| at as usize..(at + size) as usize).collect()
}

/// One to four bytes set at random.
/// class: J6 on amd64
#[test]
fn changed_bytes() {
    let mut random = fastrand::Rng::with_seed(1);
    let programs = executables();
    let (mut accepted, mut rejected) = (0, 0);
    for round in 0..800 {
        let mut file = programs[round % programs.len()].clone();
        let loaded = loaded(&file);
        for _ in 0..random.usize(1..=4) {
            let at = match round % 8 {
                // Symbols and debugging information are not looked at for a verdict, but for messages.
                0 => random.usize(..file.len()),
                _ => loaded[random.usize(..loaded.len())],
            };
            file[at] = match random.u8(..4) {
                0 => file[at] ^ (1 << random.u8(..8)),
                1 => 0xff,
                2 => file[at].wrapping_add(1),
                _ => random.u8(..),
            };
        }
        match judge(&file) {
            true => accepted += 1,
            false => rejected += 1,
        }
    }
    // Constants, names and the rest of the file can be changed at will; code and types hardly.
    assert!(accepted > 20 && rejected > 200, "{accepted} accepted, {rejected} rejected");
}

/// The program headers and notes are where the reader has most to decide: every byte, several values.
/// class: J6 on amd64
#[test]
fn every_byte_of_headers_and_notes() {
    let programs = executables();
    let file = programs.iter().min_by_key(|f| f.len()).unwrap();
    let mut rejected = 0;
    let first = loaded(file).iter().position(|at| *at >= 0x1000).unwrap();
    for at in 0..first {
        for value in [0, 0xff, file[at] ^ 1] {
            let mut damaged = file.clone();
            damaged[at] = value;
            rejected += usize::from(!judge(&damaged));
        }
    }
    assert!(rejected > first, "{rejected} of {}", 3 * first);
}

#[test]
fn files_that_are_cut_off() {
    for file in executables().iter().take(1) {
        let loaded = file.len().min(0x1100);
        for length in (0..loaded).step_by(3).chain((loaded..file.len()).step_by(97)) {
            judge(&file[..length]);
        }
    }
}

/// Objects: the linker's half of the way.
#[test]
fn changed_objects() {
    let mut random = fastrand::Rng::with_seed(2);
    let text = ALL.iter().find(|e| e.code == Code(405)).unwrap().examples().pop().unwrap().text;
    let object = assemble(&modules(&text)).unwrap_or_else(|r| panic!("{}", r.text)).remove(0);
    for round in 0..500 {
        let mut damaged = object.clone();
        for _ in 0..random.usize(1..=3) {
            let at = random.usize(..damaged.bytes.len());
            damaged.bytes[at] =
                if round % 2 == 0 { random.u8(..) } else { damaged.bytes[at] ^ (1 << random.u8(..8)) };
        }
        if round % 10 == 0 {
            damaged.bytes.truncate(random.usize(..=object.bytes.len()));
        }
        if let Ok(module) = tallink::link_module(damaged) {
            let _ = talcheck::check_module(&module, talcore::Policy::default());
        }
    }
}
