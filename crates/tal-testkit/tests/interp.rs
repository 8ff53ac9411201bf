//! Programs run by the interpreter that watches: accepted ones never break a rule, and of those that are refused
//! many do.

use std::path::{Path, PathBuf};
use tal_testkit::filetest::{Case, cases};
use tal_testkit::forge::forge;
use tal_testkit::fuzz::Corpus;
use tal_testkit::interp::{Claims, Host, Machine, Stop, Violation};
use tal_testkit::toolchain::{Image, assemble, images, modules};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(name)
}

/// Runs a program, or every function by itself, several times with different answers of the kernel and different
/// arguments. Answers how many runs there were.
fn watch(image: &Image, runs: u64, steps: u64) -> Result<u64, Box<Violation>> {
    let Ok(program) = image.load() else { return Ok(0) };
    let claims = Claims::of(&program, image.bytes());
    let mut count = 0;
    for seed in 0..runs {
        if matches!(image, Image::Program(_)) {
            let args: [&[u8]; 4] = [b"prog", b"-n", b"12", b""];
            Machine::new(&program, &args[..seed as usize % 5], seed).with_claims(&claims).run(steps)?;
            count += 1;
        }
        for function in 0..program.functions.len() {
            if let Some(machine) = Machine::at(&program, function, seed) {
                machine.with_claims(&claims).run(steps)?;
                count += 1;
            }
        }
    }
    Ok(count)
}

fn built(case: &Case) -> Vec<Image> {
    let modules = modules(&case.text);
    let objects = assemble(&modules).unwrap_or_else(|r| panic!("{}", r.text));
    images(&modules, objects).unwrap_or_else(|r| panic!("{}", r.text))
}

#[test]
fn accepted_programs() {
    let mut count = 0;
    for case in ["run", "binary", "accept"].iter().flat_map(|name| cases(&folder(name))) {
        for image in built(&case) {
            match watch(&image, 12, 5_000) {
                Ok(n) => count += n,
                Err(v) => panic!("{}: at {:#x}: {}\n{}", case.path.display(), v.rip, v.what, v.history),
            }
        }
    }
    assert!(count > 1000, "{count} runs");
}

/// What is accepted though it was damaged breaks no rule either.
#[test]
fn survivors() {
    let mut count = 0;
    for case in cases(&folder("binary")) {
        for damage in case.damages().unwrap_or_else(|e| panic!("{}: {e}", case.path.display())) {
            let Some(bytes) = damage.image.ok().filter(|_| damage.verdict == "accepted") else { continue };
            let image = Image::Program(bytes);
            let sizes = image.load().map(|p| p.segments.iter().map(|s| s.size).max());
            // Nobody has as much memory as one of them asks for.
            if sizes.is_ok_and(|largest| largest > Some(1 << 24)) {
                continue;
            }
            if let Err(v) = watch(&image, 8, 1_000) {
                let path = case.path.display();
                panic!("{path}: {}: at {:#x}: {}\n{}", damage.line, v.rip, v.what, v.history);
            }
            count += 1;
        }
    }
    assert!(count > 100, "{count} damaged programs");
}

/// With a kernel that does what it is asked for they do what they do by themselves, on both architectures.
#[test]
fn programs_do_the_same() {
    let mut classes = Vec::new();
    for case in cases(&folder("run")) {
        let expected = case.expected().unwrap_or_else(|e| panic!("{e}"));
        let image = built(&case).remove(0);
        classes.push(image.bytes()[4]);
        let program = image.load().expect("an accepted program");
        let claims = Claims::of(&program, image.bytes());
        let name = case.path.file_stem().expect("a name").to_string_lossy().into_owned();
        let args: Vec<&[u8]> =
            [name.as_str()].into_iter().chain(expected.args.iter().copied()).map(str::as_bytes).collect();
        let directory = tempfile::tempdir().expect("a directory");
        let host = Host::new(directory.path(), &expected.input);
        let mut machine = Machine::new(&program, &args, 1).with_claims(&claims).with_host(host);
        let stop = machine.run(5_000_000).unwrap_or_else(|v| panic!("{name}: {}\n{}", v.what, v.history));
        assert_eq!(stop, Stop::Exit, "{name}");
        let host = machine.host().expect("the world around it");
        let seen = (host.output.escape_ascii().to_string(), host.status);
        assert_eq!(seen, (expected.output.escape_ascii().to_string(), Some(expected.exit)), "{name}");
    }
    assert!(classes.contains(&1) && classes.contains(&2));
}

/// What others write to a shared union is of the variant that is there: no type lets them change the tag.
#[test]
fn others_keep_tags() {
    let found = cases(&folder("accept")).into_iter().find(|c| c.path.ends_with("u6_shared_owner.tal"));
    for image in found.iter().flat_map(built) {
        let runs = watch(&image, 2_000, 100).unwrap_or_else(|v| panic!("{}\n{}", v.what, v.history));
        assert!(runs > 1_000, "{runs} runs");
    }
    assert!(found.is_some());
}

#[test]
fn examples() {
    for seed in Corpus::examples(&[]).seeds {
        for image in &seed.images {
            if let Err(v) = watch(image, 3, 4_000) {
                panic!("{}: at {:#x}: {}\n{}", seed.name, v.rip, v.what, v.history);
            }
        }
    }
}

/// The interpreter is awake: it finds out about most programs that are refused for what they do.
#[test]
fn refused_programs() {
    let (mut found, mut lies) = (0, 0);
    let mut silent = Vec::new();
    for case in cases(&folder("reject")) {
        let twin = case.twin().unwrap_or_else(|e| panic!("{e}"));
        let modules_of = modules(&case.text);
        let forged = forge(&modules_of, &modules(&twin)).unwrap_or_else(|r| panic!("{}", r.text));
        let Some(Ok(all)) = forged.map(|objects| images(&modules_of, objects)) else { continue };
        match all.iter().find_map(|image| watch(image, 40, 5_000).err()) {
            Some(v) => {
                found += 1;
                lies += u32::from(v.what.contains("lies"));
            }
            None => silent.push(case.path.file_stem().expect("a name").to_string_lossy().into_owned()),
        }
    }
    println!("{found} found, {lies} of them by what labels claim; not found: {}", silent.join(" "));
    assert!(found > 100 && lies > 5, "{found} found, {lies} by claims; not found: {silent:?}");
}
