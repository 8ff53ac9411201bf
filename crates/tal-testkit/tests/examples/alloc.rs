//! `alloc`, and with it the allocator of the library: against a model that knows which blocks there are.

use crate::build;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Clone, Copy)]
enum Step {
    Allocate(usize, u64),
    Change(usize, u64),
    Free(usize),
}

/// Steps of a kind.
struct Trace {
    name: &'static str,
    /// Slots that are used.
    slots: usize,
    /// All sizes are multiples of it.
    multiple: u64,
    /// A size.
    size: fn(&mut fastrand::Rng) -> u64,
    /// Steps of a hundred that change a size.
    change: u32,
    /// A step costs so many times what one of small blocks does.
    cost: usize,
}

const TRACES: &[Trace] = &[
    Trace { name: "equal", slots: 4_000, multiple: 16, size: |_| 48, change: 0, cost: 1 },
    Trace { name: "small", slots: 20_000, multiple: 16, size: |r| 16 * r.u64(1..32), change: 20, cost: 1 },
    Trace { name: "any size", slots: 5_000, multiple: 1, size: |r| r.u64(16..3_000), change: 20, cost: 1 },
    Trace { name: "few and small", slots: 30, multiple: 1, size: |r| r.u64(16..80), change: 30, cost: 1 },
    Trace {
        name: "all sizes",
        slots: 1_000,
        multiple: 16,
        size: |r| 16 << r.u32(0..14),
        change: 10,
        cost: 4,
    },
    Trace { name: "all kinds", slots: 500, multiple: 1, size: any, change: 10, cost: 1 },
    Trace { name: "large", slots: 40, multiple: 1, size: |r| r.u64(16..3 << 20), change: 30, cost: 20 },
    Trace { name: "pages", slots: 40, multiple: 16, size: |r| 4096 * r.u64(1..600), change: 30, cost: 20 },
];

/// A size of any order of magnitude.
fn any(rng: &mut fastrand::Rng) -> u64 {
    let most = 17 << rng.u32(0..15);
    rng.u64(16..most)
}

/// So many steps; the slots fill up, empty and fill up again.
fn steps(trace: &Trace, rng: &mut fastrand::Rng, count: usize) -> Vec<Step> {
    let mut live = vec![false; trace.slots];
    let mut list = Vec::with_capacity(count);
    for i in 0..count {
        let slot = rng.usize(..trace.slots);
        let filling = (i / (2 * trace.slots)).is_multiple_of(3);
        list.push(if rng.u32(0..100) < trace.change {
            live[slot] = true;
            Step::Change(slot, (trace.size)(rng))
        } else if live[slot] && (!filling || rng.u32(0..10) == 0) {
            live[slot] = false;
            Step::Free(slot)
        } else {
            live[slot] = true;
            Step::Allocate(slot, (trace.size)(rng))
        });
    }
    list
}

