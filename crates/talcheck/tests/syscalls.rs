//! The lists of system calls: complete, and the same as in the documentation.

use std::collections::BTreeMap;
use std::path::Path;
use talcheck::syscalls;

#[test]
fn the_documentation_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/syscalls.md");
    let page = syscalls::render_markdown();
    if std::env::var_os("TAL_BLESS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let first = stored.lines().zip(page.lines()).find(|(a, b)| a != b);
    assert!(
        stored == page,
        "docs/syscalls.md differs from the table, first in {first:?}: \
         run `TAL_BLESS=1 cargo test -p talcheck --test syscalls`"
    );
}

#[test]
fn each_call_is_typed_or_explained_once() {
    let all = syscalls::all();
    for pair in all.windows(2) {
        let ((a, name, _), (b, ..)) = (pair[0], pair[1]);
        assert!(a < b, "{a} {name} is listed twice");
        assert!(a + 1 == b || (336..424).contains(&(a + 1)) && b == 424, "nothing between {a} and {b}");
    }
    assert_eq!(all.first().map(|c| c.0), Some(0));
    assert_eq!(all.last().map(|c| c.0), Some(syscalls::LAST));
    assert!(all.iter().filter(|c| c.2).count() >= 60);
}

#[test]
fn names_are_the_kernels() {
    let places = ["/usr/include/asm/unistd_64.h", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"];
    let Some(header) = places.iter().find_map(|p| std::fs::read_to_string(p).ok()) else {
        eprintln!("skipped: no kernel headers for AMD64");
        return;
    };
    let listed: BTreeMap<u32, &str> = syscalls::all().into_iter().map(|(n, name, _)| (n, name)).collect();
    let mut count = 0;
    for line in header.lines() {
        let Some((name, n)) = line.strip_prefix("#define __NR_").and_then(|l| l.split_once(' ')) else {
            continue;
        };
        let Ok(n) = n.trim().parse::<u32>() else { continue };
        if n <= syscalls::LAST {
            assert_eq!(listed.get(&n), Some(&name), "{n}");
            count += 1;
        }
    }
    assert!(count > 300);
}
