//! The rules for entries, as far as a machine can check them.

use super::*;
use crate::facts::POS_INF;
use crate::types::{Layout, Mode, WordTy};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;

fn read(arch: Arch) -> (Abi, Types) {
    let (mut types, text) = (Types::default(), table(arch));
    let abi = Abi::parse(text, &mut types).unwrap_or_else(|e| {
        let line = text.get(..e.at).unwrap_or("").lines().count();
        panic!("{arch:?}: line {line}: expected {}", e.expected)
    });
    (abi, types)
}

fn amd64() -> (Abi, Types) {
    read(Arch::Amd64)
}

const BOTH: [Arch; 2] = [Arch::Amd64, Arch::Ia32];

/// The type that an entry gives to a register.
fn param(e: &Entry, reg: u8) -> Option<&ParamKind> {
    e.params.iter().find(|p| p.reg == reg).map(|p| &p.kind)
}

#[test]
fn the_tables_parse_completely() {
    for arch in BOTH {
        let (abi, _) = read(arch);
        let names: BTreeSet<_> = abi.iter().map(|e| e.name).collect();
        assert!(names.len() >= 180, "{} calls", names.len());
        assert_eq!(abi.iter().count(), table(arch).lines().filter(|l| l.starts_with("sys ")).count());
    }
}

#[test]
fn a_number_has_one_name_and_a_name_one_number() {
    let (abi, _) = amd64();
    let mut names = BTreeMap::new();
    for e in abi.iter() {
        assert_eq!(*names.entry(e.number).or_insert(e.name), e.name);
        assert_eq!(abi.by_name(e.name), Some(e.number));
        assert!(abi.entries_for(e.number).any(|f| f.text == e.text));
    }
    assert_eq!(abi.by_name("mprotect"), None);
    assert_eq!(abi.entries_for(10).count(), 0);
}

/// Every word that a key admits, as far as it matters for comparing keys.
fn covers(a: &ParamKind, b: &ParamKind, bits: u32) -> bool {
    match b {
        ParamKind::Const(c) => a.admits(Some(*c & Interval::unsigned(bits).hi), bits),
        ParamKind::OneOf(list) => list.iter().all(|c| covers(a, &ParamKind::Const(*c), bits)),
        ParamKind::Mask(m) => matches!(a, ParamKind::Mask(n) if m & !n == 0),
        _ => false,
    }
}

#[test]
fn no_form_hides_a_later_one() {
    for arch in BOTH {
        let (abi, _) = read(arch);
        for e in abi.iter() {
            let earlier = abi.entries_for(e.number).take_while(|f| f.text != e.text);
            for f in earlier {
                let hidden = f
                    .params
                    .iter()
                    .filter(|p| p.kind.is_key())
                    .all(|p| param(e, p.reg).is_some_and(|k| covers(&p.kind, k, abi.word_bits)));
                assert!(!hidden, "{}: {} is hidden by {}", e.name, e.text, f.text);
            }
        }
    }
}

#[test]
fn variables_are_words_and_sizes_stay_in_range() {
    for arch in BOTH {
        let (abi, types) = read(arch);
        let word = Interval::unsigned(abi.word_bits);
        for e in abi.iter() {
            let mut facts = crate::facts::Facts::default();
            for v in &e.vars {
                assert!(v.within(&word), "{}", e.name);
                facts.fresh(*v);
            }
            for p in &e.params {
                let (ParamKind::Word(w) | ParamKind::Nullable(w)) = p.kind else { continue };
                match types.word(w) {
                    WordTy::Ptr(mode, l) => {
                        let (Layout::Bytes(n) | Layout::Foreign(n)) = types.layout(*l) else {
                            panic!("{}", e.name)
                        };
                        assert!(facts.evidently_in(n, word), "{}", e.name);
                        assert!(mode.borrow() || *mode == Mode::Own && whole_pages(&facts, n), "{}", e.name);
                    }
                    WordTy::Int(t) => assert!(facts.evidently_in(t, word), "{}", e.name),
                    WordTy::Range(i) => assert_eq!(*i, word),
                    other => panic!("{}: {other:?}", e.name),
                }
            }
        }
    }
}

