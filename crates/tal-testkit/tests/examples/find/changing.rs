//! Trees that change while they are walked: what does not change is found once, and nothing worse than a complaint happens.

use super::Tool;
use fastrand::Rng;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A path below `at` of few names, so that different ones often meet.
fn somewhere(rng: &mut Rng, at: &Path, most: usize) -> PathBuf {
    let mut path = at.to_path_buf();
    for _ in 0..rng.usize(1..most) {
        path.push(rng.choice(["a", "b", "c"]).unwrap_or("a"));
    }
    path
}

/// Makes, moves and removes what is below a directory, until it is told to stop. Much of that fails.
fn disturb(at: &Path, seed: u64, stop: &AtomicBool) {
    let mut rng = Rng::with_seed(seed);
    while !stop.load(Ordering::Relaxed) {
        let (one, other) = (somewhere(&mut rng, at, 6), somewhere(&mut rng, at, 6));
        drop(match rng.u8(0..12) {
            // Deeper than the program keeps directories open.
            0..3 => fs::create_dir_all(somewhere(&mut rng, at, 40)),
            3..5 => fs::write(&one, vec![b'x'; rng.usize(..2000)]),
            5..10 => fs::rename(&one, &other),
            10 => symlink(rng.choice([".", "a", "b/c"]).unwrap_or("."), &one),
            _ => fs::remove_dir_all(&one),
        });
    }
}

const EXPRESSIONS: &[&[&str]] = &[
    &[],
    &["-depth"],
    &["-print", "-empty", "-newer", "tree/stable"],
    &["-print", "-size", "+1", "-type", "f", "-links", "2"],
    &["-depth", "-print", "-type", "d", "-name", "a", "-readable"],
    &["-print", "-samefile", "tree/moving/a/b"],
];

#[test]
fn changing_trees() {
    let Some(find) = Tool::find("find") else { return };
    let tree = find.dir.path().join("tree");
    let (stable, moving) = (tree.join("stable"), tree.join("moving"));
    let mut right = BTreeSet::from(["tree".to_string(), "tree/moving".into(), "tree/stable".into()]);
    fs::create_dir_all(&moving).expect("a directory can be made");
    for i in 0..20 {
        let name = format!("{i}{}", "/deep".repeat(i));
        fs::create_dir_all(stable.join(&name)).expect("a directory can be made");
        let mut path = format!("tree/stable/{name}");
        while path != "tree/stable" {
            right.insert(path.clone());
            path.truncate(path.rfind('/').unwrap_or(0));
        }
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| disturb(&moving, 1, &stop));
        // If it panics the other one must end too.
        let done = std::panic::catch_unwind(|| {
            for (i, words) in EXPRESSIONS.iter().cycle().take(24).enumerate() {
                let follow: &[&str] = if i % 4 == 3 { &["-L"] } else { &[] };
                for program in &find.ours {
                    walk(program, find.dir.path(), &[follow, &["tree"], words].concat(), &right);
                }
            }
        });
        stop.store(true, Ordering::Relaxed);
        done.unwrap_or_else(|e| std::panic::resume_unwind(e));
    });
}

fn walk(program: &Path, at: &Path, words: &[&str], right: &BTreeSet<String>) {
    let out = Command::new(program).arg0("find").args(words).current_dir(at).output();
    let out = out.expect("find can be started");
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.signal(), None, "{words:?}: {complaints}");
    let status = out.status.code();
    assert_eq!(status, Some(i32::from(!complaints.is_empty())), "{words:?}: {complaints}");
    assert!(complaints.lines().all(|l| l.starts_with("find: ")), "{words:?}: {complaints}");
    if complaints.contains("tree/moving/a/b") && words.contains(&"-samefile") {
        return; // what it is compared with was not there
    }
    let mut seen = BTreeSet::new();
    let text = String::from_utf8(out.stdout).expect("all names are text");
    for line in text.lines().filter(|l| !l.starts_with("tree/moving/")) {
        assert!(seen.insert(line.to_string()), "{words:?}: {line} comes twice");
    }
    assert!(seen == *right, "{words:?}: {:?}", seen.symmetric_difference(right).collect::<Vec<_>>());
    let known = |l: &str| l.split('/').skip(2).all(|part| ["a", "b", "c"].contains(&part));
    let strange = text.lines().find(|l| l.starts_with("tree/moving/") && !known(l));
    assert_eq!(strange, None, "{words:?}");
}
