//! Each typed system call is called for real, by the programs in `tests/syscalls`.

use object::{Object, ObjectSegment, ObjectSymbol};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tal_testkit::{build, executable, toolchain};
use talasm::encode::Encoded;
use talcore::abi::Abi;
use talcore::types::Types;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/syscalls")
}

/// All sources, in order of their names.
fn sources() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("tests/syscalls");
    let mut all: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    all.sort();
    all
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The test programs for AMD64: every source but the module that they share and the twins.
fn programs() -> Vec<PathBuf> {
    let mut all = sources();
    all.retain(|p| !["check", "twins"].contains(&&*stem(p)) && !stem(p).starts_with("w32_"));
    assert!(all.len() >= 10, "{all:?}");
    all
}

fn calls(source: &str) -> impl Iterator<Item = &str> {
    let code = source.lines().map(|l| l.split(';').next().unwrap_or(""));
    code.filter_map(|l| l.split_once("sys ")).map(|(_, name)| name.trim())
}

#[test]
fn every_typed_call_is_called() {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for program in programs().into_iter().chain([folder().join("check.tal")]) {
        let source = std::fs::read_to_string(program).expect("the program can be read");
        for name in calls(&source) {
            *count.entry(name.to_string()).or_default() += 1;
        }
    }
    let abi = Abi::of(talcore::arch::Arch::Amd64, &mut Types::default());
    for e in abi.iter() {
        let forms = abi.entries_for(e.number).count();
        let calls = count.get(e.name).copied().unwrap_or(0);
        assert!(calls >= forms, "{} has {forms} forms and is called {calls} times", e.name);
    }
    for name in count.keys() {
        assert!(abi.by_name(name).is_some(), "{name} has no type");
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Runs an executable in a directory of its own, with no input. Its exit code, if it was not killed.
fn run(name: &str, image: &[u8]) -> Option<i32> {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join(name);
    executable::write(&path, image).expect("the program can be written");
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).expect("a directory");
    let mut command = Command::new(&path);
    command.current_dir(inside).stdin(Stdio::null());
    command.status().expect("the program can be started").code()
}

#[test]
fn the_programs_do_what_they_should() {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        eprintln!("skipped: the programs are for Linux on AMD64");
        return;
    }
    let check = build::assemble("check", &read(&folder().join("check.tal")), &[]).expect("check.tal");
    let one = |path: PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let object = build::assemble(&name, &read(&path), &[&check]).unwrap_or_else(|e| panic!("{e:?}"));
        let image = build::link(&[&object, &check]).unwrap_or_else(|e| panic!("{e}"));
        if let Err(reject) = talcheck::check(&image) {
            panic!("{name} is rejected: {reject:?}");
        }
        assert_eq!(run(&name, &image), Some(0), "{name}: the number of the first check that failed");
    };
    for program in programs() {
        one(program);
    }
}

/// Those for IA-32: what differs there, such as positions over 4 GiB, structures, sockets and signals.
#[test]
fn programs_for_ia32() {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        eprintln!("skipped: the programs are for Linux");
        return;
    }
    let all: Vec<_> = sources().into_iter().filter(|p| stem(p).starts_with("w32_")).collect();
    assert!(all.len() > 1);
    for path in all {
        let image =
            toolchain::build(&read(&path)).unwrap_or_else(|r| panic!("{}", r.text)).expect("a program");
        let failed = run(&stem(&path), &image);
        assert_eq!(failed, Some(0), "{}: the number of the first check that failed", stem(&path));
    }
}

/// One variation of `twins.tal`: a line that is replaced, and the code with which the file is rejected.
struct Twin {
    line: usize,
    code: u16,
    text: String,
}

fn twins(source: &str) -> Vec<Twin> {
    let twin = |(line, l): (usize, &str)| {
        let (code, twin) = l.split_once(";~ TAL")?;
        if code.trim().is_empty() || code.starts_with(';') {
            return None; // a comment about twins
        }
        let (code, text) = twin.split_once(": ").expect("`;~ TALnnnn: text`");
        Some(Twin { line, code: code.parse().expect("a code"), text: text.trim().into() })
    };
    source.lines().enumerate().filter_map(twin).collect()
}

#[test]
fn twins_are_refused() {
    let source = read(&folder().join("twins.tal"));
    let whole = build::assemble("twins", &source, &[]).unwrap_or_else(|e| panic!("{e:?}"));
    let image = build::link(&[&whole]).unwrap_or_else(|e| panic!("{e}"));
    talcheck::check(&image).expect("the file is accepted as it stands");
    let twins = twins(&source);
    assert!(twins.len() > 30);
    let safe = build::encode("twins", &source).expect("the code");
    let (mut wrong, mut patched) = (Vec::new(), 0);
    for twin in twins {
        let lines = source.lines().enumerate();
        let changed: Vec<_> = lines.map(|(i, l)| if i == twin.line { &twin.text } else { l }).collect();
        let line = twin.line + 1;
        let changed = changed.join("\n");
        match build::assemble("twins", &changed, &[]) {
            Ok(_) => wrong.push(format!("line {line}: accepted as `{}`", twin.text)),
            Err(e) if e.list.iter().any(|d| d.code.0 == twin.code) => {}
            Err(e) => wrong.push(format!("line {line}: not TAL{:04} but\n{}", twin.code, e.text)),
        }
        let unsafe_code = build::encode("twins", &changed).expect("the code of the twin");
        if let Some(image) = patch(&image, &safe, &unsafe_code) {
            patched += 1;
            if talcheck::check(&image).is_ok() {
                wrong.push(format!("line {line}: accepted by the checker as `{}`", twin.text));
            }
        }
    }
    assert!(patched > 15, "{patched} executables were made unsafe");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The executable of the safe code with the unsafe code in its place, if the two differ in bytes of the
/// same instructions or in addresses, so that the annotations still belong to them.
fn patch(image: &[u8], safe: &Encoded, unsafe_code: &Encoded) -> Option<Vec<u8>> {
    let places = |code: &Encoded| code.relocs.iter().map(|r| (r.at, r.kind, r.target)).collect::<Vec<_>>();
    if safe.functions != unsafe_code.functions || places(safe) != places(unsafe_code) {
        return None;
    }
    let elf = object::File::parse(image).expect("an ELF file");
    let start = elf.symbols().find(|s| s.name() == Ok("_start")).expect("_start").address();
    let offset = elf
        .segments()
        .find(|s| (s.address()..s.address() + s.size()).contains(&start))
        .map(|s| s.file_range().0 + start - s.address())
        .expect("the segment of _start");
    // `_start` is the first function of the module.
    let text = usize::try_from(offset).expect("an offset") - safe.functions[0].start as usize;
    let mut image = image.to_vec();
    for (i, (a, b)) in safe.text.iter().zip(&unsafe_code.text).enumerate() {
        if a != b {
            assert_eq!(image[text + i], *a);
            image[text + i] = *b;
        }
    }
    let mut changed = safe.text != unsafe_code.text;
    for (a, b) in safe.relocs.iter().zip(&unsafe_code.relocs) {
        let place = &mut image[text + a.at as usize..][..4];
        let value = i32::from_le_bytes([place[0], place[1], place[2], place[3]]);
        let value = value + i32::try_from(b.addend - a.addend).expect("a small difference");
        place.copy_from_slice(&value.to_le_bytes());
        changed |= a.addend != b.addend;
    }
    changed.then_some(image)
}
