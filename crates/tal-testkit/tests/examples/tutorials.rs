//! `hello`, `fib`, `sieve`, `rpn` and `tree`: programs without an original, against what they should print.

use crate::build;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program for each architecture, with the largest word there.
fn each(name: &str) -> Vec<(PathBuf, u64)> {
    build::programs(name).into_iter().zip([u64::MAX, u32::MAX.into()]).collect()
}

fn run(program: &Path, args: &[&str]) -> Output {
    Command::new(program).args(args).output().expect("an example can be started")
}

fn prints(name: &str, args: &[&str], expected: &str) {
    each(name).iter().for_each(|(program, _)| prints_by(program, args, expected));
}

fn prints_by(program: &Path, args: &[&str], expected: &str) {
    let (out, name) = (run(program, args), program.display());
    assert!(out.status.success(), "{name} {args:?}: {:?}", out.status);
    assert!(out.stderr.is_empty(), "{name} {args:?} complains: {}", out.stderr.escape_ascii());
    assert_eq!(String::from_utf8_lossy(&out.stdout), expected, "{name} {args:?}");
}

/// It ends with 1 and this message, and prints nothing.
fn complains(program: &Path, args: &[&str], message: &str) {
    let (out, name) = (run(program, args), program.display());
    assert_eq!(out.status.code(), Some(1), "{name} {args:?}");
    assert!(out.stdout.is_empty(), "{name} {args:?}");
    let said = out.stderr.ends_with(format!(": {message}\n").as_bytes());
    assert!(said, "{name} {args:?}: {}", out.stderr.escape_ascii());
}

#[test]
fn hello() {
    prints("hello", &[], "Hello, world!\n");
}

#[test]
fn fib() {
    let mut expected = String::new();
    let mut pair = (0u64, Some(1u64));
    loop {
        writeln!(expected, "{}", pair.0).expect("a string can be written to");
        let Some(next) = pair.1 else { break };
        pair = (next, pair.0.checked_add(next));
    }
    assert_eq!(expected.lines().count(), 94);
    prints("fib", &[], &expected);
}

/// The mistake that the tutorial suggests.
#[test]
fn fib_off_by_one_is_rejected() {
    let message = build::changed("fib", "jb      .next                   ; try", "jbe     .next ; try");
    let message = message.expect_err("94 is behind the end of the array");
    assert!(message.contains("error[TAL0301]"), "{message}");
    assert!(message.contains("rbx = 94 breaks it"), "{message}");
}

#[test]
fn sieve() {
    for limit in [0, 1, 2, 3, 4, 5, 9, 10, 25, 26, 100, 101, 121, 122, 1009, 10_000] {
        prints("sieve", &[&limit.to_string()], &primes(limit));
    }
    prints("sieve", &[], &primes(100));
    prints("sieve", &["00030"], &primes(30));
    for (program, _) in each("sieve") {
        let out = run(&program, &["1000000"]);
        assert_eq!(out.stdout.iter().filter(|&&b| b == b'\n').count(), 78_498, "primes below a million");
        assert!(out.stdout.ends_with(b"\n999979\n999983\n"));
    }
}

#[test]
fn sieve_complains() {
    for args in [
        &["x"][..],
        &["10x"],
        &[""],
        &["-1"],
        &["1000001"],
        &["18446744073709551616"],
        &["18446744073709551626"],
        &["1", "2"],
    ] {
        for (program, _) in each("sieve") {
            complains(&program, args, "usage: sieve [LIMIT], at most 1000000");
        }
    }
}

