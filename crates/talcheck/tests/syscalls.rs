//! The lists of system calls: complete, and the same as in the documentation.

use std::collections::BTreeMap;
use std::path::Path;
use talcheck::syscalls;
use talcore::arch::Arch;

/// Numbers that no call has.
fn unused(arch: Arch, number: u32) -> bool {
    match arch {
        Arch::Amd64 => (337..424).contains(&number),
        Arch::Ia32 => matches!(number, 222 | 223 | 251 | 285 | 387..=392 | 415),
    }
}

const PAGES: [(Arch, &str); 2] = [(Arch::Amd64, "syscalls.md"), (Arch::Ia32, "syscalls-ia32.md")];

#[test]
fn the_documentation_is_up_to_date() {
    for (arch, name) in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        let page = syscalls::render_markdown(arch);
        if std::env::var_os("TAL_BLESS").is_some() {
            std::fs::write(&path, &page).expect("the page can be written");
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        let first = stored.lines().zip(page.lines()).find(|(a, b)| a != b);
        assert!(
            stored == page,
            "docs/{name} differs from the table, first in {first:?}: \
             run `TAL_BLESS=1 cargo test -p talcheck --test syscalls`"
        );
    }
}

#[test]
fn each_call_is_typed_or_explained_once() {
    for (arch, _) in PAGES {
        let all = syscalls::all(arch);
        for pair in all.windows(2) {
            let ((a, name, _), (b, ..)) = (pair[0], pair[1]);
            assert!(a < b, "{arch:?}: {a} {name} is listed twice");
            assert!((a + 1..b).all(|n| unused(arch, n)), "{arch:?}: nothing between {a} and {b}");
        }
        assert!(all.iter().all(|c| !unused(arch, c.0)), "{arch:?}");
        assert_eq!(all.first().map(|c| c.0), Some(0));
        assert_eq!(all.last().map(|c| c.0), Some(syscalls::LAST));
        assert!(all.iter().filter(|c| c.2).count() >= 60);
    }
}

/// What takes the place of a call of AMD64 where words have 32 bits: most of these have wider positions, times, or
/// user numbers than the call that has the name.
const SUCCESSORS: &[(&str, &str)] = &[
    ("accept", "accept4"),
    ("chown", "chown32"),
    ("clock_getres", "clock_getres_time64"),
    ("clock_gettime", "clock_gettime64"),
    ("clock_nanosleep", "clock_nanosleep_time64"),
    ("clock_settime", "clock_settime64"),
    ("fadvise64", "fadvise64_64"),
    ("fchown", "fchown32"),
    ("fcntl", "fcntl64"),
    ("fstat", "fstat64"),
    ("fstatfs", "fstatfs64"),
    ("ftruncate", "ftruncate64"),
    ("getegid", "getegid32"),
    ("geteuid", "geteuid32"),
    ("getgid", "getgid32"),
    ("getgroups", "getgroups32"),
    ("getresgid", "getresgid32"),
    ("getresuid", "getresuid32"),
    ("getrlimit", "ugetrlimit"),
    ("getuid", "getuid32"),
    ("lchown", "lchown32"),
    ("lstat", "lstat64"),
    ("mmap", "mmap2"),
    ("newfstatat", "fstatat64"),
    ("ppoll", "ppoll_time64"),
    ("pselect6", "pselect6_time64"),
    ("rt_sigtimedwait", "rt_sigtimedwait_time64"),
    ("select", "_newselect"),
    ("sendfile", "sendfile64"),
    ("setgid", "setgid32"),
    ("setgroups", "setgroups32"),
    ("setregid", "setregid32"),
    ("setresgid", "setresgid32"),
    ("setresuid", "setresuid32"),
    ("setreuid", "setreuid32"),
    ("setuid", "setuid32"),
    ("stat", "stat64"),
    ("statfs", "statfs64"),
    ("timerfd_gettime", "timerfd_gettime64"),
    ("timerfd_settime", "timerfd_settime64"),
    ("truncate", "truncate64"),
    ("utimensat", "utimensat_time64"),
];

/// What a program can ask for on one architecture it can ask for on the other.
#[test]
fn both_architectures_can_do_the_same() {
    let typed = |arch| syscalls::all(arch).into_iter().filter(|c| c.2).map(|c| c.1).collect::<Vec<_>>();
    let (wide, narrow) = (typed(Arch::Amd64), typed(Arch::Ia32));
    for name in &wide {
        let successor = SUCCESSORS.iter().find(|s| s.0 == *name).map_or(*name, |s| s.1);
        assert!(narrow.contains(&successor), "{name} is typed on AMD64, {successor} not on IA-32");
    }
    for name in &narrow {
        let of = SUCCESSORS.iter().find(|s| s.1 == *name).map_or(*name, |s| s.0);
        assert!(wide.contains(&of) || *name == "_llseek", "{name} is typed on IA-32, {of} not on AMD64");
    }
}

#[test]
fn names_are_the_kernels() {
    for (arch, name) in [(Arch::Amd64, "unistd_64.h"), (Arch::Ia32, "unistd_32.h")] {
        let places = ["/usr/include/asm", "/usr/include/x86_64-linux-gnu/asm"];
        let Some(header) = places.iter().find_map(|p| std::fs::read_to_string(format!("{p}/{name}")).ok())
        else {
            eprintln!("skipped: no kernel headers for {arch:?}");
            continue;
        };
        let listed: BTreeMap<u32, &str> =
            syscalls::all(arch).into_iter().map(|(n, name, _)| (n, name)).collect();
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
}