/// What the kernel maps or unmaps is made of pages: it rounds lengths up.
fn whole_pages(facts: &crate::facts::Facts, size: &Term) -> bool {
    size.konst() == 0
        && size.summands().iter().all(|s| s.1 % 4096 == 0)
        && facts.evidently_in(size, Interval::new(4096, 1 << 47))
}

/// Calls that round their lengths have a length of whole pages.
#[test]
fn lengths_that_the_kernel_rounds_are_whole_pages() {
    let calls = [(Arch::Amd64, "mmap", SI), (Arch::Ia32, "mmap2", CX)];
    let more = ["munmap", "madvise"].map(|name| [(Arch::Amd64, name, SI), (Arch::Ia32, name, CX)]);
    for (arch, name, size) in calls.into_iter().chain(more.into_iter().flatten()) {
        let (abi, types) = read(arch);
        let entries: Vec<_> = abi.entries_for(abi.by_name(name).unwrap_or(0)).collect();
        assert!(!entries.is_empty(), "{name}");
        for e in entries {
            let mut facts = crate::facts::Facts::default();
            for v in &e.vars {
                facts.fresh(*v);
            }
            let Some(ParamKind::Word(w)) = param(e, size) else { panic!("{name}") };
            assert!(matches!(types.word(*w), WordTy::Int(n) if whole_pages(&facts, n)), "{name}");
        }
    }
}

#[test]
fn results_are_words_and_errors_fit() {
    for arch in BOTH {
        let (abi, types) = read(arch);
        for e in abi.iter() {
            assert_eq!(e.noreturn, e.results.is_empty(), "{}", e.name);
            if let [(0, w)] = e.results[..]
                && let WordTy::Res(owned) = types.word(w)
            {
                assert!(matches!(types.pointer(*owned), Some((Mode::Own | Mode::Shared, _))), "{}", e.name);
                assert!(e.result_vars.is_empty() && e.result_facts.is_empty(), "{}", e.name);
                continue;
            }
            assert_eq!(e.results.len(), e.result_vars.len(), "{}", e.name);
            for (&(reg, w), range) in e.results.iter().zip(&e.result_vars) {
                assert_eq!(reg, 0);
                assert!(matches!(types.word(w), WordTy::Int(t) if t.scope() as usize == e.vars.len() + 1));
                // One word for each integer: the interval is no longer than 2^W.
                let any = e.name == "ioctl" && arch == Arch::Amd64;
                let lowest = if any { -(1 << 31) } else { -4095 };
                assert!(range.lo >= lowest && range.hi < POS_INF && range.lo <= range.hi, "{}", e.name);
                assert!(range.hi - range.lo < 1 << abi.word_bits, "{}", e.name);
            }
        }
    }
}

/// A count that the answer is bounded by must not exceed what the kernel's C type holds, else the
/// kernel would see another count than the type speaks of.
#[test]
fn counts_fit_the_kernels_c_types() {
    let (abi, _) = amd64();
    let size_t = [
        "read",
        "write",
        "pread64",
        "pwrite64",
        "sendto",
        "recvfrom",
        "getcwd",
        "getrandom",
        "getxattr",
        "lgetxattr",
        "fgetxattr",
        "setxattr",
        "lsetxattr",
        "fsetxattr",
        "listxattr",
        "llistxattr",
        "flistxattr",
    ];
    for e in abi.iter() {
        let pages = ["mmap", "munmap", "madvise"].contains(&e.name);
        // A second variable is the length of a socket address, a C int.
        for (i, v) in e.vars.iter().enumerate() {
            let vector = e
                .params
                .iter()
                .any(|p| matches!(p.kind, ParamKind::Vector { total, .. } if total as usize == i));
            let wide = i == 0 && size_t.contains(&e.name) || vector;
            let most = if pages {
                (1 << 35) - 1
            } else if wide {
                (1i128 << 63) - 1
            } else {
                0x7fff_ffff
            };
            assert!(v.hi <= most, "{}", e.name);
        }
    }
    // Calls that answer a size instead when the count is 0.
    for name in ["getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr", "getgroups"] {
        let number = abi.by_name(name).unwrap_or(u32::MAX);
        assert!(abi.entries_for(number).all(|e| e.vars.iter().all(|v| v.lo >= 1)), "{name}");
    }
}

