//! The command line: which files to link, with flags that people know from `ld`.

use crate::arch::{AMD64, Arch, IA32};
use crate::diag::{self, Diagnostic};
use crate::{Input, InputFile, Options, gate, link, recheck};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;
use taldiag::render::{Color, Format};

/// Links typed objects into one executable and checks the types at the seams.
#[derive(Parser, Debug)]
#[command(name = "tallink", version, about, max_term_width = 100)]
#[command(after_help = "Arguments can also be given in a file: tallink @file\n\
    Exit status: 0 linked, 1 the inputs do not fit together, 2 wrong usage or a file cannot be read or written.")]
struct Args {
    /// Objects (.o) and archives (.a), taken from left to right
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to write the program
    #[arg(short = 'o', long = "output", value_name = "FILE", default_value = "a.out")]
    output: PathBuf,
    /// The symbol at which the program starts
    #[arg(short = 'e', long = "entry", value_name = "SYMBOL", default_value = "_start")]
    entry: String,
    /// Search for libNAME.a in the directories of -L; `-l :FILE` searches for FILE
    #[arg(short = 'l', long = "library", value_name = "NAME")]
    libraries: Vec<OsString>,
    /// A directory with libraries
    #[arg(short = 'L', long = "library-path", value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Search the archives up to --end-group again until none of them helps; also `-(`
    #[arg(long = "start-group", num_args = 0, default_missing_value = "", action = clap::ArgAction::Append)]
    start_group: Vec<String>,
    /// Ends --start-group; also `-)`
    #[arg(long = "end-group", num_args = 0, default_missing_value = "", action = clap::ArgAction::Append)]
    end_group: Vec<String>,
    /// Leave out sections that the entry does not need
    #[arg(long = "gc-sections")]
    gc_sections: bool,
    /// Leave out symbols and debugging information
    #[arg(short = 's', long = "strip-all")]
    strip: bool,
    /// Write a link map to FILE; `-` is the standard output. Also -Map=FILE
    #[arg(long = "Map", value_name = "FILE")]
    map: Option<PathBuf>,
    /// Only write the object with the gate and the stubs, for use with other linkers
    #[arg(long = "gate-object", value_name = "FILE")]
    gate_object: Option<PathBuf>,
    /// What is linked: elf_x86_64 or elf_i386. Without it the first object tells; --gate-object writes the one of AMD64
    #[arg(short = 'm', value_name = "EMULATION")]
    emulation: Option<Emulation>,
    /// Print how long each phase took
    #[arg(long = "stats")]
    stats: bool,
    /// How to print errors: human, short, json, sarif, github
    #[arg(long = "format", value_name = "FORMAT", default_value = "human")]
    format: Format,
}

/// The names that other linkers have for architectures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Emulation {
    /// AMD64.
    #[value(name = "elf_x86_64")]
    Amd64,
    /// IA-32.
    #[value(name = "elf_i386")]
    Ia32,
}

impl Emulation {
    fn arch(self) -> &'static Arch {
        match self {
            Emulation::Amd64 => &AMD64,
            Emulation::Ia32 => &IA32,
        }
    }
}

/// The command line, for manual pages.
pub fn command() -> clap::Command {
    Args::command()
}

/// How a run ended.
enum Failure {
    /// The inputs do not fit together: exit status 1.
    Rejected(Vec<Diagnostic>),
    /// A file cannot be read or written: exit status 2.
    File(Vec<Diagnostic>),
}

/// Runs the linker with the arguments of a process; its exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args = match expand(args.into_iter().collect()) {
        Ok(args) => args,
        Err(error) => return report(&[error], Format::Human, 2),
    };
    let matches = match Args::command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are no errors; clap knows the stream.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    let args = match Args::from_arg_matches(&matches) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return 2;
        }
    };
    let format = args.format;
    match run(&args, &matches) {
        Ok(()) => 0,
        Err(Failure::Rejected(errors)) => report(&errors, format, 1),
        Err(Failure::File(errors)) => report(&errors, format, 2),
    }
}

