//! What other linkers make of typed objects and the object with the gate: accepted too, and the same
//! program.

use crate::build;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tal_testkit::executable;
use tal_testkit::toolchain::{assemble, assemble_file, link, modules};
use talcore::arch::Arch;

#[test]
fn gnu_ld() {
    links_everything("ld");
}

/// IA-32: relocations without addends of their own. All programs of the tests for it, with line tables.
#[test]
fn programs_for_ia32() {
    for linker in ["ld", "ld.lld", "mold"] {
        if Command::new(linker).args(["-m", "elf_i386", "--version"]).output().is_err() {
            eprintln!("skipped: `{linker}` is not installed");
            continue;
        }
        let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/run");
        let programs = std::fs::read_dir(run).expect("the tests").map(|e| e.expect("a file").path());
        let programs: Vec<_> = programs.filter(|p| p.to_string_lossy().contains("w32_")).collect();
        assert!(programs.len() > 1);
        programs.iter().for_each(|p| links_for_ia32(linker, p));
    }
}

fn links_for_ia32(linker: &str, source: &Path) {
    let text = std::fs::read_to_string(source).expect("a source");
    let modules = modules(&text);
    // Only a file of the file system has line tables.
    let alone = modules.len() == 1;
    let objects = if alone { assemble_file(source).map(|o| vec![o]) } else { assemble(&modules) };
    let objects = objects.unwrap_or_else(|r| panic!("{}: {}", source.display(), r.text));
    let folder = tempfile::tempdir().expect("a directory");
    let place = |name: &str| folder.path().join(name);
    let write = |name: &str, bytes: &[u8]| std::fs::write(place(name), bytes).expect("a file is written");
    write("gate.o", tallink::gate::object_bytes(&tallink::arch::IA32));
    let mut command = Command::new(linker);
    command.args(["-m", "elf_i386", "-static", "--fatal-warnings", "-o"]).arg(place("theirs"));
    for (i, object) in objects.iter().enumerate() {
        let name = format!("{i}.o");
        write(&name, &object.bytes);
        command.arg(place(&name));
    }
    let out = command.arg(place("gate.o")).output().expect("the linker can be started");
    assert!(out.status.success(), "{}", out.stderr.escape_ascii());
    let image = std::fs::read(place("theirs")).expect("the program can be read");
    talcheck::check(&image).unwrap_or_else(|e| panic!("{} is rejected: {e:?}", source.display()));
    let ours = link(objects).unwrap_or_else(|r| panic!("{}", r.text));
    executable::write(&place("ours"), &ours).expect("a program can be written");
    assert_eq!(run(&place("theirs"), "program"), run(&place("ours"), "program"));
    for program in ["theirs", "ours"].iter().filter(|_| alone) {
        knows_lines(&place(program), source);
    }
}

/// Debuggers find the line of `_start` in a program.
fn knows_lines(program: &Path, source: &Path) {
    let text = std::fs::read_to_string(source).expect("a source");
    let start = text.lines().position(|l| l.starts_with("pub fn _start")).expect("a start") + 2;
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-ex", "info line _start"]).arg(program);
    let Ok(out) = gdb.output() else { return eprintln!("skipped: `gdb` is not installed") };
    let out = String::from_utf8_lossy(&out.stdout);
    assert!(out.contains(&format!("Line {start} of ")), "{}: {out}", program.display());
}

#[test]
fn lld() {
    links_everything("ld.lld");
}

#[test]
fn mold() {
    links_everything("mold");
}

fn links_everything(linker: &str) {
    if Command::new(linker).arg("--version").output().is_err() {
        return eprintln!("skipped: `{linker}` is not installed");
    }
    links_for(linker, Arch::Amd64, "elf_x86_64", &tallink::arch::AMD64);
    links_for(linker, Arch::Ia32, "elf_i386", &tallink::arch::IA32);
}

fn links_for(linker: &str, arch: Arch, emulation: &str, gate: &tallink::arch::Arch) {
    let folder = tempfile::tempdir().expect("a directory");
    let gate_object = folder.path().join("gate.o");
    std::fs::write(&gate_object, tallink::gate::object_bytes(gate))
        .expect("the gate's object can be written");
    for name in build::names(arch) {
        let theirs = folder.path().join(&name);
        let mut command = Command::new(linker);
        command
            .args(["-m", emulation, "-static", "--fatal-warnings", "-o"])
            .arg(&theirs)
            .args(build::objects(&name, arch))
            .arg(&gate_object);
        let out = command.output().expect("the linker can be started");
        assert!(out.status.success(), "{linker} {name}: {}", out.stderr.escape_ascii());
        let image = std::fs::read(&theirs).expect("the program can be read");
        talcheck::check(&image).unwrap_or_else(|e| panic!("{name} by {linker} is rejected: {e:?}"));
        let ours = build::find(&name, arch).expect("an example");
        assert_eq!(run(&theirs, &name), run(&ours, &name), "{name} by {linker}");
    }
}

/// What a program does without input, and without arguments, but for those that would go on for ever.
fn run(program: &Path, name: &str) -> Output {
    let args: &[&str] = if name == "echod" { &["--help"] } else { &[] };
    Command::new(program)
        .arg0(name)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("a program can be started")
}
