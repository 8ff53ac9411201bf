//! `table` against a map of the standard library.

use super::{Driver, answers, drivers, little, unsigned};
use std::collections::HashMap;

/// Random lines with these kinds of keys, and whether there was enough memory for all.
fn compare(
    driver: &Driver,
    seed: u64,
    count: usize,
    keys: usize,
    longest: usize,
    kilobytes: Option<u64>,
) -> bool {
    let mut rng = fastrand::Rng::with_seed(seed);
    let keys: Vec<Vec<u8>> = (0..keys)
        .map(|_| {
            let len = rng.usize(0..=longest);
            (0..len).map(|_| rng.choice([0, 1, 9, 11, b'a', b'b', 255]).unwrap_or(0)).collect()
        })
        .collect();
    let mut input = Vec::new();
    let mut lines: Vec<(u8, u64, &[u8])> = Vec::new();
    for i in 0..count {
        let growing = (i * 5 / count).is_multiple_of(2);
        let letters = if growing { b"++++?-#*" } else { b"+----?#%" };
        let mut letter = rng.choice(letters.iter().copied()).unwrap_or(b'+');
        if letter == b'*' && rng.u32(0..100) > 0 {
            letter = b'+'; // it takes long
        }
        let (number, key) = (unsigned(driver.arch, rng.u64(..)), &keys[rng.usize(..keys.len())][..]);
        lines.push((letter, number, key));
        input.extend(format!("{}{number} ", letter as char).bytes());
        input.extend(key);
        input.push(b'\n');
    }
    let mut model: HashMap<&[u8], u64> = HashMap::new();
    let mut enough = true;
    let out = answers(driver, &input, kilobytes);
    assert_eq!(out.len(), lines.len());
    for ((letter, number, key), answer) in lines.into_iter().zip(out) {
        let show = |n: Option<u64>| n.map_or("-".to_string(), |n| n.to_string()).into_bytes();
        let with_key = |n: u64, key: &[u8]| [n.to_string().as_bytes(), b" ", key].concat();
        let right = match letter {
            b'+' if answer == b"!" => {
                assert!(kilobytes.is_some() && !model.contains_key(key));
                enough = false;
                continue;
            }
            b'+' => model.insert(key, number).map_or(b"+".to_vec(), |old| show(Some(old))),
            b'?' => show(model.get(key).copied()),
            b'-' => model.remove(key).map_or(b"-".to_vec(), |old| with_key(old, key)),
            b'#' => show(Some(model.len() as u64)),
            b'*' => {
                let sum = |s: u64, (k, n): (&&[u8], &u64)| s.wrapping_add(n.wrapping_mul(k.len() as u64));
                show(Some(unsigned(driver.arch, model.iter().fold(0, sum))))
            }
            _ if model.is_empty() => b"-".to_vec(),
            _ => {
                let place = answer.iter().position(|b| *b == b' ').expect("there is a number and a key");
                let (taken, number) =
                    model.remove_entry(&answer[place + 1..]).expect("what is taken out was there");
                with_key(number, taken)
            }
        };
        assert_eq!(answer.escape_ascii().to_string(), right.escape_ascii().to_string(), "{}", letter as char);
    }
    enough
}

#[test]
fn table() {
    let sizes = [(300, 3, 2), (2_000, 40, 3), (30_000, 4_000, 8), (4_000, 500, 400)];
    for driver in &drivers("on_table") {
        for (seed, (count, keys, longest)) in sizes.into_iter().enumerate() {
            assert!(compare(driver, seed as u64, count, keys, longest, None));
        }
    }
}

/// Entries that do not fit are refused, the others stay, and when some are taken out there is room again.
#[test]
fn table_without_memory() {
    for driver in &drivers("on_table") {
        assert!(!compare(driver, 7, 150_000, 80_000, 30, little(driver.arch, 2_000)));
        assert!(!compare(driver, 8, 4_000, 400, 60_000, little(driver.arch, 5_000)));
    }
}