const CX: u8 = 1;
const DI: u8 = 7;
const SI: u8 = 6;
const DX: u8 = 2;
const R10: u8 = 10;
const R8: u8 = 8;
const R9: u8 = 9;

/// Arguments that select behaviour are keys in every form of the call.
#[test]
fn selectors_are_keys() {
    let (abi, _) = amd64();
    let selectors: &[(&str, &[u8])] = &[
        // Without an address, or with one and its length: the same for memory as far as the types say.
        ("accept4", &[R10]),
        ("accept", &[]),
        ("clock_nanosleep", &[SI]),
        ("close_range", &[DX]),
        ("copy_file_range", &[R9]),
        ("dup3", &[DX]),
        ("epoll_create1", &[DI]),
        ("epoll_ctl", &[SI]),
        ("epoll_pwait2", &[R9]),
        ("epoll_pwait", &[R9]),
        ("eventfd2", &[SI]),
        // Without an environment, or with one.
        ("execve", &[]),
        ("execveat", &[R8]),
        ("faccessat2", &[R10]),
        ("fadvise64", &[R10]),
        ("fallocate", &[SI]),
        ("fchownat", &[R8]),
        ("fcntl", &[SI]),
        ("flock", &[SI]),
        ("fsetxattr", &[R8]),
        ("getitimer", &[DI]),
        ("getpriority", &[DI]),
        ("getrandom", &[DX]),
        ("getrusage", &[DI]),
        ("getsockopt", &[SI, DX]),
        ("inotify_init1", &[DI]),
        ("ioctl", &[SI]),
        ("linkat", &[R8]),
        ("lseek", &[DX]),
        ("lsetxattr", &[R8]),
        ("madvise", &[DX]),
        ("mmap", &[DI, DX, R10]),
        ("memfd_create", &[SI]),
        ("newfstatat", &[R10]),
        ("open", &[SI]),
        ("openat", &[DX]),
        ("pidfd_open", &[SI]),
        ("pidfd_send_signal", &[DX, R10]),
        ("pipe2", &[SI]),
        ("ppoll", &[R8]),
        ("prctl", &[DI]),
        ("prlimit64", &[DX]),
        ("pselect6", &[R9]),
        ("recvfrom", &[R10]),
        ("renameat2", &[R8]),
        ("rt_sigaction", &[R10]),
        ("rt_sigpending", &[SI]),
        ("rt_sigprocmask", &[DI, R10]),
        ("rt_sigsuspend", &[SI]),
        ("rt_sigtimedwait", &[R10]),
        ("sendto", &[R10]),
        ("setitimer", &[DI]),
        ("setpriority", &[DI]),
        ("setsockopt", &[SI, DX, R8]),
        ("setxattr", &[R8]),
        ("shutdown", &[SI]),
        ("signalfd4", &[DX, R10]),
        ("signalfd", &[DX]),
        ("socket", &[DI, SI]),
        ("socketpair", &[DI, SI]),
        ("splice", &[R9]),
        ("statx", &[DX]),
        ("tee", &[R10]),
        ("timerfd_create", &[SI]),
        ("timerfd_settime", &[SI]),
        ("unlinkat", &[DX]),
        ("utimensat", &[R10]),
        ("wait4", &[DX]),
        ("waitid", &[DI, R10]),
    ];
    for (name, regs) in selectors {
        let number = abi.by_name(name).unwrap_or_else(|| panic!("{name} has no entry"));
        for e in abi.entries_for(number) {
            for reg in *regs {
                assert!(param(e, *reg).is_some_and(ParamKind::is_key), "{name} {}", e.text);
            }
        }
    }
    let listed = |name: &str| selectors.iter().any(|s| s.0 == name);
    let keyed = |e: &Entry| e.params.iter().any(|p| p.kind.is_key());
    for e in abi.iter().filter(|e| keyed(e)) {
        assert!(listed(e.name), "{} has keys: list it here", e.name);
    }
}

