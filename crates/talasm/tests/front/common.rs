//! Reading modules from memory.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use talasm::front::{Front, Loader, Options, SysNumbers, parse_module};
use talcore::arch::Arch;
use taldiag::render::{Format, Renderer};
use taldiag::{Diagnostic, Sources};

/// Files in memory.
#[derive(Default)]
pub(crate) struct Files(pub(crate) HashMap<PathBuf, Vec<u8>>);

impl Loader for Files {
    fn load(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// A few system calls.
pub(crate) struct Sys;

impl SysNumbers for Sys {
    fn number(&self, name: &str) -> Option<u32> {
        Some(match name {
            "read" => 0,
            "write" => 1,
            "close" => 3,
            "exit_group" => 231,
            _ => return None,
        })
    }
    fn noreturn(&self, name: &str) -> bool {
        name == "exit_group"
    }
    fn names(&self) -> Vec<String> {
        ["read", "write", "close", "exit_group"].map(String::from).to_vec()
    }
}

/// How a test differs from the ordinary case.
#[derive(Default)]
pub(crate) struct Setup<'a> {
    pub(crate) arch: Arch,
    pub(crate) defines: &'a [(&'a str, Option<&'a str>)],
    /// Other files.
    pub(crate) files: &'a [(&'a str, &'a str)],
}

/// Reads `text` as the module `t.tal`.
pub(crate) fn read_with(text: &str, setup: &Setup) -> (Sources, Result<Front, Vec<Diagnostic>>) {
    let mut files = Files::default();
    files.0.insert("t.tal".into(), text.as_bytes().to_vec());
    for (name, text) in setup.files {
        files.0.insert(name.into(), text.as_bytes().to_vec());
    }
    let defines = setup.defines.iter().map(|(n, v)| (n.to_string(), v.map(String::from))).collect();
    let options = Options { arch: setup.arch, defines, include: vec!["inc".into()], sys: &Sys };
    let mut sources = Sources::new();
    let result = parse_module(&mut sources, &files, Path::new("t.tal"), &options);
    (sources, result)
}

/// Reads a module without errors.
pub(crate) fn ok_with(text: &str, setup: &Setup) -> Front {
    match read_with(text, setup) {
        (_, Ok(front)) => front,
        (sources, Err(diags)) => panic!("{}", human(&sources, &diags)),
    }
}

/// Reads a module without errors.
pub(crate) fn ok(text: &str) -> Front {
    ok_with(text, &Setup::default())
}

/// The messages for a person, but for the pointers to pages, which come and go by themselves.
pub(crate) fn human(sources: &Sources, diags: &[Diagnostic]) -> String {
    let text = Renderer::new("talasm", Format::Human).render(sources, diags);
    let lines = text.lines().filter(|l| !l.starts_with("  = see: "));
    lines.map(|l| format!("{l}\n")).collect()
}

/// The messages of a module with errors.
pub(crate) fn errors_with(text: &str, setup: &Setup) -> String {
    match read_with(text, setup) {
        (_, Ok(_)) => panic!("no error in:\n{text}"),
        (sources, Err(diags)) => human(&sources, &diags),
    }
}

/// The messages about the module `t.tal` of these files.
pub(crate) fn errors_of(files: &Files) -> String {
    let options = Options { arch: Arch::Amd64, defines: vec![], include: vec![], sys: &Sys };
    let mut sources = Sources::new();
    match parse_module(&mut sources, files, Path::new("t.tal"), &options) {
        Ok(_) => panic!("no error"),
        Err(diags) => human(&sources, &diags),
    }
}
