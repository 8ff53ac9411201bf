//! `echo`.

use crate::compare::{Input, Output, Tool};

#[test]
fn echo() {
    let Some(echo) = Tool::find("echo") else { return };
    echo.same(&[]);
    for options in
        [&[][..], &["-n"], &["-e"], &["-E"], &["-ne"], &["-eE"], &["-e", "-n"], &["-n", "-E", "-e"]]
    {
        for words in [
            &[][..],
            &["plain"],
            &["two", "words"],
            &["", "", " ", "\n"],
            &["-n"],
            &["-"],
            &["--", "-n"],
            &["-nx", "-n"],
            &["-nE-", "x"],
            &[r"\a\b\e\f\n\r\t\v\\"],
            &[r"\0\01\012\0123\01234\08\0377\0400"],
            &[r"\1\12\123\1234\8\9\377\400\777"],
            &[r"\x\x4\x41\x411\xg\xGG\xfF\x\x"],
            &[r"a\cb", "c"],
            &[r"\", r"\\\", r"\q\A\z\`\{", r"\'"],
            &["naïve", "\u{1}\u{7f}"],
        ] {
            let args = [options, words].concat();
            echo.same(&args);
        }
    }
    let long = "x".repeat(100_000);
    echo.same(&[&long, &long, "-n"]);
    echo.same(&["-e", &long, r"\x41", &long]);
}

/// Words from the letters that mean something.
#[test]
fn echo_random() {
    let Some(echo) = Tool::find("echo") else { return };
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let word = |rng: &mut fastrand::Rng| -> String {
            let letters = r"\\\\\\0017x4fFg8cneE- ";
            let letters: Vec<char> = letters.chars().collect();
            (0..rng.usize(0..12)).map(|_| letters[rng.usize(..letters.len())]).collect()
        };
        let words: Vec<String> = (0..rng.usize(0..4)).map(|_| word(&mut rng)).collect();
        let mut args = vec![["-e", "-ne", "-E", "-n"][rng.usize(..4)]];
        args.extend(words.iter().map(String::as_str));
        echo.same(&args);
    }
}

#[test]
fn echo_notices_that_nobody_reads() {
    let Some(echo) = Tool::find("echo") else { return };
    let long = "x".repeat(100_000);
    for output in [Output::Broken, Output::BrokenIgnored, Output::Full] {
        echo.same_with(&["word"], Input::Nothing, output);
        echo.same_with(&["-n"], Input::Nothing, output);
        echo.same_with(&[&long, &long], Input::Nothing, output);
    }
}