#[test]
fn rpn() {
    for (program, most) in each("rpn") {
        let largest = most.to_string();
        let prints = |args: &[&str], expected: &str| prints_by(&program, args, expected);
        prints(&["3", "4", "+", "2", "*"], "14\n");
        prints(&["5", "3", "-", "2", "5", "x"], "2\n5\n2\n");
        prints(&["0", "1", "-"], &format!("{largest}\n"));
        prints(&["7", "k"], "");
        let mut rng = fastrand::Rng::with_seed(15);
        for _ in 0..100 {
            let words = ["0", "1", "7", &largest, "+", "-", "*", "/", "%", "d", "x", "k"];
            let args: Vec<&str> = (0..rng.usize(1..80)).map(|_| words[rng.usize(..words.len())]).collect();
            match calculate(&args, most) {
                Ok(expected) => prints(&args, &expected),
                Err(message) => complains(&program, &args, message),
            }
        }
        let deep: Vec<&str> = vec!["1"; 65];
        complains(&program, &deep, "the stack is full");
        prints(&deep[1..], &"1\n".repeat(64));
        let large = (u128::from(most) + 1).to_string();
        for bad in ["", "3x", "++", "y", &large, "-1", "\u{80}"] {
            complains(&program, &[bad], &format!("what is this: {bad}"));
        }
    }
}

#[test]
fn tree() {
    for (program, most) in each("tree") {
        let prints = |args: &[&str], expected: &str| prints_by(&program, args, expected);
        prints(&["+5", "+3", "+9", "-5", "?3", "?5"], "yes\nno\n3\n9\n");
        prints(&["-1", "+1", "+1", "-1"], "");
        prints(&[&format!("+{most}"), "+0", "?0"], &format!("yes\n0\n{most}\n"));
        let mut rng = fastrand::Rng::with_seed(16);
        for _ in 0..50 {
            let (mut words, mut set, mut expected) = (Vec::new(), BTreeSet::new(), String::new());
            let below = rng.u64(1..200);
            for _ in 0..rng.usize(1..1000) {
                let n = rng.u64(..below);
                match rng.u8(..5) {
                    0 | 1 => {
                        set.insert(n);
                        words.push(format!("+{n}"));
                    }
                    2 | 3 => {
                        set.remove(&n);
                        words.push(format!("-{n}"));
                    }
                    _ => {
                        expected += if set.contains(&n) { "yes\n" } else { "no\n" };
                        words.push(format!("?{n}"));
                    }
                }
            }
            for n in set {
                writeln!(expected, "{n}").expect("a string takes text");
            }
            prints(&words.iter().map(String::as_str).collect::<Vec<_>>(), &expected);
        }
        let large = format!("+{}", u128::from(most) + 1);
        for bad in ["", "+", "5", "+5x", "*5", &large] {
            complains(&program, &[bad], &format!("what is this: {bad}"));
        }
    }
}

/// What `rpn` prints, or complains, where this is the largest word.
fn calculate(words: &[&str], most: u64) -> Result<String, &'static str> {
    let mut stack = Vec::new();
    for word in words {
        if let Ok(n) = word.parse::<u64>() {
            stack.push(n);
        } else if let "d" | "k" = *word {
            let top = stack.pop().ok_or("the stack is empty")?;
            if *word == "d" {
                stack.extend([top, top]);
            }
        } else {
            let [a, b] = stack[stack.len().saturating_sub(2)..] else { return Err("the stack is empty") };
            stack.truncate(stack.len() - 2);
            match *word {
                "+" => stack.push(a.wrapping_add(b) & most),
                "-" => stack.push(a.wrapping_sub(b) & most),
                "*" => stack.push(a.wrapping_mul(b) & most),
                "/" => stack.push(a.checked_div(b).ok_or("division by 0")?),
                "%" => stack.push(a.checked_rem(b).ok_or("division by 0")?),
                _ => stack.extend([b, a]),
            }
        }
        if stack.len() > 64 {
            return Err("the stack is full");
        }
    }
    Ok(stack.iter().fold(String::new(), |s, n| s + &format!("{n}\n")))
}

/// The primes below a limit, by trial division.
fn primes(limit: u32) -> String {
    let prime = |n: &u32| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..limit).filter(prime).fold(String::new(), |s, p| s + &format!("{p}\n"))
}
