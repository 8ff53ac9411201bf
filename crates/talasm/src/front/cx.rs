//! What is known while a module is resolved: declarations, scopes, symbols, memos.

use super::ast::{Ast, Decl, DeclKind, Members};
use super::diag::{Diags, Message};
use super::layout::StructState;
use super::names::{Name, Names, known, suggest};
use super::{Options, kinds::Use};
use crate::ir::{Import, ImportKind, Object, Place, Span, SymId, Symbol};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use talcore::term::Term;
use talcore::types::{LayoutId, Mode, SigId, WordId};
use talnote::table::TypeTable;

/// How deep the resolution of declarations that mention each other may go.
const NESTING: u32 = 100;
/// How many types one module may expand to.
const EXPANSION: u32 = 1 << 20;

/// A declaration: an index into [`Cx::decls`].
pub(super) type DeclId = u32;

/// A file of the run.
pub(super) struct File {
    /// As it is shown.
    pub path: String,
    /// Its contents.
    pub source: Rc<String>,
    /// The same, with blanks where it is for another architecture: what is read.
    pub text: Rc<String>,
}

/// The names of one file.
#[derive(Default)]
pub(super) struct Scope {
    /// Everything visible: own declarations and public ones of the modules it uses.
    pub names: HashMap<Name, DeclId>,
    /// Names whose declaration could not be read: using them is no further error.
    pub broken: HashSet<Name>,
    /// A module that it uses could not be read: any name may be one of that module's.
    pub incomplete: bool,
}

/// What a name in a signature, a struct or an abbreviation stands for.
#[derive(Clone, Debug)]
pub(super) enum Binding {
    /// A number.
    Index(Term),
    /// A word type.
    Word(WordId),
    /// What lies in memory: a layout variable.
    Layout(LayoutId),
    /// A jump table of the function.
    Table(SymId),
    /// Something that was already complained about.
    Broken,
}

/// What a variable of a signature stands for that is a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TypeVar {
    /// Words. `true`: they may own memory.
    Word(bool),
    /// What lies in memory: this layout.
    Layout(LayoutId),
}

/// The names that are bound around an expression or a type.
#[derive(Clone, Debug, Default)]
pub(super) struct Vars {
    /// The file whose declarations are visible.
    pub file: u16,
    /// Innermost last.
    pub list: Vec<(Name, Binding)>,
    /// Names of an enclosing signature, which cannot be used here.
    pub outer: Vec<Name>,
    /// How many variables a signature has before its own: those of its surroundings.
    pub given: usize,
}

impl Vars {
    /// No variables, in this file.
    pub(super) fn of(file: u16) -> Vars {
        Vars { file, ..Vars::default() }
    }
    /// What a name is bound to.
    pub(super) fn get(&self, name: Name) -> Option<&Binding> {
        self.list.iter().rev().find(|b| b.0 == name).map(|b| &b.1)
    }
}

/// A value that is computed once, on demand.
#[derive(Clone, Debug)]
pub(super) enum Memo<T> {
    /// Not asked for yet.
    Todo,
    /// Being computed: asking again is a cycle.
    Busy,
    /// Computed; `None` if that failed, which has been reported.
    Done(Option<T>),
}

/// What a name leads to.
pub(super) enum Found {
    Decl(DeclId),
    /// Its declaration is broken, which has been reported.
    Broken,
    Missing,
}

/// What is known of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObjectInfo {
    pub layout: LayoutId,
    /// In bytes; `None` for a string of another module whose length is hidden.
    pub size: Option<u64>,
    pub align: u32,
}

