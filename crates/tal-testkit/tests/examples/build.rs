//! Builds the examples as their users do, once for all tests: assembled, linked, and verified.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tal_testkit::archive::archive;
use tal_testkit::executable;
use talasm::{driver, front};
use talcore::abi::Abi;
use talcore::arch::Arch;
use talcore::types::Types;
use taldiag::Sources;
use taldiag::render::{Format, Renderer};
use tallink::{Input, InputFile};

/// The path of the example of this name for AMD64, which the checker has accepted.
pub(crate) fn program(name: &str) -> PathBuf {
    find(name, Arch::Amd64).unwrap_or_else(|| panic!("there is no example `{name}`"))
}

/// The same for each architecture for which there is one, AMD64 first.
pub(crate) fn programs(name: &str) -> Vec<PathBuf> {
    [Some(program(name)), find(name, Arch::Ia32)].into_iter().flatten().collect()
}

/// The same for one architecture, if there is one.
pub(crate) fn find(name: &str, arch: Arch) -> Option<PathBuf> {
    type Built = OnceLock<HashMap<String, Result<PathBuf, String>>>;
    static BUILT: [Built; 2] = [Built::new(), Built::new()];
    match BUILT[usize::from(arch == Arch::Ia32)].get_or_init(|| build_all(arch)).get(name) {
        Some(Ok(path)) => Some(path.clone()),
        Some(Err(message)) => panic!("{message}"),
        None => None,
    }
}

/// A program that is there to test a module of the library.
pub(crate) struct Driver {
    pub name: &'static str,
    pub arch: Arch,
    pub path: PathBuf,
}

/// `drivers/NAME.tal` for each architecture that it is for, AMD64 first.
pub(crate) fn drivers(name: &'static str) -> Vec<Driver> {
    let drivers: Vec<_> =
        [Arch::Amd64, Arch::Ia32].into_iter().filter_map(|arch| driver(name, arch)).collect();
    assert!(!drivers.is_empty(), "there is no driver `{name}`");
    drivers
}

