//! Reads the files of a run, parses their declarations, and makes scopes of them.

use super::Options;
use super::ast::{Decl, DeclKind, FnSig, Ident};
use super::builder::Builder;
use super::conditions;
use super::cx::{Cx, DeclId, File, Scope};
use super::names::{Name, Names, known, suggest};
use super::parse;
use crate::ir::Span;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};
use talcore::arch::Arch;

/// The largest source file, in bytes.
const FILE_BYTES: usize = 64 << 20;
/// All files of a run together, in bytes: places are kept in 32 bits.
const TOTAL_BYTES: usize = 1 << 30;
/// How many modules one module may use, directly or not.
const FILES: usize = 1024;
/// Constants on the command line.
const DEFINES: usize = 16384;

/// Where files come from.
pub trait Loader {
    /// The contents of a file.
    ///
    /// # Errors
    ///
    /// Those of reading it; [`io::ErrorKind::NotFound`] leads on to the next directory.
    fn load(&self, path: &Path) -> io::Result<Vec<u8>>;
}

/// Reads files from the file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadFiles;

impl Loader for ReadFiles {
    fn load(&self, path: &Path) -> io::Result<Vec<u8>> {
        let size = fs::metadata(path)?.len();
        if size > FILE_BYTES as u64 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large"));
        }
        fs::read(path)
    }
}

/// The files of a run, parsed.
#[derive(Default)]
pub(super) struct Loaded {
    pub builder: Builder,
    pub names: Names,
    pub files: Vec<File>,
    /// The files' paths, without the texts of the command line.
    pub paths: Vec<PathBuf>,
    /// For each file: its declarations, the files that it uses, names of broken declarations.
    parts: Vec<Part>,
    by_path: HashMap<PathBuf, u16>,
    total: usize,
    /// Files whose text is a `-D`.
    defines: Vec<u16>,
    /// What is assembled for.
    arch: Arch,
}

#[derive(Default)]
struct Part {
    decls: std::ops::Range<usize>,
    uses: Vec<(u16, Span)>,
    broken: Vec<Name>,
    /// A module that it uses could not be read.
    incomplete: bool,
    /// It is no text: there is nothing to parse.
    unreadable: bool,
}

/// Reads the module at `path` and the interfaces that it uses.
pub(super) fn load(loader: &dyn Loader, path: &Path, options: &Options) -> Loaded {
    let names = Names::for_words(options.arch.word_bytes());
    let mut l = Loaded { names, arch: options.arch, ..Loaded::default() };
    match loader.load(path) {
        Ok(bytes) => l.add(path, bytes),
        Err(e) => {
            l.files.push(File {
                path: path.display().to_string(),
                source: Rc::default(),
                text: Rc::default(),
            });
            l.parts.push(Part::default());
            unreadable(&mut l.builder, path, Span::default(), &e);
        }
    }
    let mut next = 0;
    while next < l.files.len() && !l.builder.diags.full() {
        l.parse(next as u16);
        l.follow_uses(next, loader, path, options);
        next += 1;
    }
    if options.defines.len() > DEFINES {
        l.builder.diags.error(1411, format!("more than {DEFINES} constants on the command line"));
    }
    for (name, value) in options.defines.iter().take(DEFINES) {
        l.define(name, value.as_deref());
    }
    l
}

fn unreadable(b: &mut Builder, path: &Path, span: Span, e: &io::Error) {
    let path = path.display();
    match e.kind() {
        io::ErrorKind::FileTooLarge => {
            let most =
                format!("at most {FILE_BYTES} bytes, and {TOTAL_BYTES} with the modules that are used");
            b.diags.error(1008, format!("`{path}` is too large")).note(most)
        }
        io::ErrorKind::NotFound => b.diags.error(1009, format!("there is no file `{path}`")),
        _ => b.diags.error(1009, format!("cannot read `{path}`: {e}")),
    }
    .at(span, "");
}