pub(super) struct Cx<'o> {
    pub options: &'o Options<'o>,
    pub ast: Rc<Ast>,
    pub decls: Rc<Vec<Decl>>,
    pub names: Names,
    pub diags: Diags,
    pub files: Vec<File>,
    pub scopes: Vec<Scope>,
    /// Constants of the command line.
    pub defines: HashMap<Name, DeclId>,
    pub table: TypeTable,
    pub consts: Vec<Memo<i128>>,
    pub objects: Vec<Memo<ObjectInfo>>,
    pub structs: HashMap<DeclId, StructState>,
    /// What declares an abstract type of this name: the module's own definition, else the first declaration.
    pub abstracts: HashMap<Name, DeclId>,
    /// The abstract types that the module exports, and their symbols.
    pub exported: Vec<(DeclId, SymId)>,
    /// By [`talcore::types::StructId`].
    pub struct_decls: Vec<DeclId>,
    /// The tags of unions that have been laid out.
    pub union_tags: std::collections::HashMap<DeclId, super::unions::Tags>,
    /// Structs that are mentioned but not defined yet.
    pub pending: Vec<DeclId>,
    /// Pointers whose layout is to be checked against their mode when all structs are defined.
    pub stable_checks: Vec<(Mode, LayoutId, Span)>,
    /// Layouts that hide sizes, to be checked once structs are known.
    pub hidden_checks: Vec<(LayoutId, Span)>,
    /// How many parts sequences have, written out.
    pub weights: HashMap<LayoutId, usize>,
    /// What exclusive borrows take and give back, to be compared then.
    pub uniq_checks: Vec<(LayoutId, LayoutId, Span)>,
    pub kinds: HashMap<DeclId, Memo<Rc<[Use]>>>,
    pub paths: HashMap<(u16, Name), Memo<super::consts::Value>>,
    pub symbols: Vec<Symbol>,
    pub symbol_of: Vec<Option<SymId>>,
    /// The symbol of the signal restorer, once it has been mentioned.
    pub restorer: Option<SymId>,
    pub imports: Vec<Import>,
    pub data: Vec<Object>,
    /// Initial values that were needed for a size, until their object is made.
    pub blobs: HashMap<DeclId, Option<super::data::Blob>>,
    /// The declarations of [`Place::Object`]s.
    pub own_objects: Vec<DeclId>,
    /// The owned statics that signatures mention.
    pub statics: Vec<SymId>,
    /// The owned statics that the module's functions use beyond what their signatures say.
    pub inferred_uses: HashMap<DeclId, Vec<DeclId>>,
    /// Bytes of initial data so far.
    pub data_bytes: u64,
    /// Something could not be resolved.
    pub failed: bool,
    /// The abbreviations that are being replaced by what they stand for.
    pub expanding: Vec<DeclId>,
    /// Those that were found to lead to themselves.
    pub endless: HashSet<DeclId>,
    /// How many declarations are being asked what their parameters stand for, one because of the other, and whether an
    /// answer was given while a struct did not know.
    pub asking: u32,
    /// The type variables of each signature that stand for words in memory too: their numbers, and whether the words
    /// are moved.
    pub type_vars: HashMap<SigId, Vec<(u32, TypeVar)>>,
    pub guessed: bool,
    nesting: u32,
    expansion: u32,
}

