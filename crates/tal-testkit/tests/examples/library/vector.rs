//! `vector` against one of the standard library.

use super::{Driver, answers, drivers, little, signed};
use std::fmt::Write as _;

/// Random lines, with numbers up to `most`; and whether there was enough memory for all.
fn compare(driver: &Driver, seed: u64, count: usize, most: i64, kilobytes: Option<u64>) -> bool {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut input, mut lines, mut guess) = (String::new(), Vec::new(), 0usize);
    for i in 0..count {
        let growing = (i * 5 / count).is_multiple_of(2);
        let letters = if growing { "++++++-iisxo*e" } else { "+------xtsxo*e" };
        let mut letter = char::from(rng.choice(letters.bytes()).unwrap_or(b'+'));
        if "*ot".contains(letter) && rng.usize(0..count) > 300 {
            letter = '+'; // they take long, or take much
        }
        guess = if growing { guess + 1 } else { guess.saturating_sub(1) };
        let place = match letter {
            'e' if rng.u8(0..20) > 0 => rng.usize(0..=guess),
            'e' => rng.usize(0..=4 * guess),
            _ => rng.usize(0..=guess),
        };
        let number = signed(driver.arch, rng.i64(-most..=most));
        lines.push((letter, place, number));
        let _ = writeln!(input, "{letter}{place} {number}");
    }
    let mut model: Vec<i64> = Vec::new();
    let mut enough = true;
    let out = answers(driver, input.as_bytes(), kilobytes);
    assert_eq!(out.len(), lines.len());
    for ((letter, place, number), answer) in lines.into_iter().zip(out) {
        let answer = String::from_utf8(answer).expect("the answer is text");
        if answer == "!" && "+ie".contains(letter) {
            assert!(kilobytes.is_some());
            enough = false;
            continue;
        }
        let mut right = String::new();
        let mut show = |n: i64| right = n.to_string();
        match letter {
            '+' => model.push(number),
            '-' => model.pop().into_iter().for_each(&mut show),
            'i' if place <= model.len() => model.insert(place, number),
            'x' if place < model.len() => show(model.remove(place)),
            's' if place < model.len() => show(std::mem::replace(&mut model[place], number)),
            't' if place <= model.len() => model.truncate(place),
            'o' => model.sort_unstable(),
            '*' => right = model.iter().map(|n| format!("{n} ")).collect(),
            _ => {}
        }
        assert_eq!(answer, right, "{letter}{place} {number}");
    }
    enough
}

#[test]
fn vector() {
    for driver in &drivers("on_vector") {
        assert!(compare(driver, 1, 500, 5, None));
        assert!(compare(driver, 2, 5_000, 50, None));
        assert!(compare(driver, 3, 50_000, i64::MAX, None));
    }
}

#[test]
fn vector_without_memory() {
    for driver in &drivers("on_vector") {
        assert!(!compare(driver, 4, 300_000, 1000, little(driver.arch, 1_800)));
    }
}

/// Orders of numbers that partition badly, or that are often met.
#[test]
fn sort_words() {
    let mut rng = fastrand::Rng::with_seed(5);
    let n = 20_000i64;
    let orders: [Vec<i64>; 7] = [
        (0..n).collect(),
        (0..n).rev().collect(),
        vec![7; 20_000],
        (0..n).map(|i| i.min(n - i)).collect(),
        (0..n).map(|i| (n / 2 - i).abs()).collect(),
        (0..n).map(|_| rng.i64(..)).collect(),
        (0..n).map(|_| rng.i64(0..4)).collect(),
    ];
    let orders: Vec<_> = orders.into_iter().chain([killer(4_000)]).collect();
    for driver in drivers("on_vector") {
        for numbers in &orders {
            let mut numbers: Vec<_> = numbers.iter().map(|n| signed(driver.arch, *n)).collect();
            let mut input: String = numbers.iter().map(|n| format!("+0 {n}\n")).collect();
            input.push_str("o0 0\n*0 0\n");
            let out = answers(&driver, input.as_bytes(), None);
            numbers.sort_unstable();
            let right: String = numbers.iter().map(|n| format!("{n} ")).collect();
            assert!(out.last().is_some_and(|o| *o == right.as_bytes()));
        }
    }
}

/// Numbers for which the one in the middle is always among the least: only the heap sorts them in time.
fn killer(n: usize) -> Vec<i64> {
    // From the end: what partitions do to places, undone.
    let mut places: Vec<usize> = (0..n).collect();
    let mut numbers = vec![0; n];
    for (next, low) in (0..n).enumerate() {
        let middle = (low + n) / 2;
        places.swap(low, middle);
        numbers[places[low]] = next as i64;
    }
    numbers
}
