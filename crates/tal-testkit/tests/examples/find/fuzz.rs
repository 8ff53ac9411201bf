//! Random expressions over random trees.

use super::Tool;
use fastrand::Rng;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tal_testkit::rounds;

/// A name of few letters, so that patterns fit now and then.
fn name(rng: &mut Rng) -> String {
    let letters = ['a', 'b', 'A', 'x', '.', '-', '1', '[', ' ', '\n', 'é', '\\', ']', '*'];
    let name: String = (0..rng.usize(1..5)).map(|_| rng.choice(letters).unwrap_or('a')).collect();
    if name.chars().all(|c| c == '.') { "dots".into() } else { name }
}

/// Fills a directory; all names that were made are added to `made`.
fn grow(rng: &mut Rng, at: &Path, depth: usize, made: &mut Vec<PathBuf>) {
    for _ in 0..rng.usize(1..6) {
        let path = at.join(name(rng));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        let other = made.get(rng.usize(..made.len().max(1))).cloned().unwrap_or_else(|| at.into());
        match rng.u8(0..8) {
            0..3 if depth < 5 => {
                fs::create_dir(&path).expect("a directory can be made");
                grow(rng, &path, depth + 1, made);
            }
            3 => symlink(name(rng), &path).expect("a link can be made"),
            4 => symlink(&other, &path).expect("a link can be made"),
            5 if other.symlink_metadata().is_ok_and(|m| m.is_file()) => {
                fs::hard_link(&other, &path).expect("a link can be made");
            }
            _ => {
                let size = rng.choice([0, 0, 1, 511, 512, 513, 1024, 3000]).unwrap_or(0);
                fs::write(&path, vec![b'x'; size]).expect("a file can be written");
                let file = fs::File::options().write(true).open(&path).expect("a file can be opened");
                let ago = Duration::from_secs(60 * rng.u64(1..6000) + 30);
                file.set_modified(SystemTime::now() - ago).expect("times can be set");
                let mode = fs::Permissions::from_mode(0o600 | rng.u32(..0o10000));
                fs::set_permissions(&path, mode).expect("modes can be set");
            }
        }
        made.push(path);
    }
}

fn pattern(rng: &mut Rng) -> String {
    let parts = [
        "*",
        "?",
        "a",
        "b",
        "A",
        "x",
        "[ab]",
        "[!a]",
        "[^x1]",
        "[a-z]",
        "[]",
        "[",
        "[]a]",
        "\\",
        "\\*",
        "[[:alpha:]]",
        "[[:upper:]x]",
        "[[:x:]]",
        ".",
        "-",
        "é",
        " ",
        "[a-",
        "[\\]]",
        "[[.a.]]",
        "[[=b=]]",
        "*",
        "/",
    ];
    (0..rng.usize(0..5)).map(|_| rng.choice(parts).unwrap_or("*")).collect()
}

fn one_of(rng: &mut Rng, words: &[&str]) -> String {
    words[rng.usize(..words.len())].into()
}

fn test(rng: &mut Rng, made: &[PathBuf], out: &mut Vec<String>) {
    let mut add = |word: &str, argument: String| out.extend([word.to_string(), argument]);
    let some = made[rng.usize(..made.len())].to_string_lossy().into_owned();
    match rng.u8(0..20) {
        0..3 => add("-name", pattern(rng)),
        3 => add("-iname", pattern(rng)),
        4 => add("-path", format!("*{}", pattern(rng))),
        5 => add("-ipath", format!("./{}*", pattern(rng))),
        6 => add("-type", one_of(rng, &["f", "d", "l", "f,d", "l,f", "p,s,b,c"])),
        7 => add("-xtype", one_of(rng, &["f", "d", "l", "f,l"])),
        8 => add(
            "-size",
            one_of(rng, &["0", "1", "-1", "+1", "1c", "-513c", "+511c", "1k", "-2k", "+1w", "6"]),
        ),
        9 => add("-links", one_of(rng, &["1", "2", "+1", "-2", "+2"])),
        10 => add("-perm", format!("{}{:o}", one_of(rng, &["", "-", "/"]), 1 + rng.u32(..0o7777))),
        11 => add("-perm", one_of(rng, &["-u+x", "/g+w,o+r", "u=rw", "-a+r", "/u+s,g+s", "-o+t"])),
        12 => add("-mtime", one_of(rng, &["0", "1", "-1", "+1", "-3", "+2", "2"])),
        13 => add("-mmin", one_of(rng, &["-100", "+100", "-1000", "+3000", "50.5"])),
        14 => add("-newer", some),
        15 => add("-samefile", some),
        16 => add("-lname", pattern(rng)),
        17 => add("-maxdepth", one_of(rng, &["1", "2", "3", "9"])),
        _ => out.push(one_of(rng, &["-empty", "-true", "-false", "-executable", "-nouser", "-depth"])),
    }
}