fn driver(name: &'static str, arch: Arch) -> Option<Driver> {
    type Built = OnceLock<HashMap<String, Result<PathBuf, String>>>;
    static BUILT: [Built; 2] = [Built::new(), Built::new()];
    let build_all = || {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let build = |(name, path): (String, PathBuf)| {
            let program = library(arch).clone().and_then(|library| {
                let bytes = assemble(&name, &path, arch)?;
                link(&name, &[object(&name, bytes)], &library, arch)
            });
            (name, program)
        };
        sources(&root.join("tests/examples/drivers"), arch).into_iter().map(build).collect()
    };
    match BUILT[usize::from(arch == Arch::Ia32)].get_or_init(build_all).get(name) {
        Some(Ok(path)) => Some(Driver { name, arch, path: path.clone() }),
        Some(Err(message)) => panic!("{message}"),
        None => None,
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The names of all examples that there are for an architecture.
pub(crate) fn names(arch: Arch) -> Vec<String> {
    let all = entries(&examples()).into_iter().filter(|(_, path)| path.is_dir());
    let main = |(name, path): &(String, PathBuf)| sources(path, arch).iter().any(|s| s.0 == *name);
    all.filter(main).map(|(name, _)| name).collect()
}

/// The sources of a directory that are for an architecture, by name: those for both, and what lies beside them for one.
fn sources(directory: &Path, arch: Arch) -> Vec<(String, PathBuf)> {
    let mut all = entries(directory);
    all.retain(|(_, path)| path.extension().is_some_and(|e| e == "tal"));
    if arch == Arch::Ia32 {
        let own = directory.join("ia32");
        let own = if own.is_dir() { entries(&own) } else { Vec::new() };
        let both = |path: &Path| {
            let text = fs::read_to_string(path).expect("a source can be read");
            text.lines().any(|l| l == "arch amd64, ia32")
        };
        all.retain(|(name, path)| !own.iter().any(|o| o.0 == *name) && both(path));
        all.extend(own);
        all.sort();
    }
    all
}

/// The modules of the library.
fn library(arch: Arch) -> &'static Result<Vec<Input>, String> {
    static LIBRARY: [OnceLock<Result<Vec<Input>, String>>; 2] = [OnceLock::new(), OnceLock::new()];
    LIBRARY[usize::from(arch == Arch::Ia32)].get_or_init(|| assemble_all(&examples().join("lib"), arch))
}

fn build_all(arch: Arch) -> HashMap<String, Result<PathBuf, String>> {
    let build = |name: String| {
        let program = match library(arch) {
            Ok(library) => {
                let own = assemble_all(&examples().join(&name), arch);
                own.and_then(|own| link(&name, &own, library, arch))
            }
            Err(message) => Err(message.clone()),
        };
        (name, program)
    };
    names(arch).into_iter().map(build).collect()
}

fn object(name: &str, bytes: Vec<u8>) -> Input {
    Input::File(InputFile { name: format!("{name}.o"), bytes })
}

/// Links a program of its own modules and an archive of the library's. The checker must accept it.
fn link(name: &str, own: &[Input], library: &[Input], arch: Arch) -> Result<PathBuf, String> {
    let members = library.iter().filter_map(|i| match i {
        Input::File(file) => Some((file.name.as_str(), &file.bytes[..])),
        _ => None,
    });
    let archive = archive(&members.collect::<Vec<_>>());
    let archive = Input::File(InputFile { name: "library.a".into(), bytes: archive });
    let inputs = [own, &[archive]].concat();
    let options = tallink::Options { gc_sections: true, ..tallink::Options::default() };
    let linked = tallink::link(&inputs, &options).map_err(|e| format!("{name} does not link: {e:#?}"))?;
    talcheck::check(&linked.image).map_err(|e| format!("{name} is rejected: {e:?}"))?;
    write_objects(name, &[own, library].concat(), arch);
    let path = output(arch).join(name);
    // Beside its place first: another run of the tests may be executing the old one.
    let beside = output(arch).join(format!("{name}.{}", std::process::id()));
    executable::write(&beside, &linked.image).expect("a program can be written");
    fs::rename(&beside, &path).expect("a program can be moved");
    Ok(path)
}

/// The objects of an example, for other linkers.
pub(crate) fn objects(name: &str, arch: Arch) -> Vec<PathBuf> {
    find(name, arch); // so that they are there
    entries(&output(arch).join("objects").join(name)).into_iter().map(|(_, path)| path).collect()
}

fn write_objects(name: &str, inputs: &[Input], arch: Arch) {
    let folder = output(arch).join("objects").join(name);
    fs::create_dir_all(&folder).expect("a directory can be made");
    for input in inputs {
        if let Input::File(file) = input {
            fs::write(folder.join(&file.name), &file.bytes).expect("an object can be written");
        }
    }
}

fn output(arch: Arch) -> PathBuf {
    let folder = match arch {
        Arch::Amd64 => "examples",
        Arch::Ia32 => "examples/ia32",
    };
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    fs::create_dir_all(path.join("interfaces")).expect("a directory can be made");
    path
}

/// What lies in a directory, by name without extension.
fn entries(directory: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(directory).expect("the examples can be read");
    let paths = entries.map(|e| e.expect("an entry can be read").path());
    let stem = |p: &Path| p.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut all: Vec<_> = paths.map(|p| (stem(&p), p)).collect();
    all.sort();
    all
}

/// Assembles the sources of a directory, each after those that it uses.
fn assemble_all(directory: &Path, arch: Arch) -> Result<Vec<Input>, String> {
    let mut waiting = sources(directory, arch);
    let mut objects = Vec::new();
    while !waiting.is_empty() {
        let free = |(_, path): &(String, PathBuf)| {
            let text = fs::read_to_string(path).expect("a source can be read");
            let mut uses = text.lines().filter_map(|l| l.strip_prefix("use ")?.split_whitespace().next());
            !uses.any(|used| waiting.iter().any(|(name, _)| name == used))
        };
        let next = waiting.iter().position(free).expect("modules do not use each other in a circle");
        let (name, path) = waiting.remove(next);
        let bytes = assemble(&name, &path, arch)?;
        objects.push(object(&name, bytes));
    }
    Ok(objects)
}

/// What the assembler says of an example's source after a change.
pub(crate) fn changed(name: &str, from: &str, to: &str) -> Result<Vec<u8>, String> {
    program(name); // so that the interfaces are there
    let path = examples().join(format!("{name}/{name}.tal"));
    let text = fs::read_to_string(path).expect("a source can be read");
    assert_eq!(text.matches(from).count(), 1, "{from:?} is in {name}.tal once");
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("changed.tal");
    fs::write(&path, text.replace(from, to)).expect("a file can be written");
    assemble("changed", &path, Arch::Amd64)
}

/// What the assembler says of a source of the examples that has this text instead of its own; nothing if it takes it.
pub(crate) fn message(file: &Path, text: &str) -> Option<String> {
    program("find"); // so that the interfaces are there
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join(file.file_name().expect("a source has a name"));
    fs::write(&path, text).expect("a file can be written");
    let said = assemble("changed", &path, Arch::Amd64).err()?;
    let (_, said) = said.split_once('\n')?;
    Some(format!("{}\n", said.replace(&format!("{}/", directory.path().display()), "").trim_end()))
}

/// Assembles one source; its interface goes where others look for it.
fn assemble(name: &str, path: &Path, arch: Arch) -> Result<Vec<u8>, String> {
    let interfaces = output(arch).join("interfaces");
    let abi = Abi::of(arch, &mut Types::default());
    let options = front::Options {
        arch,
        defines: Vec::new(),
        include: vec![interfaces.clone()],
        sys: &abi as &dyn front::SysNumbers,
    };
    let mut sources = Sources::new();
    let made = front::parse_module(&mut sources, &front::ReadFiles, path, &options).and_then(|front| {
        let made = driver::assemble(&front.module, &front.types, &driver::Options::default());
        let made = made.map_err(|e| e.into_iter().map(|p| p.diagnostic(&front.files)).collect::<Vec<_>>())?;
        Ok((made.object, front.interface))
    });
    match made {
        Ok((object, interface)) => {
            let path = interfaces.join(name).with_extension("tali");
            fs::write(path, interface).expect("a file can be written");
            Ok(object)
        }
        Err(e) => {
            let text = Renderer::new("talasm", Format::Human).render(&sources, &e);
            Err(format!("{name} does not assemble:\n{text}"))
        }
    }
}

#[test]
fn everything_is_there_for_both_architectures() {
    let there = |arch| {
        let of = |folder: &str| sources(&examples().join(folder), arch).into_iter().map(|s| s.0);
        (names(arch), of("lib").collect::<Vec<_>>())
    };
    assert_eq!(there(Arch::Ia32), there(Arch::Amd64));
}