/// What the design excludes for good reasons must not slip in through a flag.
#[test]
fn flags_that_outlive_the_call_are_refused() {
    let (abi, _) = amd64();
    let typed = |name: &str, words: &[(u8, i128)]| {
        let number = abi.by_name(name).unwrap_or(u32::MAX);
        let known = |reg| words.iter().find(|w| w.0 == reg).map(|w| w.1);
        abi.entries_for(number).any(|e| e.keys_match(64, known))
    };
    assert!(typed("open", &[(SI, 0)]));
    assert!(!typed("open", &[]), "unknown flags");
    assert!(!typed("open", &[(SI, 0x4000)]), "O_DIRECT");
    assert!(!typed("open", &[(SI, 0x2000)]), "O_ASYNC");
    assert!(!typed("open", &[(SI, 1 << 32)]), "a bit beyond the C int");
    assert!(!typed("fcntl", &[(SI, 4), (DX, 0x4000)]), "F_SETFL with O_DIRECT");
    assert!(!typed("fcntl", &[(SI, 8)]), "F_SETOWN");
    assert!(!typed("sendto", &[(R10, 0x400_0000), (R8, 0)]), "MSG_ZEROCOPY");
    assert!(!typed("recvfrom", &[(R10, 0x20), (R8, 0)]), "MSG_TRUNC");
    assert!(!typed("getsockopt", &[(SI, 6), (DX, 35)]), "TCP_ZEROCOPY_RECEIVE");
    assert!(!typed("getsockopt", &[(SI, 0), (DX, 64)]), "IPT_SO_GET_INFO");
    assert!(!typed("splice", &[(R9, 8)]), "SPLICE_F_GIFT");
    assert!(!typed("setsockopt", &[(SI, 1), (DX, 26), (R8, 16)]), "SO_ATTACH_FILTER");
    assert!(!typed("setsockopt", &[(SI, 1), (DX, 60), (R8, 4)]), "SO_ZEROCOPY");
    assert!(!typed("setsockopt", &[(SI, 6), (DX, 35), (R8, 4)]), "TCP_ZEROCOPY_RECEIVE");
    assert!(!typed("prctl", &[(DI, 35)]), "PR_SET_MM");
    assert!(!typed("prctl", &[(DI, 22)]), "PR_SET_SECCOMP");
    assert!(!typed("ioctl", &[(SI, 0x5412)]), "TIOCSTI");
    assert!(!typed("prlimit64", &[(DX, 4096)]), "a new limit");
    assert!(typed("mmap", &[(DI, 0), (DX, 3), (R10, 0x22), (R9, 0)]));
    assert!(!typed("mmap", &[(DI, 0), (DX, 7), (R10, 0x22), (R9, 0)]), "PROT_EXEC");
    assert!(!typed("mmap", &[(DI, 0), (DX, 3), (R10, 0x32), (R9, 0)]), "MAP_FIXED");
    assert!(!typed("mmap", &[(DI, 0), (DX, 3), (R10, 0x22), (R9, 4096)]), "a file's offset without a file");
    assert!(!typed("mmap", &[(DI, 0), (DX, 3), (R10, 0x12)]), "MAP_FIXED over a file");
    assert!(!typed("mmap", &[(DI, 0), (DX, 5), (R10, 2)]), "PROT_EXEC of a file");
    assert!(!typed("mmap", &[(DI, 0), (DX, 3), (R10, 3)]), "MAP_SHARED_VALIDATE");
    assert!(!typed("mmap", &[(DI, 0), (DX, 3), (R10, 0x21), (R9, 0)]), "MAP_SHARED");
    assert!(!typed("mmap", &[(DI, 0), (DX, 3), (R10, 0x122), (R9, 0)]), "MAP_GROWSDOWN");
    assert!(!typed("mmap", &[(DX, 3), (R10, 0x22), (R9, 0)]), "an address");
    assert!(!typed("madvise", &[(DX, 8)]), "MADV_FREE");
    assert!(!typed("madvise", &[(DX, 18)]), "MADV_WIPEONFORK");
    assert!(!typed("pselect6", &[(R9, 4096)]), "a structure that holds an address");
    assert!(typed("getrusage", &[(DI, 0xffff_ffff)]) && typed("getrusage", &[(DI, (1 << 64) - 1)]));
}

