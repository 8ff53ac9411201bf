//! Numbers of more than 32 bits, in files and in expressions: on IA-32 they are two words.

use super::Tool;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Files of large sizes, and with times far from now. What the file system does not take becomes another time.
fn plant(at: &Path) {
    let dir = at.join("numbers");
    fs::create_dir(&dir).expect("a directory can be made");
    for size in [
        (1u64 << 31) - 1,
        1 << 31,
        (1 << 32) - 1,
        1 << 32,
        (1 << 32) + 1,
        (1 << 32) + 512,
        5 << 30,
        (1 << 40) + 1,
    ] {
        let file = fs::File::create(dir.join(size.to_string())).expect("a file can be made");
        file.set_len(size).expect("a file can be made long");
    }
    const DAY: u64 = 86_400;
    let epoch = SystemTime::UNIX_EPOCH;
    for (name, seconds, nanoseconds, before) in [
        ("before", DAY * 3_000 + 5, 1, true),
        ("early", 1, 999_999_999, true),
        ("first", 0, 0, false),
        ("second", 0, 1, false),
        ("leap", 951_782_399, 5, false),
        ("last", (1 << 31) - 1, 999_999_999, false),
        ("wrapped", 1 << 31, 0, false),
        ("unsigned", (1 << 32) - 1, 7, false),
        ("later", (1 << 32) + 86_399, 123_456_789, false),
        ("century", DAY * 365 * 130, 10, false),
        ("era", DAY * 146_097 + 1, 10, false),
        ("far", 15_000_000_000, 10, false),
    ] {
        let path = dir.join(name);
        fs::write(&path, "").expect("a file can be written");
        let file = fs::File::options().write(true).open(path).expect("a file can be opened");
        let span = Duration::new(seconds, nanoseconds);
        let time = if before { epoch - span } else { epoch + span };
        file.set_modified(time).expect("times can be set");
    }
}

#[test]
fn more_than_32_bits() {
    let Some(find) = Tool::find("find") else { return };
    plant(find.dir.path());
    let ends = [
        "2147483647",
        "2147483648",
        "4294967295",
        "4294967296",
        "4294967297",
        "4294967808",
        "5368709120",
        "1099511627777",
        "8796093022207",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999",
    ];
    for end in ends {
        for sign in ["", "+", "-"] {
            for unit in ["c", "w", "", "k", "M", "G"] {
                find.same(&["numbers", "-size", &format!("{sign}{end}{unit}")]);
            }
            for test in ["-inum", "-links", "-uid", "-gid"] {
                find.same(&["numbers", test, &format!("{sign}{end}")]);
            }
        }
    }
    for size in ["+4194304k", "4194305k", "-4194305k", "+2097152b", "8388609b", "+4G", "4G", "-5G", "1025G"] {
        find.same(&["numbers", "-size", size]);
    }
    for name in ["before", "early", "first", "second", "last", "wrapped", "unsigned", "later", "far"] {
        find.same(&["numbers", "-newer", &format!("numbers/{name}")]);
        find.same(&["numbers", "!", "-newer", &format!("numbers/{name}")]);
        find.same(&["numbers", "-samefile", &format!("numbers/{name}")]);
    }
    for days in ["-1", "+0", "0", "+10000", "-10000", "+24855", "-24856", "+30000", "+49710", "+1000000"] {
        find.same(&["numbers", "-mtime", days]);
    }
    for minutes in ["-1", "+1", "+35791394", "+71582788", "-71582789", "+100000000", "+30000000.5"] {
        find.same(&["numbers", "-mmin", minutes]);
    }
}

#[test]
fn far_times_and_large_sizes_are_told() {
    let Some(find) = Tool::find("find") else { return };
    plant(find.dir.path());
    for format in ["%s %b %k %i %D %n\\n", "%p %t|%TY-%Tm-%Td\\n", "[%20s|%-20s|%5b]\\n"] {
        find.same(&["numbers", "-printf", format]);
    }
    for letter in "@YmdHMSTX+FDxyjeklIpabhwRZcs".chars() {
        find.same(&["numbers", "-type", "f", "-printf", &format!("%p %T{letter}\\n")]);
    }
}