impl Loaded {
    fn add(&mut self, path: &Path, bytes: Vec<u8>) {
        let file = self.files.len() as u16;
        let mut problem = None;
        self.total = self.total.saturating_add(bytes.len());
        let room = self.total <= TOTAL_BYTES;
        if bytes.len() > FILE_BYTES || !room {
            let e = io::Error::from(io::ErrorKind::FileTooLarge);
            unreadable(&mut self.builder, path, Span { file, ..Span::default() }, &e);
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) if text.len() <= FILE_BYTES && room => text,
            Ok(_) => String::new(),
            Err(e) => {
                let at = e.utf8_error().valid_up_to();
                let bytes = e.into_bytes();
                let bad = bytes.get(at).copied().unwrap_or(0);
                problem = Some((at as u32, bad));
                String::from_utf8_lossy(&bytes[..at]).into_owned()
            }
        };
        if let Some((at, bad)) = &problem {
            let at = *at;
            let span = Span { file, start: at, end: at };
            self.builder
                .diags
                .error(1007, format!("`{}` is not UTF-8 text", path.display()))
                .at(span, format!("the byte {bad:#04x} at offset {at}"))
                .help("write other bytes in strings as `\\xNN`");
        }
        let source = Rc::new(text);
        self.builder.file = file;
        let text = match conditions::select(&source, self.arch, &mut self.builder) {
            Some(text) => Rc::new(text),
            None => Rc::clone(&source),
        };
        self.files.push(File { path: path.display().to_string(), source, text });
        self.parts.push(Part { unreadable: problem.is_some(), ..Part::default() });
        self.paths.push(path.to_path_buf());
        self.by_path.insert(path.to_path_buf(), file);
    }

    fn parse(&mut self, file: u16) {
        let text = Rc::clone(&self.files[file as usize].text);
        let start = self.builder.decls.len();
        self.builder.file = file;
        if self.parts[file as usize].unreadable {
            self.parts[file as usize].decls = start..start;
            return;
        }
        let broken = parse::declarations(&mut self.builder, &mut self.names, &text);
        let part = &mut self.parts[file as usize];
        part.decls = start..self.builder.decls.len();
        part.broken = broken;
    }

    /// Loads the modules that a file uses.
    fn follow_uses(&mut self, file: usize, loader: &dyn Loader, main: &Path, options: &Options) {
        let range = self.parts[file].decls.clone();
        for i in range {
            let Decl { kind: DeclKind::Use, ident, .. } = self.builder.decls[i] else { continue };
            let name = format!("{}.tali", self.names.get(ident.name));
            let own = main.parent().unwrap_or(Path::new(""));
            let dirs = std::iter::once(own).chain(options.include.iter().map(PathBuf::as_path));
            let mut found = None;
            let incomplete = std::mem::replace(&mut self.parts[file].incomplete, true);
            let mut looked = Vec::new();
            for dir in dirs {
                let path = dir.join(&name);
                if file == 0 && main.with_extension("tali") == path {
                    found = Some(0);
                    break;
                }
                if let Some(&known) = self.by_path.get(&path) {
                    found = Some(known);
                    break;
                }
                match loader.load(&path) {
                    Ok(_) if self.files.len() >= FILES => {
                        self.builder
                            .diags
                            .error(1106, format!("more than {FILES} modules are used"))
                            .at(ident.span, "one too many");
                        return;
                    }
                    Ok(bytes) => {
                        found = Some(self.files.len() as u16);
                        self.add(&path, bytes);
                        break;
                    }
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {
                        looked.push(format!("{}", path.display()));
                    }
                    Err(e) => {
                        unreadable(&mut self.builder, &path, ident.span, &e);
                        return;
                    }
                }
            }
            match found {
                Some(0) => {
                    self.builder.diags.error(1106, "a module cannot use itself").at(ident.span, "this one");
                }
                Some(f) => {
                    self.parts[file].uses.push((f, ident.span));
                    self.parts[file].incomplete = incomplete;
                }
                None => {
                    let stem = name.trim_end_matches(".tali");
                    self.builder
                        .diags
                        .error(1105, format!("there is no interface of the module `{stem}`"))
                        .at(ident.span, format!("no file `{name}`"))
                        .note(format!("looked for {}", looked.join(", ")))
                        .help(format!("assemble `{stem}.tal` first, and name its directory with `-I`"));
                }
            }
        }
    }

    /// A constant of the command line, as a file of its own.
    fn define(&mut self, name: &str, value: Option<&str>) {
        let file = self.files.len() as u16;
        let start = self.builder.decls.len();
        let text: Rc<String> = Rc::new(format!("const {name} = {}", value.unwrap_or("1")));
        let path = "<command line>".to_string();
        self.files.push(File { path, source: Rc::clone(&text), text: Rc::clone(&text) });
        self.parts.push(Part::default());
        self.builder.file = file;
        let before = self.builder.diags.errors();
        parse::declarations(&mut self.builder, &mut self.names, &text);
        let decls = start..self.builder.decls.len();
        let good = matches!(&self.builder.decls[decls.clone()], [d] if matches!(d.kind, DeclKind::Const(_)));
        if !good && self.builder.diags.errors() == before {
            let span = Span { file, start: 0, end: text.len() as u32 };
            self.builder
                .diags
                .error(1411, "not a constant")
                .at(span, "`-D name=value` makes this of it")
                .help("the name is that of a constant, the value an expression");
        }
        self.parts[file as usize].decls = decls;
        self.defines.push(file);
    }

    /// Fills in the scopes.
    pub(super) fn declare(self, cx: &mut Cx) {
        cx.files = self.files;
        cx.scopes = self.parts.iter().map(|_| Scope::default()).collect();
        let decls = Rc::clone(&cx.decls);
        for (file, part) in self.parts.iter().enumerate() {
            cx.scopes[file].broken.extend(&part.broken);
            cx.scopes[file].incomplete = part.incomplete;
            for i in part.decls.clone() {
                cx.check_declaration(&decls[i]);
                if named(&decls[i]) {
                    cx.declare(file, i as DeclId, true);
                }
            }
        }
        for (file, part) in self.parts.iter().enumerate() {
            for (used, _) in &part.uses {
                for i in self.parts[*used as usize].decls.clone() {
                    if named(&decls[i]) && decls[i].public {
                        cx.declare(file, i as DeclId, false);
                    }
                }
                // A broken declaration of a used module may be what is meant.
                let broken = self.parts[*used as usize].broken.clone();
                cx.scopes[file].broken.extend(broken);
            }
        }
        for &file in &self.defines {
            for i in self.parts[file as usize].decls.clone() {
                cx.defines.insert(decls[i].ident.name, i as DeclId);
            }
            // The value of a constant of the command line may speak of those of the module.
            cx.scopes[file as usize].names = cx.scopes[0].names.clone();
        }
    }
}

