//! Compares the interface tables with the kernel's own headers, where they are installed: numbers,
//! the values of named constants, and the sizes of structures, as the C compiler sees them.

mod amd64;
mod ia32;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use talcore::abi::{Abi, ParamKind, table};
use talcore::arch::Arch;
use talcore::types::{Layout, Types, WordTy};

fn parsed(arch: Arch) -> (Abi, Types) {
    let mut types = Types::default();
    let abi = Abi::parse(table(arch), &mut types).expect("the table parses");
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
    for e in parsed(arch).0.iter() {
        assert_eq!(kernel.get(e.name), Some(&e.number), "{}", e.name);
    }
}

/// Runs the C compiler over `source`; `None` if there is no compiler.
fn compile(arch: Arch, source: &str) -> Option<Result<(), String>> {
    let mut cc = Command::new("cc");
    cc.args(["-x", "c", "-fsyntax-only", "-D_GNU_SOURCE"]);
    if arch == Arch::Ia32 {
        // The kernel's headers are those of all x86 processors; a C library for IA-32 need not be installed.
        cc.args(["-m32", "-ffreestanding", "-isystem", "/usr/include/x86_64-linux-gnu"]);
    }
    let mut cc =
        cc.arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
    cc.stdin.take()?.write_all(source.as_bytes()).ok()?;
    let out = cc.wait_with_output().ok()?;
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    Some(if out.status.success() { Ok(()) } else { Err(errors) })
}

/// Compiles the assertions if this machine can compile anything with these headers.
fn check(arch: Arch, includes: &[&str], assertions: &str) {
    let mut head = String::new();
    for i in includes {
        let _ = writeln!(head, "#include <{i}>");
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || compile(arch, &head) != Some(Ok(())) {
        eprintln!("skipped: no C compiler for {arch:?}, or not all of {includes:?}");
        return;
    }
    if let Some(Err(errors)) = compile(arch, &(head + assertions)) {
        panic!("{errors}");
    }
}

/// Compares the values of the constants that a table names with those that the headers define.
fn check_constants(arch: Arch, includes: &[&str], hidden: &[&str]) {
    let text: String = table(arch).lines().filter(|l| !l.starts_with(';')).map(|l| format!("{l} ")).collect();
    let mut assertions = String::new();
    let mut count = 0;
    for list in text.split(" const ").skip(1) {
        let end = list.find(" sys ").into_iter().chain(list.find(" set ")).min();
        for one in list[..end.unwrap_or(list.len())].split(',') {
            let (name, value) = one.split_once('=').expect("a constant has a value");
            let (name, value) = (name.trim(), value.trim());
            if hidden.contains(&name) {
                continue;
            }
            let _ =
                writeln!(assertions, "#ifdef {name}\n_Static_assert({name} == {value}, \"{name}\");\n#endif");
            count += 1;
        }
    }
    assert!(count > 100, "{count} constants found");
    check(arch, includes, &assertions);
}

/// What lies behind each pointer of constant size: call, register, C type.
type Struct = (&'static str, u8, &'static str);

/// Each pointer of constant size in the table has one of these types, and each type is one of a pointer. The
/// compiler confirms the sizes, in bytes, of all but the `own` ones, which no header shows as the kernel has them.
fn check_sizes(arch: Arch, structs: &[Struct], sizes: &[(&str, i128)], own: &[&str], includes: &[&str]) {
    let (abi, types) = parsed(arch);
    let size_of = |c: &str| sizes.iter().find(|s| s.0 == c).unwrap_or_else(|| panic!("size of {c}")).1;
    let mut unused: Vec<_> = structs.iter().collect();
    for e in abi.iter() {
        for p in &e.params {
            let (ParamKind::Word(w) | ParamKind::Nullable(w)) = p.kind else { continue };
            let WordTy::Ptr(_, l) = types.word(w) else { continue };
            let (Layout::Bytes(size) | Layout::Foreign(size)) = types.layout(*l) else {
                panic!("{}", e.name)
            };
            let Some(size) = size.as_const() else { continue };
            let fits = |s: &Struct| (s.0, s.1) == (e.name, p.reg) && size_of(s.2) == size;
            assert!(structs.iter().any(fits), "{} r{}: what has {size} bytes?", e.name, p.reg);
            unused.retain(|s| !fits(s));
        }
    }
    assert!(unused.is_empty(), "no pointer of the table has the type {unused:?}");
    let mut assertions = String::new();
    for (c_type, size) in sizes.iter().filter(|s| !own.contains(&s.0)) {
        let _ = writeln!(assertions, "_Static_assert(sizeof({c_type}) == {size}, \"{c_type}\");");
    }
    check(arch, includes, &assertions);
}

/// Each page that justifies an entry exists, where the manual is installed, and documents the call.
#[test]
fn manual_pages_exist() {
    for e in parsed(Arch::Amd64).0.iter().chain(parsed(Arch::Ia32).0.iter()) {
        let (page, section) = e.man.trim_end_matches(')').split_once('(').expect("page(section)");
        let dir = format!("/usr/share/man/man{section}");
        let installed = std::path::Path::new(&dir).join("intro.".to_owned() + section + ".gz").exists();
        let found =
            ["", ".gz"].iter().any(|z| std::path::Path::new(&format!("{dir}/{page}.{section}{z}")).exists());
        assert!(found || !installed, "{}: no page {}", e.name, e.man);
    }
}