fn report(errors: &[Diagnostic], format: Format, status: u8) -> u8 {
    let stderr = std::io::stderr();
    let color = Color::Auto.wanted(&stderr);
    let _ = stderr.lock().write_all(diag::render(errors, format, color).as_bytes());
    status
}

fn run(args: &Args, matches: &ArgMatches) -> Result<(), Failure> {
    let cannot_write = |path: &Path, e: std::io::Error| Failure::File(vec![file_error(path, "written", &e)]);
    if let Some(path) = &args.gate_object {
        let arch = args.emulation.map_or(&AMD64, Emulation::arch);
        write_file(path, gate::object_bytes(arch), 0o644).map_err(|e| cannot_write(path, e))?;
        if args.files.is_empty() && args.libraries.is_empty() {
            return Ok(());
        }
    }
    let mut stats = Stats { print: args.stats, since: Instant::now() };
    let inputs = inputs(args, matches).map_err(Failure::File)?;
    let bytes: usize = inputs.iter().map(|i| if let Input::File(f) = i { f.bytes.len() } else { 0 }).sum();
    stats.phase("read", format_args!("{bytes} bytes"));
    let options = Options {
        entry: args.entry.clone(),
        arch: args.emulation.map(Emulation::arch),
        gc_sections: args.gc_sections,
        strip: args.strip,
        map: args.map.is_some(),
    };
    let linked = link(&inputs, &options).map_err(Failure::Rejected)?;
    stats.phase("link", format_args!("{} bytes", linked.image.len()));
    if let Some(path) = &args.map {
        let map = linked.map.as_deref().unwrap_or_default().as_bytes();
        let written = match path.as_os_str() == "-" {
            true => std::io::stdout().lock().write_all(map),
            false => write_file(path, map, 0o644),
        };
        written.map_err(|e| cannot_write(path, e))?;
    }
    let accept = recheck::recheck(&inputs, &options, &linked.image).map_err(Failure::Rejected)?;
    stats.phase("check", format_args!("{} functions, {} bytes of code", accept.functions, accept.code_bytes));
    write_file(&args.output, &linked.image, 0o755).map_err(|e| cannot_write(&args.output, e))?;
    stats.phase("write", format_args!("{}", args.output.display()));
    Ok(())
}

/// Prints how long phases took, if that was asked for.
struct Stats {
    print: bool,
    since: Instant,
}

impl Stats {
    /// Ends a phase and says something about it.
    fn phase(&mut self, name: &str, about: std::fmt::Arguments) {
        let now = Instant::now();
        if self.print {
            println!("{name:<6}{:10.6} s  {about}", (now - self.since).as_secs_f64());
        }
        self.since = now;
    }
}

