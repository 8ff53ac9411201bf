//! Compares the interface table with the kernel's own headers, where they are installed: numbers,
//! the values of named constants, and the sizes of structures, as the C compiler sees them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use talcore::abi::{Abi, ParamKind, table};
use talcore::arch::Arch;
use talcore::types::{Layout, Types, WordTy};

fn amd64() -> (Abi, Types) {
    let mut types = Types::default();
    let abi = Abi::parse(table(Arch::Amd64), &mut types).expect("the table parses");
    (abi, types)
}

#[test]
fn numbers_are_the_kernels() {
    for (arch, header) in [(Arch::Amd64, "unistd_64.h"), (Arch::Ia32, "unistd_32.h")] {
        numbers_of(arch, header);
    }
}

fn numbers_of(arch: Arch, header: &str) {
    let places = ["/usr/include/asm", "/usr/include/x86_64-linux-gnu/asm"];
    let Some(header) = places.iter().find_map(|p| std::fs::read_to_string(format!("{p}/{header}")).ok())
    else {
        eprintln!("skipped: no kernel headers for {arch:?}");
        return;
    };
    let kernel: BTreeMap<&str, u32> = header
        .lines()
        .filter_map(|l| l.strip_prefix("#define __NR_")?.split_once(' '))
        .filter_map(|(name, n)| Some((name, n.trim().parse().ok()?)))
        .collect();
    let abi = Abi::parse(table(arch), &mut Types::default()).expect("the table parses");
    for e in abi.iter() {
        assert_eq!(kernel.get(e.name), Some(&e.number), "{}", e.name);
    }
}

