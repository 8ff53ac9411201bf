//! `map` against a sorted map of the standard library.

use super::{Driver, answers, drivers, little, signed, unsigned};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Random lines, and whether there was enough memory for all.
fn compare(
    driver: &Driver,
    seed: u64,
    count: usize,
    key: impl Fn(&mut fastrand::Rng, usize) -> i64,
    kilobytes: Option<u64>,
) -> bool {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut input = String::new();
    let mut lines = Vec::new();
    for i in 0..count {
        let growing = (i * 5 / count).is_multiple_of(2);
        let letters = if growing { "++++?-#*" } else { "+---?#%%" };
        let mut letter = char::from(rng.choice(letters.bytes()).unwrap_or(b'+'));
        if letter == '*' && rng.usize(0..count) > 300 {
            letter = '+'; // it takes long
        }
        let (key, number) = (signed(driver.arch, key(&mut rng, i)), unsigned(driver.arch, rng.u64(..)));
        lines.push((letter, key, number));
        let _ = writeln!(input, "{letter}{key} {number}");
    }
    let mut model: BTreeMap<i64, u64> = BTreeMap::new();
    let mut enough = true;
    let out = answers(driver, input.as_bytes(), kilobytes);
    assert_eq!(out.len(), lines.len());
    for ((letter, key, number), answer) in lines.into_iter().zip(out) {
        let answer = String::from_utf8(answer).expect("the answer is text");
        let show = |n: Option<u64>| n.map_or("-".to_string(), |n| n.to_string());
        let both = |key: i64, n: u64| format!("{key} {n} ");
        let right = match letter {
            '+' if answer == "!" => {
                assert!(kilobytes.is_some() && !model.contains_key(&key));
                enough = false;
                continue;
            }
            '+' => model.insert(key, number).map_or("+".to_string(), |old| show(Some(old))),
            '?' => show(model.get(&key).copied()),
            '-' => model.remove(&key).map_or("-".to_string(), |old| both(key, old)),
            '#' => show(Some(model.len() as u64)),
            '*' => model.iter().map(|(k, n)| both(*k, *n)).collect(),
            _ => model.pop_first().map_or("-".to_string(), |(k, n)| both(k, n)),
        };
        assert_eq!(answer, right, "{letter}{key}");
    }
    enough
}

#[test]
fn map() {
    for driver in &drivers("on_map") {
        assert!(compare(driver, 1, 300, |r, _| r.i64(-3..3), None));
        assert!(compare(driver, 2, 3_000, |r, _| r.i64(-50..50), None));
        assert!(compare(driver, 3, 30_000, |r, _| r.i64(..), None));
        // In order, upwards and downwards: the tree must not become a list.
        assert!(compare(driver, 4, 100_000, |_, i| i as i64, None));
        assert!(compare(driver, 5, 100_000, |_, i| -(i as i64), None));
        let ends = [i64::MIN, i64::MAX, i32::MIN.into(), i32::MAX.into(), 0, -1, 1];
        assert!(compare(driver, 6, 500, |r, _| r.choice(ends).unwrap_or(0), None));
    }
}

#[test]
fn map_without_memory() {
    for driver in &drivers("on_map") {
        assert!(!compare(driver, 7, 200_000, |r, _| r.i64(..), little(driver.arch, 1_500)));
    }
}
