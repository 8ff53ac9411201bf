//! The command line.

use clap::{Parser, ValueEnum};
use std::io::Write;
use std::path::{Path, PathBuf};
use taldiag::render::{Color, Format};

/// Assembles typed assembly language
///
/// Reads one source file, infers what its labels need, proves that its memory accesses stay in bounds, and
/// writes an ordinary relocatable object with annotations that `talcheck` verifies and `tallink` links.
#[derive(Parser, Clone, Debug)]
#[command(name = "talasm", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 assembled, 1 there are errors in the source, \
    2 a file could not be read or written or the command line is wrong.")]
pub struct Cli {
    /// The source; `-` is standard input
    #[arg(value_name = "FILE")]
    pub input: PathBuf,

    /// The format of the object
    #[arg(short = 'f', value_name = "FORMAT", value_enum, default_value = "elf64")]
    pub target: ObjectFormat,

    /// Where to write the object [default: the source's name with .o]; `-` is standard output
    #[arg(short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Write debugging information: lines, functions, labels
    #[arg(short = 'g')]
    pub debug: bool,

    /// A directory in which `use` looks for modules, after that of the source
    #[arg(short = 'I', value_name = "DIR")]
    pub include: Vec<PathBuf>,

    /// Define a constant; without a value it is 1
    #[arg(short = 'D', value_name = "NAME[=VALUE]", value_parser = define)]
    pub defines: Vec<(String, Option<String>)>,

    /// Demand what `talcheck --spectre` demands: see there
    #[arg(long)]
    pub spectre: bool,

    /// Write a listing with bytes and what is known at labels; `-` is standard output
    #[arg(short = 'l', value_name = "FILE")]
    pub listing: Option<PathBuf>,

    /// Write the interface of the module: the types of its public names, for `use`
    #[arg(long, value_name = "FILE")]
    pub emit_interface: Option<PathBuf>,

    /// How to print errors: human, short, json, sarif or github
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: Format,

    /// Colours: auto, always or never
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

/// Formats of objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ObjectFormat {
    /// AMD64.
    Elf64,
    /// IA-32.
    Elf32,
}

/// `NAME` or `NAME=EXPRESSION`; the front end reads the expression.
fn define(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_string())),
        None => (text, None),
    };
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_ascii_digit()) {
        return Err(format!("`{name}` is no name"));
    }
    Ok((name.to_string(), value))
}

/// Writes a file as a whole or not at all: beside its place first, then moved there. `-` is standard
/// output; special files such as /dev/null are written in place.
pub fn write_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if path.as_os_str() == "-" {
        let mut out = std::io::stdout().lock();
        return out.write_all(bytes).and_then(|()| out.flush());
    }
    if path.metadata().is_ok_and(|m| !m.is_file()) {
        return std::fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?.to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&beside)?;
        file.write_all(bytes)?;
        std::fs::rename(&beside, path)
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn constants_of_the_command_line() {
        assert_eq!(define("N=12"), Ok(("N".into(), Some("12".into()))));
        assert_eq!(define("_n1=2 * N"), Ok(("_n1".into(), Some("2 * N".into()))));
        assert_eq!(define("debug"), Ok(("debug".into(), None)));
        for wrong in ["1=2", "", "a b=1", "=1", "é=1"] {
            assert!(define(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn files_are_written_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.o");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert!(write_file(&dir.path().join("none/a.o"), b"x").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