/// What a program prints for these steps, with so much memory.
fn run(program: &Path, steps: &[Step], kilobytes: Option<u64>) -> String {
    let mut text = String::new();
    for step in steps {
        let _ = match step {
            Step::Allocate(slot, size) => writeln!(text, "a {slot} {size}"),
            Step::Change(slot, size) => writeln!(text, "r {slot} {size}"),
            Step::Free(slot) => writeln!(text, "f {slot}"),
        };
    }
    let mut command = Command::new("/bin/sh");
    let limit = kilobytes.map_or_else(|| "unlimited".to_string(), |k| k.to_string());
    command.args(["-c", "ulimit -v $0 && exec \"$@\"", &limit]).arg(program).args(["-p", "-c"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program can be started");
    let mut pipe = child.stdin.take().expect("there is a pipe");
    let feeder = std::thread::spawn(move || pipe.write_all(text.as_bytes()));
    let out = child.wait_with_output().expect("a program can be waited for");
    let complaint = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "alloc ends with {}: {complaint}", out.status);
    feeder.join().expect("the writer ends").expect("alloc reads all steps");
    String::from_utf8(out.stdout).expect("alloc prints text")
}

/// What a trace came to.
#[derive(Default)]
struct Outcome {
    /// Requests that were not met.
    refused: usize,
    /// The most bytes that were in blocks at a time.
    most: u64,
}

/// The blocks that there should be.
#[derive(Default)]
struct Model {
    /// The ends of the blocks, by address.
    ends: BTreeMap<u64, u64>,
    slots: HashMap<usize, u64>,
    bytes: u64,
}

impl Model {
    fn free(&mut self, slot: usize) {
        if let Some(start) = self.slots.remove(&slot) {
            let end = self.ends.remove(&start).expect("a block has an end");
            self.bytes -= end - start;
        }
    }

    fn add(&mut self, slot: usize, start: u64, size: u64) {
        let end = start + size;
        let before = self.ends.range(..end).next_back();
        assert!(before.is_none_or(|(_, e)| *e <= start), "{start}..{end} overlaps {before:?}");
        self.ends.insert(start, end);
        self.slots.insert(slot, start);
        self.bytes += size;
    }
}

/// Follows the output step by step.
fn follow(steps: &[Step], output: &str, multiple: u64) -> Outcome {
    let (mut model, mut outcome, mut lines) = (Model::default(), Outcome::default(), output.lines());
    for step in steps {
        let (slot, size, keeps) = match *step {
            Step::Free(slot) => {
                model.free(slot);
                continue;
            }
            Step::Allocate(slot, size) => (slot, size, false),
            Step::Change(slot, size) => (slot, size, true),
        };
        let line = lines.next().expect("there is a line for each block");
        let words: Vec<u64> = line.split(' ').map(|w| w.parse().expect("a number")).collect();
        let &[said, start, bytes] = words.as_slice() else { panic!("{line:?}") };
        assert_eq!((said, bytes), (slot as u64, size), "{line:?}");
        if start == 0 {
            outcome.refused += 1;
            if !keeps {
                model.free(slot);
            }
            continue;
        }
        assert!(!multiple.is_multiple_of(16) || start.is_multiple_of(16), "{line:?}");
        model.free(slot);
        model.add(slot, start, size);
        outcome.most = outcome.most.max(model.bytes);
    }
    assert_eq!(lines.next(), None);
    outcome
}

/// Each kind of trace, with so many steps in all. No block overlaps another, all keep what is in them, and the program
/// needs no more memory than `factor` times what the blocks have at a time, and 4 MiB.
fn random(count: usize, seed: u64) {
    build::programs("alloc").iter().for_each(|program| random_by(program, count, seed));
}

fn random_by(program: &Path, count: usize, seed: u64) {
    for (i, trace) in TRACES.iter().enumerate() {
        let mut rng = fastrand::Rng::with_seed(seed + i as u64);
        let steps = steps(trace, &mut rng, count / TRACES.len() / trace.cost);
        let outcome = follow(&steps, &run(program, &steps, None), trace.multiple);
        assert_eq!(outcome.refused, 0, "{}", trace.name);
        // The same in little memory: what is free must be found, joined and used again.
        let limit = outcome.most * 2 + STATIC + (4 << 20);
        let limited = follow(&steps, &run(program, &steps, Some(limit >> 10)), trace.multiple);
        assert_eq!(limited.refused, 0, "{} in {limit} bytes for {}", trace.name, outcome.most);
    }
}

/// Bytes of the program itself: its tables and its stack.
const STATIC: u64 = 18 << 20;

/// Every second block is freed, and then twice as large ones are wanted: nothing fits before neighbours are joined.
/// Three quarters are freed, so that there are some.
#[test]
fn neighbours_are_joined() {
    let (count, size) = (20_000, 64);
    let mut steps: Vec<Step> = (0..count).map(|i| Step::Allocate(i, size)).collect();
    steps.extend((0..count).filter(|i| i % 4 != 0).rev().map(Step::Free));
    steps.extend((0..count / 4).map(|i| Step::Allocate(count + i, 3 * size)));
    let limit = (STATIC >> 10) + 2_300; // of which 1250 are what the blocks need
    for program in &build::programs("alloc") {
        assert_eq!(follow(&steps, &run(program, &steps, Some(limit)), 16).refused, 0);
    }
    // All of it at once, too.
    steps.extend((0..2 * count).map(Step::Free));
    steps.push(Step::Allocate(0, 1_200_000));
    for program in &build::programs("alloc") {
        assert_eq!(follow(&steps, &run(program, &steps, Some(limit)), 16).refused, 0);
    }
}

/// When there is no more memory that is told, blocks stay as they are, and what is freed serves again.
#[test]
fn memory_ends() {
    // With a size that is too large for any memory.
    for (program, large) in build::programs("alloc").iter().zip([1 << 40, 1 << 30]) {
        memory_ends_for(program, large);
    }
}

fn memory_ends_for(program: &Path, large: u64) {
    let limit = Some((STATIC >> 10) + 8_192);
    let mut steps: Vec<Step> = (0..10_000).map(|i| Step::Allocate(i, 1_600)).collect();
    steps.extend((0..100).map(|i| Step::Change(i, 100_000)));
    let outcome = follow(&steps, &run(program, &steps, limit), 16);
    assert!((3_500..6_500).contains(&outcome.refused), "{}", outcome.refused);
    // One block of the size of all memory, and one of more than there can be.
    let huge = [Step::Allocate(1, 6 << 20), Step::Allocate(2, large), Step::Change(1, large), Step::Free(1)];
    let outcome = follow(&huge, &run(program, &huge, limit), 16);
    assert_eq!(outcome.refused, 2);
    let again = [&steps[..], &(0..10_000).map(Step::Free).collect::<Vec<_>>(), &huge[..1]].concat();
    let last = run(program, &again, limit).lines().last().map(String::from);
    assert!(last.is_some_and(|l| l.starts_with("1 ") && !l.starts_with("1 0 ")));
    // Little memory and all kinds of steps.
    let mut rng = fastrand::Rng::with_seed(3);
    for trace in TRACES {
        let steps = self::steps(trace, &mut rng, 4_000);
        follow(&steps, &run(program, &steps, limit), trace.multiple);
    }
}

#[test]
fn alloc_complains() {
    for (input, steps) in [
        ("x 1 2\n", 0),
        ("a 1 20\na 65536 20\n", 1),
        ("f 1\nf 2\nf\n", 2),
        ("a 1 1\na 1", 1),
        ("a1 20\n\n", 1),
    ] {
        for program in build::programs("alloc") {
            let mut child =
                Command::new(&program).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
            child.stdin.take().expect("there is a pipe").write_all(input.as_bytes()).expect("it is read");
            let out = child.wait_with_output().expect("a program can be waited for");
            assert_eq!(out.status.code(), Some(1), "{input:?}");
            let said = String::from_utf8_lossy(&out.stderr).trim_end().to_string();
            assert!(
                said.replace(' ', "").ends_with(&format!("before it: {steps}").replace(' ', "")),
                "{said}"
            );
        }
    }
}

/// Owned memory is what it says: these changes do not assemble.
#[test]
fn misuse_is_rejected() {
    let changes = [
        // A block is freed and kept.
        (
            "        call    free\n.done:  ret",
            "        push    xdi\n        call    free\n        pop     xdi\n        call    free\n.done:  ret",
        ),
        // A block of another size than it is given back with.
        (".keep:  mov     [xbx + held.size], xbp\n", ".keep:  mov     [xbx + held.size], xdx\n"),
        // A block that nobody looked whether there is one.
        (".fill:  test    xbx, xbx\n        jz      .done\n", ".fill:\n"),
    ];
    for (from, to) in changes {
        let made = build::changed("alloc", from, to);
        assert!(made.is_err(), "{to} is accepted");
    }
}

#[test]
fn blocks_do_not_overlap() {
    random(100_000, 1);
}

/// The same for as long as it takes: `cargo test -p tal-testkit --test examples -- --ignored`.
#[test]
#[ignore = "takes a minute"]
fn blocks_do_not_overlap_in_millions_of_steps() {
    for seed in 0..10 {
        random(800_000, 100 * (seed + 1));
    }
}
