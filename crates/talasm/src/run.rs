//! A run of the command: reads files, assembles, writes files, prints messages.

use crate::cli::{Cli, ObjectFormat, write_file};
use crate::driver;
use crate::front::{self, Loader, ReadFiles, SysNumbers};
use crate::problem::Problem;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use talcore::Policy;
use talcore::abi::Abi;
use talcore::arch::Arch;
use talcore::types::Types;
use taldiag::render::Renderer;
use taldiag::{Code, Diagnostic, FileId, Sources};

const CANNOT_READ: Code = Code(1009);
const CANNOT_WRITE: Code = Code(1013);
const TOO_MANY: Code = Code(1011);
/// How many errors are shown.
const MOST: usize = 100;
/// The largest source, in bytes; more is refused before it is read.
const LARGEST: u64 = 64 << 20;

/// How a run failed.
enum Failure {
    /// There are mistakes in the source: exit code 1.
    Source(Vec<Diagnostic>),
    /// A file cannot be read or written, or the command line is wrong: exit code 2.
    Usage(Diagnostic),
}

/// Runs the command.
pub fn run(cli: &Cli) -> ExitCode {
    let mut sources = Sources::new();
    let (diagnostics, code) = match assemble(cli, &mut sources) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Source(list)) => (list, 1),
        Err(Failure::Usage(one)) => (vec![one], 2),
    };
    let stderr = io::stderr();
    let renderer = Renderer::new("talasm", cli.format).color(cli.color.wanted(&stderr));
    // If even this cannot be written, the exit code still tells.
    let _ = stderr.lock().write_all(renderer.render(&sources, &diagnostics).as_bytes());
    ExitCode::from(code)
}

fn assemble(cli: &Cli, sources: &mut Sources) -> Result<(), Failure> {
    let output = output(cli)?;
    let main = Main::read(&cli.input)?;
    let arch = match cli.target {
        ObjectFormat::Elf64 => Arch::Amd64,
        ObjectFormat::Elf32 => Arch::Ia32,
    };
    let abi = Abi::of(arch, &mut Types::default());
    let options = front::Options {
        arch,
        defines: cli.defines.clone(),
        include: cli.include.clone(),
        sys: &abi as &dyn SysNumbers,
    };
    let front = front::parse_module(sources, &main, &main.path, &options).map_err(Failure::Source)?;
    let options = driver::Options {
        debug: cli
            .debug
            .then(|| std::env::current_dir().map_or_else(|_| ".".into(), |d| d.display().to_string())),
        listing: cli.listing.is_some(),
        policy: if cli.spectre { Policy::Speculative } else { Policy::Architectural },
    };
    let made = driver::assemble(&front.module, &front.types, &options)
        .map_err(|problems| Failure::Source(diagnostics(problems, &front.files)))?;

    // All or nothing: the object comes last, so that its presence says that all is there.
    let listing = cli.listing.as_deref().zip(made.listing.as_deref());
    let interface = cli.emit_interface.as_deref().map(|path| (path, front.interface.as_str()));
    for (path, text) in listing.into_iter().chain(interface) {
        write(path, text.as_bytes())?;
    }
    write(&output, &made.object)
}

/// The first problems, in order of places.
fn diagnostics(mut problems: Vec<Problem>, files: &[FileId]) -> Vec<Diagnostic> {
    problems.sort_by_key(|p| (p.span.file, p.span.start));
    let more = problems.len() > MOST;
    let mut list: Vec<Diagnostic> = problems.into_iter().take(MOST).map(|p| p.diagnostic(files)).collect();
    if more {
        list.push(
            Diagnostic::error(TOO_MANY, format!("too many errors: the first {MOST} are shown"))
                .help("mend the first ones: later ones often follow from them"),
        );
    }
    list
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_file(path, bytes).map_err(|e| {
        Failure::Usage(Diagnostic::error(CANNOT_WRITE, format!("cannot write `{}`: {e}", path.display())))
    })
}

/// Where the object goes.
fn output(cli: &Cli) -> Result<PathBuf, Failure> {
    let no_overwriting = |path: PathBuf| {
        let same = |p: &Path| p == cli.input && p.as_os_str() != "-";
        let others = [cli.listing.as_deref(), cli.emit_interface.as_deref()];
        if let Some(path) = others.into_iter().flatten().chain([path.as_path()]).find(|p| same(p)) {
            let message = format!("the output would overwrite its source `{}`", path.display());
            return Err(Failure::Usage(Diagnostic::error(CANNOT_WRITE, message).help("name it: `-o FILE`")));
        }
        Ok(path)
    };
    match &cli.output {
        Some(path) => no_overwriting(path.clone()),
        None if cli.input.as_os_str() == "-" => Err(Failure::Usage(
            Diagnostic::error(CANNOT_WRITE, "the object of standard input has no name")
                .help("name it: `-o FILE`"),
        )),
        None => no_overwriting(cli.input.with_extension("o")),
    }
}

/// The main source, read beforehand; interfaces come from the file system.
struct Main {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Main {
    fn read(path: &Path) -> Result<Main, Failure> {
        let read = |from: &mut dyn Read| {
            let mut bytes = Vec::new();
            from.take(LARGEST + 1).read_to_end(&mut bytes).map(|_| bytes)
        };
        let stdin = path.as_os_str() == "-";
        let bytes = match stdin {
            true => read(&mut io::stdin().lock()),
            false => std::fs::File::open(path).and_then(|mut f| read(&mut f)),
        };
        let bytes = bytes.map_err(|e| {
            let message = format!("cannot read `{}`: {e}", path.display());
            Failure::Usage(Diagnostic::error(CANNOT_READ, message))
        })?;
        let path = if stdin { PathBuf::from("<stdin>") } else { path.to_path_buf() };
        Ok(Main { path, bytes })
    }
}

impl Loader for Main {
    fn load(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == self.path { Ok(self.bytes.clone()) } else { ReadFiles.load(path) }
    }
}