impl<'o> Cx<'o> {
    pub(super) fn new(
        options: &'o Options<'o>,
        ast: Ast,
        decls: Vec<Decl>,
        names: Names,
        diags: Diags,
    ) -> Cx<'o> {
        let n = decls.len();
        Cx {
            options,
            ast: Rc::new(ast),
            decls: Rc::new(decls),
            names,
            diags,
            files: Vec::new(),
            scopes: Vec::new(),
            defines: HashMap::new(),
            table: TypeTable::default(),
            consts: vec![Memo::Todo; n],
            objects: vec![Memo::Todo; n],
            structs: HashMap::new(),
            abstracts: HashMap::new(),
            exported: Vec::new(),
            struct_decls: Vec::new(),
            union_tags: Default::default(),
            pending: Vec::new(),
            stable_checks: Vec::new(),
            hidden_checks: Vec::new(),
            weights: HashMap::new(),
            uniq_checks: Vec::new(),
            kinds: HashMap::new(),
            paths: HashMap::new(),
            symbols: Vec::new(),
            symbol_of: vec![None; n],
            restorer: None,
            imports: Vec::new(),
            data: Vec::new(),
            blobs: HashMap::new(),
            own_objects: Vec::new(),
            statics: Vec::new(),
            inferred_uses: HashMap::new(),
            data_bytes: 0,
            failed: false,
            expanding: Vec::new(),
            endless: HashSet::new(),
            asking: 0,
            type_vars: HashMap::new(),
            guessed: false,
            nesting: 0,
            expansion: 0,
        }
    }

    /// The size of a machine word in bytes.
    pub(super) fn word_bytes(&self) -> u32 {
        self.options.arch.word_bytes()
    }

    pub(super) fn error(&mut self, code: u16, message: impl Into<String>) -> &mut Message {
        self.diags.error(code, message)
    }

    /// The spelling of a name.
    pub(super) fn name(&self, name: Name) -> String {
        self.names.get(name).to_string()
    }

    /// The source of a span.
    pub(super) fn text(&self, span: Span) -> &str {
        let file = self.files.get(span.file as usize);
        file.and_then(|f| f.text.get(span.start as usize..span.end as usize)).unwrap_or("")
    }

    /// Goes one level deeper; to be paired with [`Cx::leave`] if it answers true.
    pub(super) fn enter(&mut self, span: Span) -> bool {
        self.expansion += 1;
        if self.nesting >= NESTING || self.expansion > EXPANSION {
            if self.nesting >= NESTING || self.expansion == EXPANSION + 1 {
                self.error(1010, "these declarations nest too deeply")
                    .at(span, "resolving this goes through too many other declarations")
                    .help("declare what is mentioned before what mentions it");
            }
            return false;
        }
        self.nesting += 1;
        true
    }

    pub(super) fn leave(&mut self) {
        self.nesting -= 1;
    }

    pub(super) fn lookup(&self, file: u16, name: Name) -> Found {
        if file == 0
            && let Some(&d) = self.defines.get(&name)
        {
            return Found::Decl(d);
        }
        let Some(scope) = self.scopes.get(file as usize) else { return Found::Missing };
        match scope.names.get(&name) {
            Some(&d) => Found::Decl(d),
            None if scope.incomplete || scope.broken.contains(&name) => Found::Broken,
            None => Found::Missing,
        }
    }

    /// The declaration of a name; reports it if there is none.
    pub(super) fn find(&mut self, vars: &Vars, name: Name, span: Span) -> Option<DeclId> {
        match self.lookup(vars.file, name) {
            Found::Decl(d) => return Some(d),
            Found::Broken => return None,
            Found::Missing => (),
        }
        let text = self.name(name);
        if vars.outer.contains(&name) {
            self.error(1213, format!("`{text}` belongs to the enclosing signature"))
                .at(span, "cannot be used in the range of a variable of a function value")
                .note("ranges are constants; parameters, results and facts may mention variables of the surroundings")
                .help(format!("say it as a fact behind the parameters: `{{k <= {text}}}`"));
            return None;
        }
        // All names are looked through for it, so not for messages that nobody sees.
        let near = if self.diags.full() {
            None
        } else {
            let scope = &self.scopes[vars.file as usize];
            let bound = vars.list.iter().map(|v| v.0).chain(vars.outer.iter().copied());
            let all = bound.chain(scope.names.keys().copied()).chain(known::ALL.iter().copied());
            let mut texts: Vec<&str> = all.map(|n| self.names.get(n)).collect();
            texts.sort_unstable();
            suggest(&text, texts.into_iter()).map(str::to_string)
        };
        let number = text.len() <= 2 && text.bytes().all(|b| b.is_ascii_lowercase()) && near.is_none();
        let error = self.error(1101, format!("`{text}` is not defined"));
        let error =
            error.at(span, "not found in this module or in those that it uses").suggest(near.as_deref());
        if number {
            error.help(format!(
                "a number that a signature speaks of is named behind the function: `fn name[{text}](...)`"
            ));
        }
        None
    }

    /// The symbol of a function or object, made an import if it is another module's.
    pub(super) fn symbol(&mut self, decl: DeclId) -> Option<SymId> {
        if let Some(s) = self.symbol_of[decl as usize] {
            return Some(s);
        }
        let decls = Rc::clone(&self.decls);
        let d = &decls[decl as usize];
        let kind = match &d.kind {
            DeclKind::Fn(sig) | DeclKind::ImportFn(sig) => ImportKind::Function(self.fn_sig(sig, d)?.0),
            DeclKind::Object(o) | DeclKind::ImportObject(o) => {
                let layout = self.object_info(decl)?.layout.0;
                match o.section {
                    crate::ir::Section::Rodata => ImportKind::Imm(layout),
                    _ if o.owned.is_some() => ImportKind::Owned(layout),
                    _ => ImportKind::Shared(layout),
                }
            }
            _ => return None,
        };
        let place = Place::Import(self.imports.len() as u32);
        let sym = self.new_symbol(self.name(d.ident.name), true, place, d.ident.span);
        self.imports.push(Import { sym, kind });
        self.symbol_of[decl as usize] = Some(sym);
        Some(sym)
    }

    /// The symbol of the signal restorer.
    pub(super) fn restorer(&mut self, span: Span) -> SymId {
        if let Some(sym) = self.restorer {
            return sym;
        }
        let sym = self.new_symbol("__tal_restorer".to_string(), true, Place::Restorer, span);
        self.restorer = Some(sym);
        sym
    }

    pub(super) fn new_symbol(&mut self, name: String, global: bool, place: Place, span: Span) -> SymId {
        self.symbols.push(Symbol { name, global, place, span });
        SymId(self.symbols.len() as u32 - 1)
    }
}

/// What a declaration declares, with its article.
pub(super) fn what(kind: &DeclKind) -> &'static str {
    match kind {
        DeclKind::Const(_) => "a constant",
        DeclKind::Struct { members: Members::Hidden(_), .. } => "an abstract type",
        DeclKind::Struct { members: Members::Variants(..), .. } => "a union",
        DeclKind::Struct { .. } => "a struct",
        DeclKind::Type { .. } => "a type",
        DeclKind::Fn(_) | DeclKind::ImportFn(_) => "a function",
        DeclKind::Object(_) | DeclKind::ImportObject(_) => "an object",
        DeclKind::Arch(_) | DeclKind::Use => "a declaration",
    }
}