/// Reads the inputs in the order of the command line.
fn inputs(args: &Args, matches: &ArgMatches) -> Result<Vec<Input>, Vec<Diagnostic>> {
    enum Word<'a> {
        File(&'a Path),
        Library(&'a OsStr),
        Start,
        End,
    }
    let mut words: BTreeMap<usize, Word> = BTreeMap::new();
    let at = |id: &str| matches.indices_of(id).into_iter().flatten();
    words.extend(at("files").zip(args.files.iter().map(|f| Word::File(f))));
    words.extend(at("libraries").zip(args.libraries.iter().map(|l| Word::Library(l))));
    words.extend(at("start_group").map(|i| (i, Word::Start)));
    words.extend(at("end_group").map(|i| (i, Word::End)));

    let (mut inputs, mut errors) = (Vec::new(), Vec::new());
    for word in words.into_values() {
        let path = match word {
            Word::File(path) => Ok(path.to_path_buf()),
            Word::Library(name) => find_library(name, &args.directories),
            Word::Start => {
                inputs.push(Input::GroupStart);
                continue;
            }
            Word::End => {
                inputs.push(Input::GroupEnd);
                continue;
            }
        };
        match path.and_then(|path| read_file(&path)) {
            Ok(file) => inputs.push(Input::File(file)),
            Err(error) => errors.push(error),
        }
    }
    if inputs.is_empty() && errors.is_empty() {
        errors.push(
            Diagnostic::general(diag::FILE, "no input files")
                .help("name objects and archives: tallink -o prog a.o b.o lib.a; see tallink --help"),
        );
    }
    if errors.is_empty() { Ok(inputs) } else { Err(errors) }
}

fn find_library(name: &OsStr, directories: &[PathBuf]) -> Result<PathBuf, Diagnostic> {
    let bytes = name.as_encoded_bytes();
    let file = match bytes.strip_prefix(b":") {
        Some(rest) => String::from_utf8_lossy(rest).into_owned(),
        None => format!("lib{}.a", name.to_string_lossy()),
    };
    let found = directories.iter().map(|d| d.join(&file)).find(|p| p.exists());
    found.ok_or_else(|| {
        let error = Diagnostic::general(diag::FILE, format!("library {file} was not found"));
        match directories.is_empty() {
            true => error.help("say where it is: -L DIR"),
            false => {
                let searched: Vec<_> = directories.iter().map(|d| d.display().to_string()).collect();
                error.note(format!("searched in {}", searched.join(", ")))
            }
        }
    })
}

fn read_file(path: &Path) -> Result<InputFile, Diagnostic> {
    let limit = talcore::limits::FILE_BYTES as u64;
    let read = || {
        let file = std::fs::File::open(path)?;
        let too_large = || std::io::Error::other("it is larger than 1 GiB");
        // A file that says that it is too large need not be read. (A pipe says that it has 0 bytes.)
        let size = Some(file.metadata()?.len()).filter(|size| *size <= limit).ok_or_else(too_large)?;
        let mut bytes = Vec::with_capacity(size as usize + 1);
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(too_large());
        }
        Ok(bytes)
    };
    let bytes = read().map_err(|e| file_error(path, "read", &e))?;
    Ok(InputFile { name: path.display().to_string(), bytes })
}

fn file_error(path: &Path, what: &str, error: &std::io::Error) -> Diagnostic {
    let message = format!("the file cannot be {what}: {error}");
    Diagnostic::new(diag::FILE, path.display().to_string().as_str(), message)
}

/// Writes a file as a whole or not at all: beside its place first, then moved there.
/// Special files such as /dev/null are written in place.
fn write_file(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?.to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(mode).open(&beside)?.write_all(bytes)?;
        std::fs::rename(&beside, path)
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Response files are spelled out, and flags of `ld` that begin with one dash get a second one.
fn expand(args: Vec<OsString>) -> Result<Vec<OsString>, Diagnostic> {
    const DEEPEST: usize = 16;
    let mut out = Vec::new();
    let mut todo: Vec<(OsString, usize)> = args.into_iter().rev().map(|a| (a, 0)).collect();
    let mut first = true;
    while let Some((arg, depth)) = todo.pop() {
        let bytes = arg.as_encoded_bytes();
        if std::mem::take(&mut first) {
            out.push(arg);
        } else if let Some(path) = arg.to_str().and_then(|a| a.strip_prefix('@')).filter(|p| !p.is_empty()) {
            let path = Path::new(path);
            let text = std::fs::read_to_string(path).map_err(|e| file_error(path, "read", &e))?;
            if depth == DEEPEST {
                let message = "response files name each other too deeply";
                return Err(Diagnostic::new(diag::FILE, path.display().to_string().as_str(), message));
            }
            todo.extend(words(&text).into_iter().rev().map(|w| (OsString::from(w), depth + 1)));
        } else if bytes.starts_with(b"-Map") {
            let mut long = OsString::from("-");
            long.push(&arg);
            out.push(long);
        } else {
            out.push(match bytes {
                b"-(" => "--start-group".into(),
                b"-)" => "--end-group".into(),
                _ => arg,
            });
        }
    }
    Ok(out)
}

/// Splits a response file at white space; quotes and backslashes protect.
fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => word.get_or_insert_default().extend(chars.next()),
            (c, Some(q)) if c == q => quote = None,
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => out.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    out
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn response_files() {
        assert_eq!(
            words("-o  a.out\n\"with space.o\" it\\'s ''"),
            ["-o", "a.out", "with space.o", "it's", ""]
        );
        assert!(words(" \n").is_empty());
    }

    #[test]
    fn arguments_are_consistent() {
        use clap::CommandFactory;
        super::Args::command().debug_assert();
    }
}
