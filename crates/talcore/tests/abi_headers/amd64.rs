//! AMD64: the C library's headers, and the kernel's where the C library has a view of its own.

use crate::{Struct, check, check_constants, check_sizes};
use talcore::arch::Arch;

#[test]
fn constants_are_the_headers() {
    // The C library hides this one: on AMD64 it is always set.
    check_constants(
        Arch::Amd64,
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
        &["O_LARGEFILE"],
    );
}

const DI: u8 = 7;
const SI: u8 = 6;
const DX: u8 = 2;
const R10: u8 = 10;
const R8: u8 = 8;

const STRUCTS: &[Struct] = &[
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
    let own = ["sigset", "kernel termios", "kernel sigaction"];
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
    check_sizes(Arch::Amd64, STRUCTS, SIZES, &own, &includes);
    check(Arch::Amd64, &["asm/termbits.h"], "_Static_assert(sizeof(struct termios) == 36, \"termios\");");
    check(Arch::Amd64, &["asm/signal.h"], "_Static_assert(sizeof(sigset_t) == 8, \"sigset_t\");");
    let fields = "_Static_assert(sizeof(struct sigaction) == 32 && offsetof(struct sigaction, sa_flags) == 8 && \
                  offsetof(struct sigaction, sa_restorer) == 16 && offsetof(struct sigaction, sa_mask) == 24, \"action\");";
    check(Arch::Amd64, &["stddef.h", "asm/signal.h"], fields);
    // What a handler is passed.
    check(
        Arch::Amd64,
        &["asm/signal.h", "asm/siginfo.h", "asm/sigcontext.h", "asm/ucontext.h"],
        "_Static_assert(sizeof(siginfo_t) == 128 && sizeof(struct ucontext) == 304, \"handler\");",
    );
    // Counted elements.
    check(
        Arch::Amd64,
        &["poll.h", "sys/epoll.h", "sys/socket.h"],
        "_Static_assert(sizeof(struct pollfd) == 8 && sizeof(struct epoll_event) == 12, \"events\");\
         _Static_assert(sizeof(struct sockaddr_storage) == 128, \"addresses\");",
    );
}
