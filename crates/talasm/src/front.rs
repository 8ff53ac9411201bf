//! The front end: from source text to a resolved module and its types.
//!
//! ```text
//! source -lex-> tokens -parse-> declarations (ast) -resolve-> types, data
//!        bodies, one function at a time: -parse-> statements (ast) -resolve-> instructions (ir)
//! ```
//!
//! Everything is resolved on demand and once: a constant when an expression needs it, a struct when
//! its size does. Errors are collected; each part goes on after one as well as it can.

mod annotate;
mod ast;
mod body;
mod builder;
mod check;
mod conditions;
mod consts;
mod cx;
mod data;
mod diag;
mod facts;
mod init;
mod interface;
mod kinds;
mod layout;
mod lex;
mod load;
mod names;
mod parse;
mod pointers;
mod ranges;
mod sealed;
mod sigs;
mod strings;
mod structs;
mod syntax;
mod types;
mod unions;
mod uses;
mod when;

lalrpop_util::lalrpop_mod!(
    #[allow(clippy::all, missing_docs, unused, unreachable_pub)]
    grammar,
    "/front/grammar.rs"
);

use crate::ir::{Function, Module, Place, SymId};
use ast::{Decl, DeclKind};
use builder::Builder;
use cx::{Cx, DeclId};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use talcore::arch::Arch;
use taldiag::{Diagnostic, FileId, Sources};
use talnote::table::TypeTable;

pub use load::{Loader, ReadFiles};

/// The numbers of system calls by name: the trusted interface table.
pub trait SysNumbers {
    /// The number of a system call.
    fn number(&self, name: &str) -> Option<u32>;
    /// Whether a system call never returns.
    fn noreturn(&self, name: &str) -> bool;
    /// All names, for suggestions.
    fn names(&self) -> Vec<String>;
}

impl SysNumbers for talcore::abi::Abi {
    fn number(&self, name: &str) -> Option<u32> {
        self.by_name(name)
    }
    fn noreturn(&self, name: &str) -> bool {
        self.iter().any(|e| e.name == name) && self.iter().all(|e| e.name != name || e.noreturn)
    }
    fn names(&self) -> Vec<String> {
        self.iter().map(|e| e.name.to_string()).collect()
    }
}

/// How to read a module.
pub struct Options<'a> {
    /// The architecture to assemble for.
    pub arch: Arch,
    /// `-D name=value`: constants, in addition to or instead of those of the module. The value is an
    /// expression; without one it is 1.
    pub defines: Vec<(String, Option<String>)>,
    /// `-I dir`: where interfaces of other modules are looked for, after the module's own directory.
    pub include: Vec<PathBuf>,
    /// The numbers of system calls.
    pub sys: &'a dyn SysNumbers,
}

/// A module that was read without errors.
pub struct Front {
    /// The resolved module.
    pub module: Module,
    /// Its types.
    pub types: TypeTable,
    /// The files of [`Module::files`] as diagnostics know them.
    pub files: Vec<FileId>,
    /// The text of the interface (`.tali`) that other modules can `use`.
    pub interface: String,
    /// The files that were read, the module's own first.
    pub inputs: Vec<PathBuf>,
}

/// Reads the module at `path` and everything that it uses.
///
/// # Errors
///
/// All errors that were found, in order of places. They speak of files in `sources`.
pub fn parse_module(
    sources: &mut Sources,
    loader: &dyn Loader,
    path: &Path,
    options: &Options,
) -> Result<Front, Vec<Diagnostic>> {
    let mut loaded = load::load(loader, path, options);
    let inputs = std::mem::take(&mut loaded.paths);
    let add = |f: &cx::File| sources.add(f.path.as_str(), f.source.as_str());
    let ids: Vec<FileId> = loaded.files.iter().map(add).collect();
    let Builder { ast, decls, diags, .. } = std::mem::take(&mut loaded.builder);
    let names = std::mem::take(&mut loaded.names);
    let mut cx = Cx::new(options, ast, decls, names, diags);
    loaded.declare(&mut cx);
    let mut module = cx.module();
    if cx.diags.errors() > 0 {
        return Err(cx.diags.finish(&ids));
    }
    let interface = cx.interface();
    if cx.diags.errors() > 0 {
        return Err(cx.diags.finish(&ids));
    }
    let file = |f: cx::File| (f.path, Rc::unwrap_or_clone(f.source));
    module.files = std::mem::take(&mut cx.files).into_iter().map(file).collect();
    Ok(Front { module, types: cx.table, files: ids, interface, inputs })
}

