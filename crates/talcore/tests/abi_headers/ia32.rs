//! IA-32: the kernel's headers alone, compiled for 32 bits. A kernel of 64 bits has the same layouts for programs of
//! 32 bits.

use crate::{Struct, check, check_constants, check_sizes};
use talcore::arch::Arch;

#[test]
fn constants_are_the_headers() {
    // The headers choose between two numbers by the size of the C library's `time_t`; those for 4 bytes are meant.
    let timeouts = "_Static_assert(SO_RCVTIMEO_OLD == 20 && SO_SNDTIMEO_OLD == 21, \"timeouts\");";
    check(Arch::Ia32, &["asm/socket.h"], timeouts);
    check_constants(
        Arch::Ia32,
        &[
            "linux/fcntl.h",
            "linux/mman.h",
            "linux/fadvise.h",
            "linux/falloc.h",
            "linux/close_range.h",
            "linux/memfd.h",
            "linux/stat.h",
            "linux/fs.h",
            "linux/xattr.h",
            "linux/eventpoll.h",
            "linux/timerfd.h",
            "linux/time.h",
            "linux/wait.h",
            "linux/prctl.h",
            "linux/random.h",
            "linux/resource.h",
            "linux/in.h",
            "linux/in6.h",
            "linux/tcp.h",
            "asm/ioctls.h",
            "asm/signal.h",
            "asm/socket.h",
        ],
        &["SO_RCVTIMEO", "SO_SNDTIMEO"],
    );
}

const BX: u8 = 3;
const CX: u8 = 1;
const DX: u8 = 2;
const SI: u8 = 6;
const DI: u8 = 7;

const STRUCTS: &[Struct] = &[
    ("_llseek", SI, "__kernel_loff_t"),
    ("_newselect", CX, "__kernel_fd_set"),
    ("_newselect", DI, "struct __kernel_old_timeval"),
    ("_newselect", DX, "__kernel_fd_set"),
    ("_newselect", SI, "__kernel_fd_set"),
    ("clock_getres_time64", CX, "struct __kernel_timespec"),
    ("clock_gettime64", CX, "struct __kernel_timespec"),
    ("clock_nanosleep_time64", DX, "struct __kernel_timespec"),
    ("clock_nanosleep_time64", SI, "struct __kernel_timespec"),
    ("clock_settime64", CX, "struct __kernel_timespec"),
    ("copy_file_range", CX, "__kernel_loff_t"),
    ("copy_file_range", SI, "__kernel_loff_t"),
    ("epoll_ctl", SI, "struct epoll_event"),
    ("epoll_pwait", DI, "sigset"),
    ("epoll_pwait2", DI, "sigset"),
    ("epoll_pwait2", SI, "struct __kernel_timespec"),
    ("fcntl64", DX, "struct flock"),
    ("fcntl64", DX, "struct flock64"),
    ("fstat64", CX, "struct stat64"),
    ("fstatat64", DX, "struct stat64"),
    ("fstatfs64", DX, "struct statfs64"),
    ("getcpu", BX, "int"),
    ("getcpu", CX, "int"),
    ("getitimer", CX, "struct __kernel_old_itimerval"),
    ("getresgid32", BX, "__kernel_uid32_t"),
    ("getresgid32", CX, "__kernel_uid32_t"),
    ("getresgid32", DX, "__kernel_uid32_t"),
    ("getresuid32", BX, "__kernel_uid32_t"),
    ("getresuid32", CX, "__kernel_uid32_t"),
    ("getresuid32", DX, "__kernel_uid32_t"),
    ("getrusage", CX, "struct rusage"),
    ("gettimeofday", BX, "struct __kernel_old_timeval"),
    ("gettimeofday", CX, "struct timezone"),
    ("ioctl", DX, "int"),
    ("ioctl", DX, "struct termios"),
    ("ioctl", DX, "struct winsize"),
    ("lstat64", CX, "struct stat64"),
    ("nanosleep", BX, "struct __kernel_old_timespec"),
    ("nanosleep", CX, "struct __kernel_old_timespec"),
    ("pipe", BX, "int[2]"),
    ("pipe2", BX, "int[2]"),
    ("ppoll_time64", DX, "struct __kernel_timespec"),
    ("ppoll_time64", SI, "sigset"),
    ("prctl", CX, "char[16]"),
    ("prlimit64", SI, "struct rlimit64"),
    ("pselect6_time64", CX, "__kernel_fd_set"),
    ("pselect6_time64", DI, "struct __kernel_timespec"),
    ("pselect6_time64", DX, "__kernel_fd_set"),
    ("pselect6_time64", SI, "__kernel_fd_set"),
    ("rt_sigaction", DX, "sigaction"),
    ("rt_sigpending", BX, "sigset"),
    ("rt_sigprocmask", CX, "sigset"),
    ("rt_sigprocmask", DX, "sigset"),
    ("rt_sigsuspend", BX, "sigset"),
    ("rt_sigtimedwait_time64", BX, "sigset"),
    ("rt_sigtimedwait_time64", CX, "siginfo_t"),
    ("rt_sigtimedwait_time64", DX, "struct __kernel_timespec"),
    ("sched_getparam", CX, "int"),
    ("sendfile64", DX, "__kernel_loff_t"),
    ("setitimer", CX, "struct __kernel_old_itimerval"),
    ("setitimer", DX, "struct __kernel_old_itimerval"),
    ("setsockopt", SI, "int"),
    ("setsockopt", SI, "linger"),
    ("setsockopt", SI, "struct __kernel_old_timeval"),
    ("signalfd", CX, "sigset"),
    ("signalfd4", CX, "sigset"),
    ("socketpair", SI, "int[2]"),
    ("splice", CX, "__kernel_loff_t"),
    ("splice", SI, "__kernel_loff_t"),
    ("stat64", CX, "struct stat64"),
    ("statfs64", DX, "struct statfs64"),
    ("statx", DI, "struct statx"),
    ("sysinfo", BX, "struct sysinfo"),
    ("time", BX, "__kernel_old_time_t"),
    ("timerfd_gettime64", CX, "struct __kernel_itimerspec"),
    ("timerfd_settime64", DX, "struct __kernel_itimerspec"),
    ("timerfd_settime64", SI, "struct __kernel_itimerspec"),
    ("times", BX, "struct tms"),
    ("ugetrlimit", CX, "struct rlimit"),
    ("uname", BX, "struct new_utsname"),
    ("utime", CX, "struct utimbuf"),
    ("utimensat_time64", DX, "struct __kernel_timespec[2]"),
    ("utimes", CX, "struct __kernel_old_timeval[2]"),
    ("wait4", CX, "int"),
    ("wait4", SI, "struct rusage"),
    ("waitid", DI, "struct rusage"),
    ("waitid", DX, "siginfo_t"),
];

