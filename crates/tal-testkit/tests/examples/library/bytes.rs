//! `bytes`, `string` and `number` against the standard library.

use super::{answers, drivers, run, signed, unsigned};
use std::cmp::Ordering;
use talcore::arch::Arch;

/// Bytes of few kinds, without those that separate fields and lines.
fn field(rng: &mut fastrand::Rng, most: usize) -> Vec<u8> {
    let kinds: &[u8] = match rng.u8(0..3) {
        0 => b"ab",
        1 => b"aAbBzZ@[`{ \x00\xff\x80\xe1",
        _ => b"x",
    };
    let len = rng.usize(0..=most);
    (0..len).map(|_| kinds[rng.usize(..kinds.len())]).collect()
}

fn sign(o: Ordering) -> &'static str {
    match o {
        Ordering::Less => "-1 ",
        Ordering::Equal => "0 ",
        Ordering::Greater => "1 ",
    }
}

/// What the driver answers to an operation with two fields.
fn expected(letter: char, a: &[u8], b: &[u8]) -> Vec<u8> {
    let found = |i: Option<usize>| format!("{} ", i.unwrap_or(a.len())).into_bytes();
    let flag = |yes: bool| format!("{} ", u8::from(yes)).into_bytes();
    match letter {
        'e' => flag(a == b),
        'c' => sign(a.cmp(b)).into(),
        's' => {
            let place = (0..=a.len()).find(|i| a[*i..].starts_with(b));
            [found(place), flag(place.is_some())].concat()
        }
        'b' => flag(a.starts_with(b)),
        'u' => a.to_ascii_uppercase(),
        'd' => a.to_ascii_lowercase(),
        'r' => a.iter().rev().copied().collect(),
        'F' => vec![b[0]; a.len()],
        'f' => found(a.iter().position(|x| *x == b[0])),
        'l' => found(a.iter().rposition(|x| *x == b[0])),
        _ => found(Some(a.iter().filter(|x| **x == b[0]).count())),
    }
}

#[test]
fn bytes_random() {
    let mut rng = fastrand::Rng::with_seed(1);
    let (mut input, mut right) = (Vec::new(), Vec::new());
    let mut add = |letter: char, a: &[u8], b: &[u8], answer: Vec<u8>| {
        input.push(letter as u8);
        input.extend([a, b"\x01", b, b"\n"].concat());
        right.push((letter, a.to_vec(), b.to_vec(), answer));
    };
    for i in 0..60_000 {
        let letter = char::from(rng.choice("ecsbudrFfln".bytes()).unwrap_or(b'e'));
        let most = [5, 20, 70][i % 3];
        let a = field(&mut rng, most);
        let mut b = match rng.u8(0..4) {
            0 => a.clone(),
            1 => a[..rng.usize(0..=a.len())].to_vec(),
            2 => a[rng.usize(0..=a.len())..].to_vec(),
            _ => field(&mut rng, most),
        };
        if rng.bool() && !b.is_empty() && letter != 'F' {
            let place = rng.usize(..b.len());
            b[place] = b'b';
        }
        if "Ffln".contains(letter) && b.is_empty() {
            b.push(b'a');
        }
        add(letter, &a, &b, expected(letter, &a, &b));
    }
    // Moves, to all sides.
    for _ in 0..20_000 {
        let a: Vec<u8> = (0..rng.usize(0..64)).map(|i| b'0' + i as u8).collect();
        let (to, from) = (rng.usize(0..=a.len()), rng.usize(0..=a.len()));
        let count = rng.usize(0..=a.len() - to.max(from));
        let b: Vec<u8> = [to, from, count].into_iter().map(|n| 32 + n as u8).collect();
        let mut moved = a.clone();
        moved.copy_within(from..from + count, to);
        add('m', &a, &b, moved);
    }
    for driver in &drivers("on_bytes") {
        let out = answers(driver, &input, None);
        assert_eq!(out.len(), right.len());
        for (answer, (letter, a, b, right)) in out.iter().zip(&right) {
            let shown = (a.escape_ascii().to_string(), b.escape_ascii().to_string());
            let (answer, right) = (answer.escape_ascii().to_string(), right.escape_ascii().to_string());
            assert_eq!(answer, right, "{letter} {shown:?}");
        }
    }
}

fn in_base(mut n: u128, base: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((n % u128::from(base)) as u32, base).unwrap_or('?'));
        n /= u128::from(base);
        if n == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