/// The names on AMD64 of calls that have another one on IA-32.
const OTHER_NAMES: [(&str, &str); 16] = [
    ("stat64", "stat"),
    ("lstat64", "lstat"),
    ("fstat64", "fstat"),
    ("fstatat64", "newfstatat"),
    ("mmap2", "mmap"),
    ("ppoll_time64", "ppoll"),
    ("pselect6_time64", "pselect6"),
    ("_newselect", "select"),
    ("clock_gettime64", "clock_gettime"),
    ("clock_settime64", "clock_settime"),
    ("clock_getres_time64", "clock_getres"),
    ("clock_nanosleep_time64", "clock_nanosleep"),
    ("utimensat_time64", "utimensat"),
    ("timerfd_settime64", "timerfd_settime"),
    ("timerfd_gettime64", "timerfd_gettime"),
    ("rt_sigtimedwait_time64", "rt_sigtimedwait"),
];
/// Calls on IA-32 whose arguments are others: positions in two words, sizes of structures, commands.
const OTHER_ARGUMENTS: [&str; 16] = [
    "_llseek",
    "ugetrlimit",
    "fadvise64_64",
    "fallocate",
    "fcntl64",
    "fstatfs64",
    "ftruncate64",
    "getrusage",
    "pread64",
    "preadv",
    "pwrite64",
    "pwritev",
    "readahead",
    "sendfile64",
    "statfs64",
    "truncate64",
];

/// What selects behaviour, is looked at, or goes to a place is the same on both architectures, argument by argument.
#[test]
fn the_tables_agree() {
    let ((amd64, types), (ia32, narrow)) = (read(Arch::Amd64), read(Arch::Ia32));
    let order = [(7, 3), (6, 1), (2, 2), (10, 6), (8, 7), (9, 5)];
    let mut compared = 0;
    for e in ia32.iter().filter(|e| !OTHER_ARGUMENTS.contains(&e.name)) {
        let name = OTHER_NAMES.iter().find(|n| n.0 == e.name).map_or(e.name, |n| n.1);
        let name = amd64.by_name(name).or_else(|| amd64.by_name(name.strip_suffix("32")?));
        let number = name.unwrap_or_else(|| panic!("{} is no call of AMD64", e.name));
        let alike = |f: &Entry| {
            f.noreturn == e.noreturn
                && f.vars.len() == e.vars.len()
                && f.params.len() == e.params.len()
                && order.iter().all(|&(wide, reg)| match (param(f, wide), param(e, reg)) {
                    (None, None) => true,
                    (
                        Some(ParamKind::Word(a) | ParamKind::Nullable(a)),
                        Some(ParamKind::Word(b) | ParamKind::Nullable(b)),
                    ) => match (types.word(*a), narrow.word(*b)) {
                        (WordTy::Ptr(a, _), WordTy::Ptr(b, _)) => a == b,
                        (WordTy::Int(a), WordTy::Int(b)) => a == b,
                        (WordTy::Range(_), WordTy::Range(_)) => true,
                        _ => false,
                    },
                    // The size of a structure that is passed beside it.
                    (Some(ParamKind::Const(_)), Some(ParamKind::Const(_))) => true,
                    (Some(ParamKind::Vector { count, total, .. }), Some(b)) => {
                        matches!(b, ParamKind::Vector { count: c, total: t, .. } if (c, t) == (count, total))
                    }
                    (Some(a), Some(b)) => a == b || e.name == "getrusage",
                    _ => false,
                })
        };
        assert!(amd64.entries_for(number).any(alike), "{}: {}", e.name, e.text);
        compared += 1;
    }
    assert!(compared > 150, "{compared} compared");
}