/// Whether a declaration makes a name.
fn named(d: &Decl) -> bool {
    !matches!(d.kind, DeclKind::Arch(_) | DeclKind::Use)
}

impl Cx<'_> {
    /// Makes a declaration visible in a file.
    fn declare(&mut self, file: usize, id: DeclId, own: bool) {
        let d = self.decls[id as usize].ident;
        if own && known::ALL.contains(&d.name) && ![known::ANY, known::STRETCH, known::SIZE].contains(&d.name)
        {
            let text = self.name(d.name);
            self.error(1107, format!("`{text}` is a type of the language"))
                .at(d.span, "cannot be declared")
                .help("choose another name");
            return;
        }
        if own && self.names.get(d.name).starts_with("__tal_") {
            let text = self.name(d.name);
            self.error(1107, format!("`{text}` is reserved for the toolchain"))
                .at(d.span, "names that begin with `__tal_` are the gate and what belongs to it")
                .help("choose another name; system calls are written `sys name`");
            return;
        }
        let Some(&first) = self.scopes[file].names.get(&d.name) else {
            self.scopes[file].names.insert(d.name, id);
            return;
        };
        if first == id {
            return;
        }
        let first = self.decls[first as usize].ident;
        let text = self.name(d.name);
        let again = if own { "again here" } else { "another module's, also visible here" };
        self.error(1102, format!("`{text}` is declared twice"))
            .at(d.span, again)
            .near(first.span, "first declared here");
    }

    /// `arch name, name`: what is assembled for must be among them.
    fn check_arch(&mut self, d: &Decl, others: &[Ident]) {
        let mut all = Vec::new();
        for ident in std::iter::once(&d.ident).chain(others) {
            let name = self.name(ident.name);
            match name.as_str() {
                "amd64" => all.push(Arch::Amd64),
                "ia32" => all.push(Arch::Ia32),
                _ => {
                    let near = suggest(&name, ["amd64", "ia32"].into_iter());
                    self.error(1101, format!("there is no architecture `{name}`"))
                        .at(ident.span, "not known")
                        .suggest(near)
                        .help("`arch amd64`, `arch ia32`, or `arch amd64, ia32` for both");
                    return;
                }
            }
        }
        if all.contains(&self.options.arch) {
            return;
        }
        let (only, flag, wanted) = match self.options.arch {
            Arch::Amd64 => ("ia32", "-f elf32", "amd64"),
            Arch::Ia32 => ("amd64", "-f elf64", "ia32"),
        };
        let message = self.error(1112, format!("this module is for {only} only"));
        message.at(d.ident.span, format!("but {wanted} is assembled for"));
        if d.span.file == 0 {
            message.help(format!("choose its architecture with `{flag}`, or say `arch amd64, ia32` here"));
        } else {
            message.help("each architecture has interfaces of its own: name their directory with `-I`");
        }
    }

    /// What can be said of a declaration without looking at any other.
    fn check_declaration(&mut self, d: &Decl) {
        let interface = d.span.file != 0;
        match &d.kind {
            DeclKind::Arch(others) => self.check_arch(d, others),
            DeclKind::Struct { sealed: true, .. } => self.check_sealed(d),
            DeclKind::Const(_) | DeclKind::Struct { .. } | DeclKind::Type { .. } => (),
            DeclKind::Use if d.public => {
                self.error(1005, "`use` cannot be `pub`").at(d.span, "only declarations can");
            }
            DeclKind::Use => (),
            DeclKind::ImportFn(_) | DeclKind::ImportObject(_) if d.public => {
                self.error(1005, "an import cannot be `pub`").at(d.span, "it is another module's");
            }
            DeclKind::Fn(FnSig::Inline(_) | FnSig::Named(_)) if interface => (),
            _ => (),
        }
    }
}
