//! `address` against the addresses of the standard library.

use super::{drivers, run};
use std::net::{IpAddr, Ipv6Addr};

/// What the driver should answer to a word.
fn right(word: &str) -> String {
    match word.parse() {
        Ok(IpAddr::V4(a)) => format!("4{a}"),
        Ok(IpAddr::V6(a)) => format!("6{a}"),
        Err(_) => "-".into(),
    }
}

fn compare(words: &[String]) {
    for words in words.chunks(1000) {
        let args: Vec<&str> = words.iter().map(String::as_str).collect();
        for driver in &drivers("on_address") {
            let out = run(driver, &args, b"", None);
            assert!(out.status.success() && out.stderr.is_empty());
            let text = String::from_utf8(out.stdout).expect("the answer is text");
            assert_eq!(text.lines().count(), words.len());
            for (word, answer) in words.iter().zip(text.lines()) {
                assert_eq!(answer, right(word), "{word:?}");
            }
        }
    }
}

#[test]
fn address() {
    let words = [
        "",
        "0.0.0.0",
        "127.0.0.1",
        "255.255.255.255",
        "256.0.0.1",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4 ",
        " 1.2.3.4",
        "01.2.3.4",
        "1.2.3.00",
        "0.0.0.0x",
        "1..2.3",
        "1.2.3.",
        ".1.2.3",
        "4294967297.1.1.1",
        "18446744073709551617.0.0.0",
        "::",
        "::1",
        "1::",
        ":::",
        ":",
        "1:",
        ":1",
        "1::2::3",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8",
        "1:2:3::5:6:7:8",
        "1:2:3:4:5:6:7:8::",
        "0:0:0:0:0:0:0:0",
        "0:0:1:0:0:1:0:0",
        "1:0:0:1:0:0:0:1",
        "1:0:1:0:1:0:1:0",
        "0:1:1:1:1:1:1:0",
        "fe80::1%eth0",
        "FFFF:abcd:EF01::9",
        "0001:02:3:00040::",
        "00001::",
        "::ffff:1.2.3.4",
        "::ffff:0:1.2.3.4",
        "::1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4",
        "1:2:3:4:5:6:7:1.2.3.4",
        "1:2:3:4:5::1.2.3.4",
        "::1:2:3:4:5:6:1.2.3.4",
        "1.2.3.4::",
        "1::1.2.3.4:5",
        "::1.2.3",
        "::a.2.3.4",
        "::1234567890.1.1.1",
        "g::",
        "::/",
        "[::1]",
        "\u{e9}::1",
        "::@`GJ",
    ];
    compare(&words.map(String::from));
}

#[test]
fn address_random() {
    let mut rng = fastrand::Rng::with_seed(21);
    let mut words = Vec::new();
    for _ in 0..4_000 {
        let mut groups = [0u16; 8];
        for group in &mut groups {
            *group = [0, 0, 1, rng.u16(..) & 15, rng.u16(..), 0xffff][rng.usize(..6)];
        }
        let address = Ipv6Addr::from(groups);
        let mut text = match rng.u8(..4) {
            0 => format!("{}.{}.{}.{}", rng.u16(..300), rng.u8(..), rng.u8(..), rng.u8(..)),
            1 => groups.map(|g| format!("{g:x}")).join(":"),
            _ => address.to_string(),
        };
        // As it is, or with a letter more, less, or another one.
        let at = rng.usize(..text.len());
        let letter = char::from(rng.choice(*b"0123456789abcfFgx.:::% -").unwrap_or(b'0'));
        match rng.u8(..6) {
            0 => text.insert(at, letter),
            1 => text.replace_range(at..=at, &letter.to_string()),
            2 => drop(text.remove(at)),
            _ => {}
        }
        words.push(text);
    }
    compare(&words);
}