#[test]
fn keys_come_first_then_what_binds() {
    let (abi, types) = amd64();
    let read: Vec<_> = abi.entries_for(0).collect();
    let [read] = read[..] else { panic!("read has one form") };
    assert_eq!(read.man, "read(2)");
    assert_eq!(read.vars, [Interval { lo: 0, hi: i64::MAX.into() }]);
    assert_eq!(read.result_vars, [Interval { lo: -4095, hi: i64::MAX.into() }]);
    let regs: Vec<u8> = read.params.iter().map(|p| p.reg).collect();
    assert_eq!(regs, [DX, DI, SI]);
    let ParamKind::Word(w) = read.params[0].kind else { panic!("rdx is a word") };
    assert_eq!(types.word(w), &WordTy::Int(Term::var(0)));
    // r >= -4095 and k - r >= 0
    assert_eq!(read.result_facts[0], Term::var(1).offset(4095).unwrap_or_default());
    assert_eq!(read.result_facts[1], Term::from_parts(0, &[(0, 1), (1, -1)]).unwrap_or_default());
    for e in abi.iter() {
        let first_other = e.params.iter().position(|p| !p.kind.is_key()).unwrap_or(e.params.len());
        assert!(e.params[first_other..].iter().all(|p| !p.kind.is_key()), "{}", e.name);
    }
}

#[test]
fn types_are_made_once_and_appended() {
    let mut types = Types { words: vec![WordTy::Var(7)], ..Types::default() };
    let abi = Abi::of(Arch::Amd64, &mut types);
    assert_eq!(types.words[0], WordTy::Var(7));
    for (i, w) in types.words.iter().enumerate() {
        assert!(!types.words[..i].contains(w), "{w:?} twice");
    }
    assert_eq!((abi.word_bits, abi.clobbers), (64, 1 | 1 << 1 | 1 << 11));
}