fn action(rng: &mut Rng, out: &mut Vec<String>) {
    match rng.u8(0..8) {
        0..3 => out.push("-print".into()),
        3 => out.push("-print0".into()),
        4 => out.push("-prune".into()),
        5 => {
            let format = one_of(
                rng,
                &["%p %y %s\\n", "%f|%h|%P|%d\\n", "%m %M %n\\t%l\\n", "%T@ %TY%Tj\\0", "%Y%%%5d\\n"],
            );
            out.extend(["-printf".into(), format]);
        }
        6 if rng.u8(0..4) == 0 => out.push("-quit".into()),
        _ => out.extend(["-exec", "/bin/echo", "{}", "+"].map(String::from)),
    }
}

fn expression(rng: &mut Rng, made: &[PathBuf], depth: usize, out: &mut Vec<String>) {
    for i in 0..rng.usize(1..4) {
        if i > 0 {
            match rng.u8(0..6) {
                0 => out.push("-a".into()),
                1..3 => out.push("-o".into()),
                // GNU's exchanges the sides if none does anything, and then the value is that of the wrong one.
                3 if rng.bool() => out.extend([",", "-print"].map(String::from)),
                _ => {}
            }
        }
        if rng.u8(0..5) == 0 {
            out.push("!".into());
        }
        match rng.u8(0..10) {
            0..2 if depth < 3 => {
                out.push("(".into());
                expression(rng, made, depth + 1, out);
                out.push(")".into());
            }
            2..4 => action(rng, out),
            _ => test(rng, made, out),
        }
    }
}

#[test]
fn random_expressions() {
    let Some(find) = Tool::find("find") else { return };
    let (rounds, seed) = rounds(8, 6);
    let mut rng = Rng::with_seed(seed);
    for round in 0..rounds {
        let dir = find.dir.path().join(format!("tree{round}"));
        fs::create_dir(&dir).expect("a directory can be made");
        let mut made = vec![dir.clone()];
        grow(&mut rng, &dir, 0, &mut made);
        for _ in 0..25 {
            let mut words = Vec::new();
            if rng.bool() {
                words.push(one_of(&mut rng, &["-L", "-H", "-P"]));
            }
            words.push(format!("tree{round}"));
            if rng.u8(0..4) == 0 {
                words.push(made[rng.usize(..made.len())].to_string_lossy().into_owned());
            }
            expression(&mut rng, &made, 0, &mut words);
            find.same(&words.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}

/// Words in any order: most are no expression. Of several mistakes another one may be complained of.
#[test]
fn random_words() {
    let words = [
        "-name",
        "-iname",
        "-path",
        "-type",
        "-xtype",
        "-size",
        "-links",
        "-perm",
        "-mtime",
        "-mmin",
        "-newer",
        "-samefile",
        "-user",
        "-uid",
        "-group",
        "-inum",
        "-lname",
        "-maxdepth",
        "-mindepth",
        "-printf",
        "-exec",
        "-empty",
        "-nouser",
        "-xdev",
        "-prune",
        "-print",
        "-print0",
        "-depth",
        "-true",
        "-false",
        "-quit",
        "-readable",
        "(",
        ")",
        "!",
        "-a",
        "-o",
        "-not",
        "-and",
        "-or",
        "{}",
        ";",
        "+",
        "f",
        "d,f",
        "x",
        "*",
        "[",
        "",
        "-1",
        "+2",
        "3k",
        "1.5",
        "tree",
        "-",
        "--",
        "-foo",
        "u+x",
        "644",
        "-L",
        "-H",
        "-P",
        "-O2",
        "/bin/echo",
        "%p %s\\n",
        "%",
        "\\",
        "root",
        "nobody",
    ];
    let Some(find) = Tool::find("find") else { return };
    let mut rng = Rng::with_seed(rounds(8, 6).1);
    let mut made = Vec::new();
    let tree = find.dir.path().join("tree");
    fs::create_dir(&tree).expect("a directory can be made");
    grow(&mut rng, &tree, 2, &mut made);
    for _ in 0..40 * rounds(8, 6).0 {
        let mut line = vec!["tree"];
        line.extend((0..rng.usize(1..8)).map(|_| rng.choice(words).unwrap_or("x")));
        // GNU's hands a file to the shell that is no program.
        if !line.windows(2).any(|w| w == ["-exec", "{}"]) {
            find.same_but_complaints(&line);
        }
    }
}