/// What the driver shows of a number that is read: of so many digits, `None` if it does not fit.
fn number(arch: Arch, digits: usize, n: Option<u64>, base: u32) -> String {
    let shown = |n: u64| format!("{n:5} {:7} {:0>9} ", signed(arch, n as i64), in_base(n.into(), base));
    format!("{digits} {} {}", u8::from(n.is_none()), n.map_or(String::new(), shown))
}

fn parsed(arch: Arch, text: &str, base: u32) -> String {
    let half = 1 << (arch.word_bits() - 1); // the least number that needs the sign bit
    let digits = |t: &str| t.chars().take_while(|c| c.is_digit(base)).count();
    let value = |t: &str| match digits(t) {
        0 => Some(0),
        k => u128::from_str_radix(&t[..k], base).ok(),
    };
    let plain = value(text).filter(|n| *n < 2 * half).map(|n| n as u64);
    let mut out = number(arch, digits(text), plain, base);
    let (minus, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let count = match digits(rest) {
        0 => 0,
        k => k + text.len() - rest.len(),
    };
    let n = value(rest).and_then(|n| match minus {
        true => (n <= half).then(|| unsigned(arch, (n as u64).wrapping_neg())),
        false => (n < half).then_some(n as u64),
    });
    out.push_str(&number(arch, count, n, base));
    out
}

#[test]
fn numbers() {
    let mut rng = fastrand::Rng::with_seed(2);
    let mut texts: Vec<(String, u32)> = Vec::new();
    for base in 2..=36 {
        let ends = [31, 32, 63, 64].map(|bits| 1 << bits);
        for n in ends.into_iter().flat_map(|n| [n - 1, n, n + 1]).chain([0, 1, (1 << 33) + 3, (1 << 65) + 3])
        {
            texts.extend(["", "-", "+", "00", "-0"].map(|sign| (sign.to_string() + &in_base(n, base), base)));
        }
        for text in ["", "-", "+", "--1", "z", "Z1", "@", "`", "/", ":", "1 2", "10-"] {
            texts.push((text.to_string(), base));
        }
    }
    for _ in 0..20_000 {
        let base = rng.u32(2..=36);
        let mut text = in_base((u128::from(rng.u64(..)) << 6) >> rng.u32(0..70), base);
        if rng.bool() {
            text.make_ascii_uppercase();
        }
        if rng.bool() {
            text.insert(0, rng.choice(['-', '+']).unwrap_or('-'));
        }
        if rng.u8(0..4) == 0 {
            text.push(rng.alphanumeric());
        }
        texts.push((text, base));
    }
    let mut input = Vec::new();
    for (text, base) in &texts {
        input.extend([b"p", text.as_bytes(), &[1, 32 + *base as u8], b"\n"].concat());
    }
    for driver in &drivers("on_bytes") {
        let out = answers(driver, &input, None);
        assert_eq!(out.len(), texts.len());
        for (answer, (text, base)) in out.iter().zip(&texts) {
            let right = parsed(driver.arch, text, *base);
            assert_eq!(String::from_utf8_lossy(answer), right, "{text:?} to the base {base}");
        }
    }
}

#[test]
fn strings() {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut words: Vec<String> = ["", "a", "", "ab", "abc", "ab", "b", "zz", "zy"].map(String::from).to_vec();
    for _ in 0..3_000 {
        let last = words.last().cloned().unwrap_or_default();
        words.push(match rng.u8(0..5) {
            0 => last,
            1 => last + "x",
            2 => last.chars().take(3).collect(),
            _ => (0..rng.usize(0..6)).map(|_| rng.choice(['a', 'b', 'é']).unwrap_or('a')).collect(),
        });
    }
    let args: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut right = String::new();
    for pair in args.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let place = b.bytes().next().and_then(|x| a.bytes().position(|y| x == y)).unwrap_or(a.len());
        let line = [
            format!("{} {} ", a.len(), u8::from(a == b)),
            sign(a.as_bytes().cmp(b.as_bytes())).to_string(),
            format!("{place} {} {a}\n", u8::from(a.starts_with(b))),
        ];
        right.extend(line);
    }
    for driver in &drivers("on_bytes") {
        let out = run(driver, &args, b"", None);
        assert!(out.status.success() && out.stderr.is_empty());
        assert_eq!(String::from_utf8_lossy(&out.stdout), right);
    }
}