/// Tables that break a rule, each next to one that does not.
#[test]
fn broken_tables_are_refused() {
    let parse = |item: &str| {
        let text = String::from("arch amd64 ") + item;
        Abi::parse(text.leak(), &mut Types::default()).map(|a| a.iter().count())
    };
    let good = [
        "sys a = 1 [k](rdi: &[k], rsi: int(k)) -> (rax: int(r)) {-1 <= r <= k} man a(2)",
        "sys a = 1 [k: 1..5](rsi: int(k), rdi: &mut [8*k + 8]) -> (rax: int(-4095..0)) man a(2)",
        "const A = 1, B = 2 set C = A | B | 4 sys a = 1 (rdi: bits(C | 8), rsi: one(A | -1), r8: B) noreturn man a(2)",
        "sys a = 1 (rdi: path, rsi: 0 | &[8]) -> (rax: int) man a(2) ; the end",
        "sys a = 1 [k: 1..9](rsi: int(8*k), rdi: own bytes(8*k)) -> (rax: res own bytes(k)) man a(2)",
        "sys a = 1 [k: 0..9](rsi: len(k), rdi: &mut [k]) -> (rax: int) man a(2)",
        "sys a = 1 [n, t](rsi: int(n), rdi: vec mut(n, t)) -> (rax: int(r)) {-1 <= r <= t} man a(2)",
        "sys a = 1 [k: 1..9](rsi: int(8*k)) -> (rax: res ref bytes(8*k)) man a(2)",
        "sys a = 1 (rsi: strings, rdi: action(1 | 4)) -> (rax: int) man a(2)",
    ];
    for item in good {
        assert_eq!(parse(item), Ok(1), "{item}");
    }
    let bad = [
        // the kernel sees the word, not the term
        "sys a = 1 [k](rdi: &[k]) -> (rax: int) man a(2)",
        "sys a = 1 [k](rdi: &[k], rsi: int(4*k)) -> (rax: int) man a(2)",
        "sys a = 1 [k](rdi: &[k], rsi: int(k + 1)) -> (rax: int) man a(2)",
        "sys a = 1 [k: 1..9](rdi: own bytes(k), rsi: int(-1*k)) -> (rax: int) man a(2)",
        // what is owned has a size
        "sys a = 1 [k: 0..9](rdi: own bytes(k), rsi: int(k)) -> (rax: int) man a(2)",
        "sys a = 1 [k](rsi: int(k)) -> (rax: res own bytes(k + 1)) man a(2)",
        "sys a = 1 [k: 1..9](rsi: int(k)) -> (rax: own bytes(k)) man a(2)",
        "sys a = 1 [k: 1..9](rsi: int(k)) -> (rax: ref bytes(k)) man a(2)",
        "sys a = 1 [k: 0..9](rsi: int(k)) -> (rax: res ref bytes(k)) man a(2)",
        "sys a = 1 [k: 1..9](rsi: int(k)) -> (rax: res int) man a(2)",
        "sys a = 1 [k: 1..9](rsi: int(k), rdi: 0 | own bytes(k)) -> (rax: int) man a(2)",
        "sys a = 1 [k: 0..0x10000000000000000](rsi: int(k)) -> (rax: int) man a(2)",
        "sys a = 1 [k: -1..5](rsi: int(k)) -> (rax: int) man a(2)",
        "sys a = 1 [k: 5..1](rsi: int(k)) -> (rax: int) man a(2)",
        "sys a = 1 [k](rsi: int(k), rdi: &[4*k]) -> (rax: int) man a(2)",
        "sys a = 1 [k](rsi: int(k), rdi: &[k - 1]) -> (rax: int) man a(2)",
        // registers and names
        "sys a = 1 (rsi: int, rsi: int) -> (rax: int) man a(2)",
        "sys a = 1 (rbx: int) -> (rax: int) man a(2)",
        "sys a = 1 (rax: int) -> (rax: int) man a(2)",
        "sys a = 1 () -> (rdi: int) man a(2)",
        "sys a = 1 [k, k](rsi: int(k)) -> (rax: int) man a(2)",
        "sys a = 1 [k](rsi: int(k)) -> (rax: int(k)) man a(2)",
        "sys a = 1 (rsi: bits(UNKNOWN)) -> (rax: int) man a(2)",
        "sys a = 1 (rsi: bits(-1)) -> (rax: int) man a(2)",
        "sys a = 1 (rsi: 1 | &[8]) -> (rax: int) man a(2)",
        // lengths are C ints, and the number of parts is a word that the kernel sees
        "sys a = 1 [k](rsi: len(k), rdi: &mut [k]) -> (rax: int) man a(2)",
        "sys a = 1 [k: 0..9](rsi: len(k + 1), rdi: &mut [k]) -> (rax: int) man a(2)",
        "sys a = 1 [n, t](rdi: vec(n, t)) -> (rax: int) man a(2)",
        "sys a = 1 [n, t](rsi: int(2*n), rdi: vec(n, t)) -> (rax: int) man a(2)",
        "sys a = 1 [n](rsi: int(n), rdi: vec(n, n)) -> (rax: int) man a(2)",
        "sys a = 1 (rdi: action(-1)) -> (rax: int) man a(2)",
        // the rest
        "sys a = 1 () -> (rax: int)",
        "sys a = 0x100000000 () -> (rax: int) man a(2)",
        "sys a = 1 () -> (rax: int(0..-1)) man a(2)",
        "sys a = 1 () man a(2)",
        "sys a = 170141183460469231731687303715884105728 () -> (rax: int) man a(2)",
        "sys a = 1 [k](rsi: int(k)) -> (rax: int(r)) {170141183460469231731687303715884105727 <= r <= -2} man a(2)",
        "sys a = 1 () -> (rax: int) man a(2) $",
        "sus",
    ];
    for item in bad {
        assert!(parse(item).is_err(), "{item}");
    }
    assert!(Abi::parse("", &mut Types::default()).is_err());
    assert!(Abi::parse("arch vax", &mut Types::default()).is_err());
}

/// Cut or changed anywhere, the text is refused or read; it never panics.
#[test]
fn no_text_makes_the_parser_panic() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..300 {
        let mut text: Vec<u8> = table(BOTH[random.usize(..2)]).bytes().collect();
        text.truncate(random.usize(0..4000));
        for _ in 0..random.usize(0..4) {
            if text.is_empty() {
                break;
            }
            let at = random.usize(0..text.len());
            text[at] = b"0x9af[](){}:,|&+-*=. <>;rk"[random.usize(0..26)];
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let _ = Abi::parse(text.leak(), &mut Types::default());
    }
}
