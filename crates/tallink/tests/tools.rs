//! The tools that people have agree with what tallink makes, and GNU ld makes the same program.

mod common;
use common::*;
use std::path::Path;
use std::process::Command;

fn tool(dir: &Path, name: &str, args: &[&str]) -> String {
    let out = Command::new(name).current_dir(dir).args(args).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{name} {args:?}: {text}");
    text
}

/// The objects of the hello program and gate.o in files.
fn write_objects(dir: &Path) {
    std::fs::write(dir.join("hello.o"), hello("hello\n", 7).bytes()).unwrap();
    std::fs::write(dir.join("exit.o"), exit_with().bytes()).unwrap();
    std::fs::write(dir.join("gate.o"), tallink::gate::object_bytes(&tallink::arch::AMD64)).unwrap();
}

fn linked(dir: &Path) {
    let image = link(&[hello("hello\n", 7).input("hello.o"), exit_with().input("exit.o")]).image;
    run(dir, &image);
}

#[test]
fn binutils_read_it() {
    let dir = tempfile::tempdir().unwrap();
    linked(dir.path());
    if installed("readelf") {
        let text = tool(dir.path(), "readelf", &["-aW", "prog"]);
        for expected in ["EXEC", "GNU_STACK", "__tal_gate", ".note.tal", "_start"] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(!text.contains("Warning") && !text.contains("Error"), "{text}");
        let notes = tool(dir.path(), "readelf", &["-nW", "prog"]);
        assert!(notes.contains("TAL   ") && notes.contains(".note.tal"), "{notes}");
    }
    if installed("objdump") {
        let text = tool(dir.path(), "objdump", &["-d", "prog"]);
        assert!(text.contains("<_start>:") && text.contains("<exit_with>"), "{text}");
    }
    if installed("strip") {
        tool(dir.path(), "strip", &["prog"]);
        let stripped = std::fs::read(dir.path().join("prog")).unwrap();
        assert_eq!(run(dir.path(), &stripped).status.code(), Some(7));
    }
}

#[test]
fn gdb_reads_it() {
    if !installed("gdb") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    linked(dir.path());
    let text = tool(
        dir.path(),
        "gdb",
        &["-nx", "-batch", "-ex", "info address exit_with", "-ex", "x/2i _start", "prog"],
    );
    assert!(text.contains("Symbol \"exit_with\" is at 0x") && text.contains("mov"), "{text}");
}

#[test]
fn other_linkers_make_the_same_program() {
    let dir = tempfile::tempdir().unwrap();
    write_objects(dir.path());
    for linker in ["ld", "ld.lld", "mold"] {
        if !installed(linker) {
            continue;
        }
        let text = tool(dir.path(), linker, &["-static", "-o", "prog", "hello.o", "exit.o", "gate.o"]);
        assert_eq!(text, "", "{linker} warns");
        let theirs = std::fs::read(dir.path().join("prog")).unwrap();
        let theirs = run(dir.path(), &theirs);
        let ours = link(&[hello("hello\n", 7).input("hello.o"), exit_with().input("exit.o")]);
        let ours = run(dir.path(), &ours.image);
        assert_eq!((&theirs.stdout, theirs.status.code()), (&ours.stdout, ours.status.code()), "{linker}");
        assert_eq!(theirs.stdout, b"hello\n");
    }
}

#[test]
fn objects_of_gnu_as_link() {
    if !installed("as") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let source = "
        .globl _start
        .text
_start: mov $1, %edi
        lea message(%rip), %rsi
        mov $length, %edx
        mov $1, %eax
        call *__tal_gate(%rip)
        mov status(%rip), %edi
        mov $231, %eax
        call *__tal_gate(%rip)
        ud2
        .data
status: .long 9
        .section .rodata
message: .ascii \"from as\\n\"
        .set length, . - message
        .section .note.GNU-stack,\"\",@progbits
";
    std::fs::write(dir.path().join("a.s"), source).unwrap();
    tool(dir.path(), "as", &["-g", "-o", "a.o", "a.s"]);
    let object = std::fs::read(dir.path().join("a.o")).unwrap();
    let out = run(dir.path(), &link(&[input("a.o", object)]).image);
    assert_eq!((&out.stdout[..], out.status.code()), (&b"from as\n"[..], Some(9)));
    if installed("gdb") {
        let text = tool(dir.path(), "gdb", &["-nx", "-batch", "-ex", "info line *_start", "prog"]);
        assert!(text.contains("Line 4 of \"a.s\""), "{text}");
    }
    if installed("ar") {
        tool(dir.path(), "ar", &["rcs", "liba.a", "a.o"]);
        let start = "        .globl main2\nmain2:  jmp _start\n.section .note.GNU-stack,\"\",@progbits\n";
        std::fs::write(dir.path().join("b.s"), start).unwrap();
        tool(dir.path(), "as", &["-o", "b.o", "b.s"]);
        let read = |name: &str| input(name, std::fs::read(dir.path().join(name)).unwrap());
        let options = tallink::Options { entry: "main2".into(), ..Default::default() };
        let out = run(dir.path(), &link_with(&[read("b.o"), read("liba.a")], &options).image);
        assert_eq!(out.status.code(), Some(9));
    }
}