/// Runs the C compiler over `source`; `None` if there is no compiler.
fn compile(source: &str) -> Option<Result<(), String>> {
    let mut cc = Command::new("cc")
        .args(["-x", "c", "-fsyntax-only", "-D_GNU_SOURCE", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    cc.stdin.take()?.write_all(source.as_bytes()).ok()?;
    let out = cc.wait_with_output().ok()?;
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    Some(if out.status.success() { Ok(()) } else { Err(errors) })
}

/// Compiles the assertions if this machine can compile anything with these headers.
fn check(includes: &[&str], assertions: &str) {
    let mut head = String::new();
    for i in includes {
        let _ = writeln!(head, "#include <{i}>");
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || compile(&head) != Some(Ok(())) {
        eprintln!("skipped: no C compiler, or not all of {includes:?}");
        return;
    }
    if let Some(Err(errors)) = compile(&(head + assertions)) {
        panic!("{errors}");
    }
}

#[test]
fn constants_are_the_headers() {
    let text: String =
        table(Arch::Amd64).lines().filter(|l| !l.starts_with(';')).map(|l| format!("{l} ")).collect();
    let mut assertions = String::new();
    let mut count = 0;
    for list in text.split(" const ").skip(1) {
        let end = list.find(" sys ").into_iter().chain(list.find(" set ")).min();
        for one in list[..end.unwrap_or(list.len())].split(',') {
            let (name, value) = one.split_once('=').expect("a constant has a value");
            let (name, value) = (name.trim(), value.trim());
            // The C library hides this one: on AMD64 it is always set.
            if name == "O_LARGEFILE" {
                continue;
            }
            let _ =
                writeln!(assertions, "#ifdef {name}\n_Static_assert({name} == {value}, \"{name}\");\n#endif");
            count += 1;
        }
    }
    assert!(count > 100, "{count} constants found");
    check(
        &[
            "fcntl.h",
            "stdio.h",
            "time.h",
            "unistd.h",
            "signal.h",
            "termios.h",
            "sys/epoll.h",
            "sys/eventfd.h",
            "sys/file.h",
            "sys/ioctl.h",
            "sys/mman.h",
            "sys/prctl.h",
            "sys/random.h",
            "sys/resource.h",
            "sys/socket.h",
            "sys/stat.h",
            "sys/time.h",
            "sys/timerfd.h",
            "sys/wait.h",
            "sys/xattr.h",
            "netinet/in.h",
            "netinet/tcp.h",
            "linux/falloc.h",
            "linux/close_range.h",
        ],
        &assertions,
    );
}

const DI: u8 = 7;
const SI: u8 = 6;
const DX: u8 = 2;
const R10: u8 = 10;
const R8: u8 = 8;

/// The C type behind each pointer of constant size: call, register, type.
const STRUCTS: &[(&str, u8, &str)] = &[
    ("clock_getres", SI, "struct timespec"),
    ("clock_gettime", SI, "struct timespec"),
    ("clock_nanosleep", DX, "struct timespec"),
    ("clock_nanosleep", R10, "struct timespec"),
    ("clock_settime", SI, "struct timespec"),
    ("copy_file_range", R10, "loff_t"),
    ("copy_file_range", SI, "loff_t"),
    ("epoll_ctl", R10, "struct epoll_event"),
    ("epoll_pwait", R8, "sigset"),
    ("epoll_pwait2", R10, "struct timespec"),
    ("epoll_pwait2", R8, "sigset"),
    ("fcntl", DX, "struct flock"),
    ("fstat", SI, "struct stat"),
    ("fstatfs", SI, "struct statfs"),
    ("getcpu", DI, "int"),
    ("getcpu", SI, "int"),
    ("getitimer", SI, "struct itimerval"),
    ("getresgid", DI, "int"),
    ("getresgid", DX, "int"),
    ("getresgid", SI, "int"),
    ("getresuid", DI, "int"),
    ("getresuid", DX, "int"),
    ("getresuid", SI, "int"),
    ("getrlimit", SI, "struct rlimit"),
    ("getrusage", SI, "struct rusage"),
    ("gettimeofday", DI, "struct timeval"),
    ("gettimeofday", SI, "struct timezone"),
    ("ioctl", DX, "int"),
    ("ioctl", DX, "struct winsize"),
    ("ioctl", DX, "kernel termios"),
    ("lstat", SI, "struct stat"),
    ("nanosleep", DI, "struct timespec"),
    ("nanosleep", SI, "struct timespec"),
    ("newfstatat", DX, "struct stat"),
    ("pipe", DI, "int[2]"),
    ("pipe2", DI, "int[2]"),
    ("ppoll", DX, "struct timespec"),
    ("ppoll", R10, "sigset"),
    ("prctl", SI, "char[16]"),
    ("prlimit64", R10, "struct rlimit64"),
    ("pselect6", DX, "fd_set"),
    ("pselect6", R10, "fd_set"),
    ("pselect6", R8, "struct timespec"),
    ("pselect6", SI, "fd_set"),
    ("rt_sigaction", DX, "kernel sigaction"),
    ("rt_sigpending", DI, "sigset"),
    ("rt_sigprocmask", DX, "sigset"),
    ("rt_sigprocmask", SI, "sigset"),
    ("rt_sigsuspend", DI, "sigset"),
    ("rt_sigtimedwait", DI, "sigset"),
    ("rt_sigtimedwait", DX, "struct timespec"),
    ("rt_sigtimedwait", SI, "siginfo_t"),
    ("sched_getparam", SI, "struct sched_param"),
    ("select", DX, "fd_set"),
    ("select", R10, "fd_set"),
    ("select", R8, "struct timeval"),
    ("select", SI, "fd_set"),
    ("sendfile", DX, "loff_t"),
    ("setitimer", DX, "struct itimerval"),
    ("setitimer", SI, "struct itimerval"),
    ("setsockopt", R10, "int"),
    ("setsockopt", R10, "struct linger"),
    ("setsockopt", R10, "struct timeval"),
    ("signalfd", SI, "sigset"),
    ("signalfd4", SI, "sigset"),
    ("socketpair", R10, "int[2]"),
    ("splice", R10, "loff_t"),
    ("splice", SI, "loff_t"),
    ("stat", SI, "struct stat"),
    ("statfs", SI, "struct statfs"),
    ("statx", R8, "struct statx"),
    ("sysinfo", DI, "struct sysinfo"),
    ("time", DI, "time_t"),
    ("timerfd_gettime", SI, "struct itimerspec"),
    ("timerfd_settime", DX, "struct itimerspec"),
    ("timerfd_settime", R10, "struct itimerspec"),
    ("times", DI, "struct tms"),
    ("uname", DI, "struct utsname"),
    ("utime", SI, "struct utimbuf"),
    ("utimensat", DX, "struct timespec[2]"),
    ("utimes", SI, "struct timeval[2]"),
    ("wait4", R10, "struct rusage"),
    ("wait4", SI, "int"),
    ("waitid", DX, "siginfo_t"),
    ("waitid", R8, "struct rusage"),
];

/// The size of each of these types, bytes; the C compiler confirms them. The C library's own view of
/// the last two differs from the kernel's: they are compared with the kernel's headers.
const SIZES: &[(&str, i128)] = &[
    ("char[16]", 16),
    ("fd_set", 128),
    ("int", 4),
    ("int[2]", 8),
    ("loff_t", 8),
    ("siginfo_t", 128),
    ("struct epoll_event", 12),
    ("struct flock", 32),
    ("struct itimerspec", 32),
    ("struct itimerval", 32),
    ("struct linger", 8),
    ("struct rlimit", 16),
    ("struct rlimit64", 16),
    ("struct rusage", 144),
    ("struct sched_param", 4),
    ("struct stat", 144),
    ("struct statfs", 120),
    ("struct statx", 256),
    ("struct sysinfo", 112),
    ("struct timespec", 16),
    ("struct timespec[2]", 32),
    ("struct timeval", 16),
    ("struct timeval[2]", 32),
    ("struct timezone", 8),
    ("struct tms", 32),
    ("struct utimbuf", 16),
    ("struct utsname", 390),
    ("struct winsize", 8),
    ("time_t", 8),
    ("sigset", 8),
    ("kernel termios", 36),
    ("kernel sigaction", 32),
];

#[test]
fn sizes_are_those_of_the_structures() {
    let (abi, types) = amd64();
    let size_of = |c: &str| SIZES.iter().find(|s| s.0 == c).unwrap_or_else(|| panic!("size of {c}")).1;
    let mut unused: Vec<_> = STRUCTS.iter().collect();
    for e in abi.iter() {
        for p in &e.params {
            let (ParamKind::Word(w) | ParamKind::Nullable(w)) = p.kind else { continue };
            let WordTy::Ptr(_, l) = types.word(w) else { continue };
            let (Layout::Bytes(size) | Layout::Foreign(size)) = types.layout(*l) else {
                panic!("{}", e.name)
            };
            let Some(size) = size.as_const() else { continue };
            let fits = |s: &(&str, u8, &str)| (s.0, s.1) == (e.name, p.reg) && size_of(s.2) == size;
            assert!(STRUCTS.iter().any(fits), "{} r{}: what has {size} bytes?", e.name, p.reg);
            unused.retain(|s| !fits(s));
        }
    }
    assert!(unused.is_empty(), "no pointer of the table has the type {unused:?}");
    let mut assertions = String::new();
    for (c_type, size) in
        SIZES.iter().filter(|s| !["sigset", "kernel termios", "kernel sigaction"].contains(&s.0))
    {
        let _ = writeln!(assertions, "_Static_assert(sizeof({c_type}) == {size}, \"{c_type}\");");
    }
    let includes = [
        "fcntl.h",
        "sched.h",
        "signal.h",
        "time.h",
        "utime.h",
        "sys/epoll.h",
        "sys/ioctl.h",
        "sys/resource.h",
        "sys/select.h",
        "sys/socket.h",
        "sys/stat.h",
        "sys/statfs.h",
        "sys/sysinfo.h",
        "sys/time.h",
        "sys/times.h",
        "sys/utsname.h",
        "sys/wait.h",
    ];
    check(&includes, &assertions);
    check(&["asm/termbits.h"], "_Static_assert(sizeof(struct termios) == 36, \"termios\");");
    check(&["asm/signal.h"], "_Static_assert(sizeof(sigset_t) == 8, \"sigset_t\");");
    let fields = "_Static_assert(sizeof(struct sigaction) == 32 && offsetof(struct sigaction, sa_flags) == 8 && \
                  offsetof(struct sigaction, sa_restorer) == 16 && offsetof(struct sigaction, sa_mask) == 24, \"action\");";
    check(&["stddef.h", "asm/signal.h"], fields);
    // What a handler is passed.
    check(
        &["asm/signal.h", "asm/siginfo.h", "asm/sigcontext.h", "asm/ucontext.h"],
        "_Static_assert(sizeof(siginfo_t) == 128 && sizeof(struct ucontext) == 304, \"handler\");",
    );
    // Counted elements.
    check(
        &["poll.h", "sys/epoll.h", "sys/socket.h"],
        "_Static_assert(sizeof(struct pollfd) == 8 && sizeof(struct epoll_event) == 12, \"events\");\
         _Static_assert(sizeof(struct sockaddr_storage) == 128, \"addresses\");",
    );
}

/// Each page that justifies an entry exists, where the manual is installed, and documents the call.
#[test]
fn manual_pages_exist() {
    let (abi, _) = amd64();
    for e in abi.iter() {
        let (page, section) = e.man.trim_end_matches(')').split_once('(').expect("page(section)");
        let dir = format!("/usr/share/man/man{section}");
        let installed = std::path::Path::new(&dir).join("intro.".to_owned() + section + ".gz").exists();
        let found =
            ["", ".gz"].iter().any(|z| std::path::Path::new(&format!("{dir}/{page}.{section}{z}")).exists());
        assert!(found || !installed, "{}: no page {}", e.name, e.man);
    }
}
