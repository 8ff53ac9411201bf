//! How long executing a program takes: `kml-init COUNT ROUNDS PROGRAM [ARGS...]`.

use std::process::{Command, Stdio};
use std::time::Instant;

/// Executes the program so many times, and prints for each round how many nanoseconds that took, from starting a
/// process to having seen its end. What the program writes is dropped. Returns the exit status.
pub(crate) fn run(words: &[String]) -> i32 {
    let [count, rounds, program, args @ ..] = words else {
        eprintln!("usage: kml-init COUNT ROUNDS PROGRAM [ARGS...]");
        return 2;
    };
    let (Ok(count), Ok(rounds)) = (count.parse::<u32>(), rounds.parse::<u32>()) else {
        eprintln!("kml-init: {count}, {rounds}: not two numbers");
        return 2;
    };
    for _ in 0..rounds {
        let start = Instant::now();
        for _ in 0..count {
            let mut child = Command::new(program);
            child.args(args).env_clear().stdin(Stdio::inherit()).stdout(Stdio::null());
            match child.status() {
                Ok(status) if status.success() => {}
                Ok(status) => {
                    eprintln!("kml-init: {program}: {status}");
                    return 1;
                }
                Err(e) => {
                    eprintln!("kml-init: {program}: {e}");
                    return 1;
                }
            }
        }
        println!("{}", start.elapsed().as_nanos());
    }
    0
}
