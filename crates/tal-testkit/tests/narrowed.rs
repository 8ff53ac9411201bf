//! The tests for AMD64 with words of 32 bits: programs that are accepted there too are watched while they run, and their
//! twins are refused, also with annotations that are forged; nearly all at the same line and for the same reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tal_testkit::filetest::{Case, cases};
use tal_testkit::interp::{Claims, Machine};
use tal_testkit::narrow::{VARIANTS, Variant, narrowed};
use tal_testkit::toolchain::{Image, assemble, images, modules};

/// Programs that are refused on AMD64 and rightly accepted on IA-32, and why. One that is missing here either is another
/// difference of this kind, or shows a rule that does not hold for this word size.
const DIFFERENT: &[(&str, &str)] = &[
    ("e7_array_reaches_return_slot", "three words have 12 bytes, and the frame has 16"),
    ("f3_pointer_in_parts", "32 bits are the whole pointer"),
    ("f7_half_a_pointer_cell", "32 bits are the whole cell"),
    ("f7_unaligned_pointer_cell", "4 bytes further is the next cell"),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(name)
}

fn stem(case: &Case) -> String {
    case.path.file_stem().expect("a name").to_string_lossy().into_owned()
}

/// Whether a test for AMD64 alone says that it is one of its class of attacks on IA-32 too.
fn says_ia32(text: &str) -> bool {
    let classes = text.lines().find(|l| l.starts_with("; class: "));
    classes.is_some_and(|l| l.contains("ia32")) && text.contains("arch amd64\n")
}

/// Does it for each case, with all processors.
fn all(cases: &[Case], each: impl Fn(&Case) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    each(case);
                }
            });
        }
    });
}

fn built(text: &str) -> Option<Vec<Image>> {
    let modules = modules(text);
    let images = images(&modules, assemble(&modules).ok()?).ok()?;
    images.iter().all(|i| i.check().is_ok()).then_some(images)
}

/// The first variant that is accepted, and what it is.
fn accepted(text: &str) -> Option<(Variant, String, Vec<Image>)> {
    VARIANTS.into_iter().find_map(|variant| {
        let text = narrowed(text, variant)?;
        built(&text).map(|images| (variant, text, images))
    })
}

/// Runs every function.
fn watch(image: &Image) -> Result<(), String> {
    let program = image.load().map_err(|r| r.why.to_string())?;
    let claims = Claims::of(&program, image.bytes());
    for seed in 0..4 {
        for function in 0..program.functions.len() {
            let machine = Machine::at(&program, function, seed).map(|m| m.with_claims(&claims));
            if let Some(Err(v)) = machine.map(|mut m| m.run(2_000)) {
                return Err(format!("at {:#x}: {}\n{}", v.rip, v.what, v.history));
            }
        }
    }
    Ok(())
}

#[test]
fn rules_hold_for_words_of_32_bits() {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["accept", "reject"] {
        std::fs::create_dir(directory.path().join(name)).expect("a directory");
    }
    let (variants, problems) = (Mutex::new(BTreeMap::new()), Mutex::new(Vec::new()));
    let problem = |text: String| problems.lock().expect("no panic").push(text);
    let write = |folder: &str, case: &Case, text: String| {
        let path = directory.path().join(folder).join(case.path.file_name().expect("a name"));
        std::fs::write(path, text).expect("a file is written");
    };
    all(&cases(&folder("accept")), |case| {
        let Some((variant, text, images)) = accepted(&case.text) else { return };
        if let Some(Err(e)) = images.iter().map(watch).find(Result::is_err) {
            problem(format!("{}, when it runs: {e}\n{text}", stem(case)));
        }
        write("accept", case, text);
        variants.lock().expect("no panic").insert(stem(case), variant);
    });
    let variants = variants.into_inner().expect("no panic");
    let twin = |case: &Case| {
        let twin = case.text.lines().find_map(|l| l.strip_prefix("; twin: ../accept/"));
        twin.and_then(|t| variants.get(t.trim().strip_suffix(".tal")?).copied())
    };
    for case in cases(&folder("reject")) {
        if let Some(text) = twin(&case).and_then(|variant| narrowed(&case.text, variant)) {
            write("reject", &case, text);
        }
    }
    let refused = cases(&directory.path().join("reject"));
    let same = Mutex::new(BTreeSet::new());
    all(&refused, |case| match case.rejected() {
        Ok(()) => {
            same.lock().expect("no panic").insert(stem(case));
        }
        Err(e) if !e.contains("is accepted") || DIFFERENT.iter().any(|d| d.0 == stem(case)) => {}
        Err(e) => problem(format!("{}, which is refused on AMD64: {e}\n{}", stem(case), case.text)),
    });
    let same = same.into_inner().expect("no panic");
    for case in cases(&folder("reject")) {
        if says_ia32(&case.text) && !same.contains(&stem(&case)) {
            problem(format!(
                "{}: its `; class:` says ia32, but there it is not refused as here",
                stem(&case)
            ));
        }
    }
    let mut problems = problems.into_inner().expect("no panic");
    problems.sort();
    let same = same.len();
    println!("{} accepted programs; {same} of {} are refused as before", variants.len(), refused.len());
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
    assert!(variants.len() > 300 && same > 300, "{} accepted, {same} refused", variants.len());
}