/// The size of each of these types, bytes; the C compiler confirms them.
const SIZES: &[(&str, i128)] = &[
    ("__kernel_fd_set", 128),
    ("__kernel_loff_t", 8),
    ("__kernel_old_time_t", 4),
    ("__kernel_uid32_t", 4),
    ("char[16]", 16),
    ("int", 4),
    ("int[2]", 8),
    ("linger", 8),
    ("sigaction", 20),
    ("siginfo_t", 128),
    ("sigset", 8),
    ("struct __kernel_itimerspec", 32),
    ("struct __kernel_old_itimerval", 16),
    ("struct __kernel_old_timespec", 8),
    ("struct __kernel_old_timeval", 8),
    ("struct __kernel_old_timeval[2]", 16),
    ("struct __kernel_timespec", 16),
    ("struct __kernel_timespec[2]", 32),
    ("struct epoll_event", 12),
    ("struct flock", 16),
    ("struct flock64", 24),
    ("struct new_utsname", 390),
    ("struct rlimit", 8),
    ("struct rlimit64", 16),
    ("struct rusage", 72),
    ("struct stat64", 96),
    ("struct statfs64", 84),
    ("struct statx", 256),
    ("struct sysinfo", 64),
    ("struct termios", 36),
    ("struct timezone", 8),
    ("struct tms", 16),
    ("struct utimbuf", 8),
    ("struct winsize", 8),
];

#[test]
fn sizes_are_those_of_the_structures() {
    let includes = [
        "asm/signal.h",
        "asm/siginfo.h",
        "asm/stat.h",
        "asm/statfs.h",
        "asm/termbits.h",
        "asm/termios.h",
        "linux/eventpoll.h",
        "linux/fcntl.h",
        "linux/posix_types.h",
        "linux/resource.h",
        "linux/stat.h",
        "linux/sysinfo.h",
        "linux/time.h",
        "linux/time_types.h",
        "linux/times.h",
        "linux/utime.h",
        "linux/utsname.h",
    ];
    check_sizes(Arch::Ia32, STRUCTS, SIZES, &["linger", "sigset", "sigaction"], &includes);
    // What the headers keep to themselves, or show in an older form, as the manual pages describe it; what a known
    // field of `struct sigaction` is, the checker's rules say too.
    let sigaction = "struct action { void *handler; unsigned long flags; void *restorer; unsigned long mask[2]; };\
                     _Static_assert(sizeof(struct action) == 20 && offsetof(struct action, flags) == 4 && \
                     offsetof(struct action, restorer) == 8 && offsetof(struct action, mask) == 12, \"action\");\
                     struct linger { int onoff, linger; };\
                     _Static_assert(sizeof(struct linger) == 8, \"linger\");";
    check(Arch::Ia32, &["stddef.h"], sigaction);
    // Counted elements, and what pairs of addresses and lengths are.
    check(
        Arch::Ia32,
        &["asm/poll.h", "linux/eventpoll.h", "linux/socket.h", "linux/uio.h"],
        "_Static_assert(sizeof(struct pollfd) == 8 && sizeof(struct epoll_event) == 12, \"events\");\
         _Static_assert(sizeof(struct __kernel_sockaddr_storage) == 128, \"addresses\");\
         _Static_assert(sizeof(struct iovec) == 8, \"pairs\");",
    );
}
