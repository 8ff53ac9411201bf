//! `hello`, `fib`, `sieve`, `rpn` and `tree`: programs without an original, against what they should print.

use crate::build;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::{Command, Output};

/// What it does, on each architecture.
fn run(name: &str, args: &[&str]) -> Vec<Output> {
    let run = |p| Command::new(p).args(args).output().expect("an example can be started");
    build::programs(name).into_iter().map(run).collect()
}

fn prints(name: &str, args: &[&str], expected: &str) {
    for out in run(name, args) {
        assert!(out.status.success(), "{name} {args:?}: {:?}", out.status);
        assert!(out.stderr.is_empty(), "{name} {args:?} complains: {}", out.stderr.escape_ascii());
        assert_eq!(String::from_utf8_lossy(&out.stdout), expected, "{name} {args:?}");
    }
}

/// It ends with 1 and this message, and prints nothing.
fn complains(name: &str, args: &[&str], message: &str) {
    for out in run(name, args) {
        assert_eq!(out.status.code(), Some(1), "{name} {args:?}");
        assert!(out.stdout.is_empty(), "{name} {args:?}");
        let said = out.stderr.ends_with(format!(": {message}\n").as_bytes());
        assert!(said, "{name} {args:?}: {}", out.stderr.escape_ascii());
    }
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
    for out in run("sieve", &["1000000"]) {
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
        complains("sieve", args, "usage: sieve [LIMIT], at most 1000000");
    }
}

#[test]
fn rpn() {
    prints("rpn", &["3", "4", "+", "2", "*"], "14\n");
    prints("rpn", &["5", "3", "-", "2", "5", "x"], "2\n5\n2\n");
    prints("rpn", &["0", "1", "-"], "18446744073709551615\n");
    prints("rpn", &["7", "k"], "");
    let mut rng = fastrand::Rng::with_seed(15);
    for _ in 0..100 {
        let words = ["0", "1", "7", "18446744073709551615", "+", "-", "*", "/", "%", "d", "x", "k"];
        let args: Vec<&str> = (0..rng.usize(1..80)).map(|_| words[rng.usize(..words.len())]).collect();
        match calculate(&args) {
            Ok(expected) => prints("rpn", &args, &expected),
            Err(message) => {
                for out in run("rpn", &args) {
                    assert_eq!(out.status.code(), Some(1), "rpn {args:?}");
                    assert!(
                        out.stderr.ends_with(format!(": {message}\n").as_bytes()),
                        "rpn {args:?}: {message}"
                    );
                }
            }
        }
    }
    let deep: Vec<&str> = vec!["1"; 65];
    complains("rpn", &deep, "the stack is full");
    prints("rpn", &deep[1..], &"1\n".repeat(64));
    for bad in ["", "3x", "++", "y", "18446744073709551616", "-1", "\u{80}"] {
        complains("rpn", &[bad], &format!("what is this: {bad}"));
    }
}

#[test]
fn tree() {
    prints("tree", &["+5", "+3", "+9", "-5", "?3", "?5"], "yes\nno\n3\n9\n");
    prints("tree", &["-1", "+1", "+1", "-1"], "");
    prints("tree", &["+18446744073709551615", "+0", "?0"], "yes\n0\n18446744073709551615\n");
    let mut rng = fastrand::Rng::with_seed(16);
    for _ in 0..50 {
        let (mut words, mut set, mut expected) = (Vec::new(), BTreeSet::new(), String::new());
        let most = rng.u64(1..200);
        for _ in 0..rng.usize(1..1000) {
            let n = rng.u64(..most);
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
        prints("tree", &words.iter().map(String::as_str).collect::<Vec<_>>(), &expected);
    }
    for bad in ["", "+", "5", "+5x", "*5", "+18446744073709551616"] {
        complains("tree", &[bad], &format!("what is this: {bad}"));
    }
}

/// What `rpn` prints, or complains.
fn calculate(words: &[&str]) -> Result<String, &'static str> {
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
                "+" => stack.push(a.wrapping_add(b)),
                "-" => stack.push(a.wrapping_sub(b)),
                "*" => stack.push(a.wrapping_mul(b)),
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