impl Cx<'_> {
    /// Resolves everything that the module declares.
    fn module(&mut self) -> Module {
        let decls = Rc::clone(&self.decls);
        let own = |d: &&Decl| d.span.file == 0;
        let functions = self.symbols(&decls);
        for (i, d) in decls.iter().enumerate().filter(|(_, d)| own(d)) {
            self.declaration(i as DeclId, d);
            if self.diags.full() {
                return Module::default();
            }
        }
        self.define_structs();
        let order = functions.clone();
        let mut functions = self.functions(&decls, functions);
        self.define_structs();
        if functions.len() == order.len() && self.diags.errors() == 0 {
            self.infer_uses(&decls, &order, &mut functions);
        }
        // Nothing may be left out in silence.
        assert!(!self.failed || self.diags.errors() > 0, "whatever fails says why");
        Module {
            arch: self.options.arch,
            files: Vec::new(),
            symbols: std::mem::take(&mut self.symbols),
            functions,
            objects: std::mem::take(&mut self.data),
            imports: std::mem::take(&mut self.imports),
            statics: std::mem::take(&mut self.statics),
            types: {
                let exported = std::mem::take(&mut self.exported);
                exported.into_iter().map(|(decl, sym)| (self.struct_id(decl).0, sym)).collect()
            },
        }
    }

    /// Gives the module's own functions and objects their symbols; answers the functions.
    fn symbols(&mut self, decls: &[Decl]) -> Vec<(DeclId, SymId)> {
        let mut functions = Vec::new();
        for (i, d) in decls.iter().enumerate().filter(|(_, d)| d.span.file == 0) {
            if let DeclKind::Struct { sealed: true, members, .. } = &d.kind
                && !matches!(members, ast::Members::Hidden(_))
            {
                let place = Place::Type(self.exported.len() as u32);
                let name = sealed::brand(&self.name(d.ident.name));
                let sym = self.new_symbol(name, true, place, d.ident.span);
                self.exported.push((i as DeclId, sym));
                self.abstracts.insert(d.ident.name, i as DeclId);
            }
            let place = match d.kind {
                DeclKind::Fn(_) => Place::Function(functions.len() as u32),
                DeclKind::Object(_) => Place::Object(self.own_objects.len() as u32),
                _ => continue,
            };
            let name = self.name(d.ident.name);
            let sym = self.new_symbol(name, d.public, place, d.ident.span);
            self.symbol_of[i] = Some(sym);
            match place {
                Place::Function(_) => functions.push((i as DeclId, sym)),
                _ => self.own_objects.push(i as DeclId),
            }
        }
        functions
    }

    /// Resolves a declaration of the module itself, except for functions' bodies.
    fn declaration(&mut self, id: DeclId, d: &Decl) {
        let ok = match &d.kind {
            DeclKind::Const(_) => self.const_value(id, d.ident.span).is_some(),
            DeclKind::Struct { .. } => self.struct_info(id).is_some(),
            DeclKind::Type { params, body } => self.abbreviation(id, params, *body),
            DeclKind::Object(o) => match self.object(id, o) {
                Some(object) => {
                    self.data.push(object);
                    true
                }
                None => false,
            },
            DeclKind::ImportObject(_) => self.object_info(id).is_some(),
            DeclKind::ImportFn(sig) => self.fn_sig(sig, d).is_some(),
            DeclKind::Fn(_) | DeclKind::Arch(_) | DeclKind::Use => true,
        };
        self.failed |= !ok;
    }

    /// Checks an abbreviation that needs no arguments; others are checked where they are used.
    fn abbreviation(&mut self, id: DeclId, params: &[ast::Ident], body: ast::TypeId) -> bool {
        if self.param_kinds(id).is_none() || self.bound_once(params).is_none() {
            return false;
        }
        let ast = Rc::clone(&self.ast);
        let vars = cx::Vars::of(0);
        !params.is_empty() || self.layout_or_word(&ast, body, &vars).is_some()
    }

    /// Signatures and bodies of the module's functions.
    fn functions(&mut self, decls: &[Decl], list: Vec<(DeclId, SymId)>) -> Vec<Function> {
        let mut out = Vec::with_capacity(list.len());
        let mut builder = Builder::default();
        for (index, (id, sym)) in list.into_iter().enumerate() {
            let d = &decls[id as usize];
            let DeclKind::Fn(sig) = &d.kind else { continue };
            let sig = self.fn_sig(sig, d);
            self.failed |= sig.is_none();
            let (sig, var_names) = sig.unwrap_or_default();
            let Some(span) = d.body else { continue };
            builder.diags = std::mem::take(&mut self.diags);
            let text = Rc::clone(&self.files[0].text);
            parse::body(&mut builder, &mut self.names, &text, span);
            self.diags = std::mem::take(&mut builder.diags);
            if self.diags.full() {
                return out;
            }
            let function =
                Function { sym, sig, var_names, labels: Vec::new(), body: Vec::new(), span: d.ident.span };
            let function = self.function(&builder.ast, &builder.body, index as u32, function);
            if function.body.is_empty() && self.diags.errors() == 0 {
                let text = self.name(d.ident.name);
                self.error(1110, format!("the function `{text}` has no instructions"))
                    .at(d.ident.span, "falls through to whatever comes next")
                    .help(format!("a function of another module is declared with `import fn {text}(...)`"));
            }
            out.push(function);
            builder.ast.exprs.clear();
            builder.ast.types.clear();
            builder.ast.inits.clear();
        }
        out
    }
}
