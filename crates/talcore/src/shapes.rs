//! What is worked out once about every type: sizes, scopes, and whether it is well formed.
//!
//! Runs over the tables after all notes have been read. The readers guarantee that nodes mention
//! only earlier nodes and nest at most [`limits::NESTING`] deep, except through structs; structs
//! contain each other by value only without cycles, which is checked here.

use crate::arch::Arch;
use crate::facts::Interval;
use crate::limits;
use crate::term::Term;
use crate::types::{Exists, Layout, LayoutId, Mode, Sig, StructId, Types, WordId, WordTy};
use crate::x86::insn::Width;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// What is known of a layout.
#[derive(Clone, Debug)]
struct Info {
    /// The size in bytes; `None` while a length is hidden.
    size: Option<Term>,
    /// Any bytes are a value of it.
    raw: bool,
    /// It has cells that own other memory.
    linear: bool,
    /// Cells of the unfolded layout.
    cells: usize,
}

/// The results, by layout.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    sizes: Vec<Option<Term>>,
    raw: Vec<bool>,
    linear: Vec<bool>,
    closed: Vec<bool>,
    scopes: Vec<Option<u32>>,
    borrowed: BTreeMap<WordId, [WordId; 3]>,
    opened: Vec<Option<LayoutId>>,
    generic: Vec<Option<LayoutId>>,
    string: Option<LayoutId>,
    bytes: Option<LayoutId>,
    zeros: Option<LayoutId>,
    maybe_string: Option<WordId>,
    block: Option<LayoutId>,
    longer: Vec<Option<LayoutId>>,
    arrays: Vec<Option<LayoutId>>,
    coded: Vec<bool>,
    of: [Option<WordId>; 2],
    int: Option<WordId>,
}

/// The interval of what is 0.
pub const ZERO: Interval = Interval { lo: 0, hi: 0 };

/// Why a type is not well formed.
pub type Bad = &'static str;

impl Shapes {
    /// Appends the layouts that opening a hidden length needs and the block of process start, then
    /// measures and checks everything.
    pub fn of(types: &mut Types, arch: Arch) -> Result<Shapes, Bad> {
        let mut opened = vec![None; types.layouts.len()];
        let cstr = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Cstr(Some(Term::var(0))));
        let bytes = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Bytes(Term::var(0)));
        let zero = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Num(Width::B1, ZERO));
        let zeros = LayoutId(types.layouts.len() as u32);
        types.layouts.push(Layout::Array(Term::var(0), zero));
        for (i, slot) in opened.iter_mut().enumerate() {
            match types.layouts[i] {
                Layout::Cstr(None) => *slot = Some(cstr),
                Layout::NullTerm(None, word) => {
                    *slot = Some(LayoutId(types.layouts.len() as u32));
                    types.layouts.push(Layout::NullTerm(Some(Term::var(0)), word));
                }
                _ => {}
            }
        }
        let (block, maybe_string) = block(types);
        let mut push = |word| {
            types.words.push(word);
            Some(WordId(types.words.len() as u32 - 1))
        };
        let of = [push(WordTy::Of(Term::var(0), false)), push(WordTy::Of(Term::var(0), true))];
        let int = push(WordTy::Range(Interval::unsigned(arch.word_bits())));
        let borrowed = borrowed(types);
        let longer = longer(types);
        let arrays = arrays(types);
        opened.resize(types.layouts.len(), None);
        for (slot, layout) in opened.iter_mut().zip(&types.layouts) {
            if *layout == Layout::Cstr(None) {
                *slot = Some(cstr);
            }
        }
        let mut m = Measure {
            types,
            arch,
            done: vec![None; types.layouts.len()],
            structs: vec![Progress::None; types.structs.len()],
            word_scopes: vec![None; types.words.len()],
            layout_scopes: vec![None; types.layouts.len()],
        };
        m.everything()?;
        let coded = (0..types.words.len() as u32).map(|i| m.coded(WordId(i))).collect();
        let closed = m.word_scopes.iter().map(|scope| *scope == Some(0)).collect();
        let done = core::mem::take(&mut m.done);
        let sizes = done.iter().map(|i| i.as_ref().and_then(|i| i.size.clone())).collect();
        let raw = done.iter().map(|i| i.as_ref().is_some_and(|i| i.raw)).collect();
        let linear = done.iter().map(|i| i.as_ref().is_none_or(|i| i.linear)).collect();
        Ok(Shapes {
            sizes,
            raw,
            linear,
            closed,
            scopes: core::mem::take(&mut m.layout_scopes),
            borrowed,
            opened,
            generic: generic(types),
            string: Some(cstr),
            bytes: Some(bytes),
            zeros: Some(zeros),
            maybe_string: Some(maybe_string),
            block: Some(block),
            longer,
            arrays,
            coded,
            of,
            int,
        })
    }

    /// The size of a layout in bytes, over the variables of its scope.
    pub fn size(&self, id: LayoutId) -> Option<&Term> {
        self.sizes.get(id.index())?.as_ref()
    }

    /// The size of a layout of which any bytes are a value.
    pub fn raw_size(&self, id: LayoutId) -> Option<&Term> {
        if self.raw.get(id.index()).copied().unwrap_or(false) { self.size(id) } else { None }
    }

    /// Whether memory of this layout owns other memory, so that its words may not be copied out of it freely.
    pub fn linear(&self, id: LayoutId) -> bool {
        self.linear.get(id.index()).copied().unwrap_or(true)
    }

    /// Whether a word type mentions no variables from outside.
    pub fn closed(&self, id: WordId) -> bool {
        self.closed.get(id.index()).copied().unwrap_or(false)
    }

    /// Whether a word type has a code: it mentions no variables from outside, and may lie in memory.
    pub fn coded(&self, id: WordId) -> bool {
        self.coded.get(id.index()).copied().unwrap_or(false)
    }

    /// The word type whose code is the variable 0; `linear`: it may own memory.
    pub fn variable(&self, linear: bool) -> WordId {
        self.of[usize::from(linear)].unwrap_or(WordId(0))
    }

    /// `int`: any word.
    pub fn int(&self) -> WordId {
        self.int.unwrap_or(WordId(0))
    }

    /// What a word that owns memory or is 0 is seen as through a borrow of the memory that it lies in.
    pub fn borrowed(&self, id: WordId, mode: Mode) -> Option<WordId> {
        let i = BORROWS.iter().position(|m| *m == mode)?;
        self.borrowed.get(&id).map(|words| words[i])
    }

    /// The layout that names the length (variable 0) which this one hides.
    pub fn opened(&self, id: LayoutId) -> Option<LayoutId> {
        self.opened.get(id.index()).copied().flatten()
    }

    /// `cstr(v0)`: a string whose hidden length got a name.
    pub fn string(&self) -> LayoutId {
        self.string.unwrap_or(LayoutId(0))
    }

    /// One more than the largest variable that a layout mentions.
    pub fn scope(&self, id: LayoutId) -> Option<u32> {
        self.scopes.get(id.index()).copied().flatten()
    }

    /// `zero(v0)`: bytes that are 0.
    pub fn zeros(&self) -> LayoutId {
        self.zeros.unwrap_or(LayoutId(0))
    }

    /// The layout that applies a struct to the variables 0, 1, 2, ..., if there is one.
    pub fn generic(&self, id: StructId) -> Option<LayoutId> {
        self.generic.get(id.index()).copied().flatten()
    }

    /// For a layout that applies a struct to the variables 0, 1, 2, ...: that, and bytes behind it of the size that the
    /// next variable says.
    pub fn longer(&self, id: LayoutId) -> Option<LayoutId> {
        self.longer.get(id.index()).copied().flatten()
    }

    /// For an array the one in whose form states have it: of `v0` elements that mention no variables, or of `v1` words of
    /// the type whose code is `v0`.
    pub fn array(&self, id: LayoutId) -> Option<LayoutId> {
        self.arrays.get(id.index()).copied().flatten()
    }

    /// `bytes(v0)`: memory whose contents have been forgotten.
    pub fn bytes(&self) -> LayoutId {
        self.bytes.unwrap_or(LayoutId(0))
    }

    /// `opt imm cstr`: a word of the environment.
    pub fn maybe_string(&self) -> WordId {
        self.maybe_string.unwrap_or(WordId(0))
    }

    /// The block that the kernel writes before a process starts.
    pub fn block(&self) -> LayoutId {
        self.block.unwrap_or(LayoutId(0))
    }
}

/// `{ argc: int(v0), argv: [v0]imm cstr, int(0), envp: nullterm of imm cstr }`, over the variables
/// 0 (the number of arguments) and 1 (the number of environment strings).
fn block(types: &mut Types) -> (LayoutId, WordId) {
    let layout = |types: &mut Types, l| {
        types.layouts.push(l);
        LayoutId(types.layouts.len() as u32 - 1)
    };
    let word = |types: &mut Types, w| {
        types.words.push(w);
        WordId(types.words.len() as u32 - 1)
    };
    let string = layout(types, Layout::Cstr(None));
    let pointer = word(types, WordTy::Ptr(crate::types::Mode::Imm, string));
    let maybe = word(types, WordTy::Opt(pointer));
    let count = word(types, WordTy::Int(Term::var(0)));
    let zero = word(types, WordTy::Int(Term::zero()));
    let argc = layout(types, Layout::Cell(count));
    let arg = layout(types, Layout::Cell(pointer));
    let argv = layout(types, Layout::Array(Term::var(0), arg));
    let end = layout(types, Layout::Cell(zero));
    let envp = layout(types, Layout::NullTerm(Some(Term::var(1)), maybe));
    (layout(types, Layout::Seq([argc, argv, end, envp].into())), maybe)
}

/// The modes of borrows that show what is owned by the memory that is borrowed.
pub const BORROWS: [Mode; 3] = [Mode::Mut, Mode::Read, Mode::Frozen];

/// Appends for each word `opt own L`, also with hidden sizes, the words `opt &mut L`, `opt &L` and `opt &frozen L`.
fn borrowed(types: &mut Types) -> BTreeMap<WordId, [WordId; 3]> {
    let ids = || types.words.iter().zip(0..);
    let mut pointers: BTreeMap<(Mode, LayoutId), WordId> = BTreeMap::new();
    let mut opts: BTreeMap<WordId, WordId> = BTreeMap::new();
    for (word, id) in ids() {
        match word {
            WordTy::Ptr(mode, l) => drop(pointers.entry((*mode, *l)).or_insert(WordId(id))),
            WordTy::Opt(inner) => drop(opts.entry(*inner).or_insert(WordId(id))),
            _ => {}
        }
    }
    let owners: Vec<(WordId, WordId)> = ids()
        .filter_map(|(word, id)| match word {
            WordTy::Opt(inner) if types.linear(*inner) => Some((WordId(id), *inner)),
            _ => None,
        })
        .collect();
    let mut out = BTreeMap::new();
    for (id, inner) in owners {
        let Some((_, layout)) = types.pointer(inner) else { continue };
        let hidden = match types.word(inner) {
            WordTy::Exists(e) => Some(e.clone()),
            _ => None,
        };
        let mut push = |word: WordTy| {
            types.words.push(word);
            WordId(types.words.len() as u32 - 1)
        };
        let words = BORROWS.map(|mode| {
            let key = (mode, layout);
            let word = *pointers.entry(key).or_insert_with(|| push(WordTy::Ptr(mode, layout)));
            let word = match &hidden {
                Some(e) => push(WordTy::Exists(Exists { word, ..e.clone() })),
                None => word,
            };
            *opts.entry(word).or_insert_with(|| push(WordTy::Opt(word)))
        });
        out.insert(id, words);
    }
    out
}

/// Appends for each layout that applies a struct to the variables 0, 1, 2, ... the one with bytes behind it.
fn longer(types: &mut Types) -> Vec<Option<LayoutId>> {
    let mut found = vec![None; types.layouts.len()];
    for (i, slot) in found.iter_mut().enumerate() {
        let Layout::Struct(_, args) = &types.layouts[i] else { continue };
        if args.iter().zip(0..).all(|(t, v)| t.as_var() == Some(v)) {
            let rest = Layout::Bytes(Term::var(args.len() as u32));
            types.layouts.push(rest);
            let rest = LayoutId(types.layouts.len() as u32 - 1);
            types.layouts.push(Layout::Seq([LayoutId(i as u32), rest].into()));
            *slot = Some(LayoutId(types.layouts.len() as u32 - 1));
        }
    }
    found
}

/// Appends for each array the one that states have: see [`Shapes::array`]. (Elements that mention variables from outside
/// are left as they are.)
fn arrays(types: &mut Types) -> Vec<Option<LayoutId>> {
    let mut found = vec![None; types.layouts.len()];
    let mut known: BTreeMap<LayoutId, LayoutId> = BTreeMap::new();
    let mut of: [Option<LayoutId>; 2] = [None; 2];
    let push = |types: &mut Types, layout| {
        types.layouts.push(layout);
        LayoutId(types.layouts.len() as u32 - 1)
    };
    for (i, slot) in found.iter_mut().enumerate() {
        let Layout::Array(_, elem) = types.layouts[i] else { continue };
        let word = match types.layout(elem) {
            Layout::Cell(word) => types.word(*word).clone(),
            Layout::Num(..) => WordTy::Range(Interval::ALL),
            Layout::Struct(_, args) if args.is_empty() => WordTy::Range(Interval::ALL),
            _ => continue,
        };
        *slot = Some(match word {
            WordTy::Of(_, linear) => *of[usize::from(linear)].get_or_insert_with(|| {
                types.words.push(WordTy::Of(Term::var(0), linear));
                let word = WordId(types.words.len() as u32 - 1);
                let cell = push(types, Layout::Cell(word));
                push(types, Layout::Array(Term::var(1), cell))
            }),
            _ if scope_of(types, &word, 0) == Some(0) => {
                *known.entry(elem).or_insert_with(|| push(types, Layout::Array(Term::var(0), elem)))
            }
            _ => continue,
        });
    }
    found
}

/// One past the largest variable of a word type; `None`: who knows.
fn scope_of(types: &Types, word: &WordTy, depth: usize) -> Option<u32> {
    match word {
        WordTy::Int(t) | WordTy::Of(t, _) => Some(t.scope()),
        WordTy::Range(_) | WordTy::Fn(_) => Some(0),
        WordTy::FnAt(_, args) => Some(args.iter().map(Term::scope).max().unwrap_or(0)),
        WordTy::Exists(e) => Some(e.first),
        WordTy::Ptr(_, l) => match types.layout(*l) {
            Layout::Struct(_, args) => Some(args.iter().map(Term::scope).max().unwrap_or(0)),
            Layout::Bytes(t) | Layout::Cstr(Some(t)) => Some(t.scope()),
            Layout::Cstr(None) => Some(0),
            _ => None,
        },
        WordTy::Opt(w) | WordTy::Res(w) if depth < 2 => scope_of(types, types.word(*w), depth + 1),
        _ => None,
    }
}

/// For each struct the first layout that applies it to the variables 0, 1, 2, ...
fn generic(types: &Types) -> Vec<Option<LayoutId>> {
    let mut found = vec![None; types.structs.len()];
    for (i, layout) in types.layouts.iter().enumerate() {
        if let Layout::Struct(s, args) = layout
            && args.iter().zip(0..).all(|(t, v)| t.as_var() == Some(v))
            && let Some(slot) = found.get_mut(s.index())
            && slot.is_none()
        {
            *slot = Some(LayoutId(i as u32));
        }
    }
    found
}

struct Measure<'t> {
    types: &'t Types,
    arch: Arch,
    // Everything is worked out once: what nests 64 deep may have more paths than there are bytes.
    done: Vec<Option<Info>>,
    structs: Vec<Progress>,
    /// One past the largest variable.
    word_scopes: Vec<Option<u32>>,
    layout_scopes: Vec<Option<u32>>,
}

/// How far a struct is.
#[derive(Clone)]
enum Progress {
    None,
    Begun,
    Done(Info),
}

impl Measure<'_> {
    fn everything(&mut self) -> Result<(), Bad> {
        for i in 0..self.types.layouts.len() {
            self.layout(LayoutId(i as u32), 0)?;
        }
        for i in 0..self.types.words.len() {
            self.word_scope(WordId(i as u32), 0)?;
        }
        for (i, s) in self.types.structs.iter().enumerate() {
            self.fields(StructId(i as u32), 0)?;
            for f in &s.fields {
                if self.layout_scope(*f, 0)? > s.params {
                    return Err("a field mentions a variable that is no parameter of its struct");
                }
            }
            if s.facts.iter().any(|f| f.scope() > s.params) {
                return Err("a fact of a struct mentions a variable that is no parameter");
            }
        }
        for sig in &self.types.sigs {
            self.sig(sig)?;
        }
        Ok(())
    }

    fn layout(&mut self, id: LayoutId, depth: usize) -> Result<Info, Bad> {
        if depth > 2 * limits::NESTING {
            return Err("types are nested too deeply");
        }
        match self.done.get(id.index()) {
            None => return Err("a type that does not exist"),
            Some(Some(info)) => return Ok(info.clone()),
            Some(None) => {}
        }
        let word = i128::from(self.arch.word_bytes());
        let types = self.types;
        let info = match types.layout(id) {
            Layout::Bytes(n) => Info { size: Some(n.clone()), raw: true, linear: false, cells: 1 },
            Layout::Cstr(m) => {
                let size = m.as_ref().map(|m| m.offset(1).ok_or("a size is too large")).transpose()?;
                Info { size, raw: false, linear: false, cells: 1 }
            }
            Layout::Cell(w) => {
                self.storable(*w)?;
                let raw = matches!(types.word(*w), WordTy::Range(r) if any(self.arch.word_bits(), r));
                Info { size: Some(Term::from(word)), raw, linear: types.linear(*w), cells: 1 }
            }
            Layout::Num(w, range) => {
                let bits = w.bits();
                if bits > self.arch.word_bits() {
                    return Err("an integer cell wider than a word");
                }
                if !range.within(&Interval::unsigned(bits)) && !range.within(&Interval::signed(bits)) {
                    return Err("the range of an integer cell does not fit its width");
                }
                let size = Some(Term::from(i128::from(w.bytes())));
                Info { size, raw: any(bits, range), linear: false, cells: 1 }
            }
            Layout::Array(n, elem) => {
                let elem = self.layout(*elem, depth + 1)?;
                match elem.size.as_ref().and_then(|s| s.as_const()) {
                    Some(s) if s >= 1 => {
                        let size = n.scale(s).ok_or("a size is too large")?;
                        Info { size: Some(size), ..elem }
                    }
                    _ => return Err("the elements of an array need a constant size of at least one byte"),
                }
            }
            Layout::NullTerm(k, w) => {
                if !matches!(types.word(*w), WordTy::Opt(_)) {
                    return Err("the words of a null-terminated array are of an `opt` type");
                }
                if k.is_none() && self.word_scope(*w, 0)? > 0 {
                    return Err("a null-terminated array of hidden length needs closed words");
                }
                self.storable(*w)?;
                if types.linear(*w) {
                    return Err("a null-terminated array cannot own what its words point to");
                }
                let size =
                    k.as_ref().map(|k| k.offset(1).and_then(|n| n.scale(word)).ok_or("a size is too large"));
                Info { size: size.transpose()?, raw: false, linear: false, cells: 1 }
            }
            Layout::Struct(id, args) => {
                if types.structs.get(id.index()).is_none_or(|s| s.params as usize != args.len()) {
                    return Err("a struct with another number of parameters");
                }
                let body = self.fields(*id, depth)?;
                let size = body.size.and_then(|s| s.subst(args)).ok_or("a size is too large")?;
                Info { size: Some(size), ..body }
            }
            Layout::Seq(parts) => self.sequence(parts, depth)?,
        };
        if info.cells > limits::FRAME_CELLS * 4 {
            return Err("a layout has too many cells");
        }
        self.done[id.index()] = Some(info.clone());
        Ok(info)
    }

    fn fields(&mut self, id: StructId, depth: usize) -> Result<Info, Bad> {
        match self.structs.get(id.index()) {
            Some(Progress::Done(info)) => return Ok(info.clone()),
            Some(Progress::Begun) => return Err("a struct contains itself"),
            None => return Err("a struct that does not exist"),
            Some(Progress::None) => {}
        }
        self.structs[id.index()] = Progress::Begun;
        let info = self.sequence(&self.types.strukt(id).fields, depth)?;
        self.structs[id.index()] = Progress::Done(info.clone());
        Ok(info)
    }

    fn sequence(&mut self, parts: &[LayoutId], depth: usize) -> Result<Info, Bad> {
        let mut sum = Info { size: Some(Term::zero()), raw: true, linear: false, cells: 0 };
        for part in parts {
            let part = self.layout(*part, depth + 1)?;
            let (a, b) =
                sum.size.as_ref().zip(part.size.as_ref()).ok_or("a hidden length inside a layout")?;
            sum = Info {
                size: Some(a.add(b).ok_or("a size is too large")?),
                raw: sum.raw && part.raw,
                linear: sum.linear || part.linear,
                cells: sum.cells.saturating_add(part.cells),
            };
        }
        Ok(sum)
    }

    /// Words in memory outlive every call: no borrows, and no variables for types.
    fn storable(&self, id: WordId) -> Result<(), Bad> {
        match self.types.word(id) {
            WordTy::Ptr(mode, _) if mode.borrow() => Err("a borrowed pointer cannot be stored in memory"),
            WordTy::Var(_) => Err("a word type variable cannot be stored in memory"),
            WordTy::Res(_) => Err("an address or error number is tested before it is stored in memory"),
            WordTy::Opt(inner) => match self.types.word(*inner) {
                WordTy::Ptr(..) | WordTy::Fn(_) | WordTy::Exists(_) => self.storable(*inner),
                _ => Err("`opt` of a word that is no pointer"),
            },
            WordTy::Exists(e) => match self.types.word(e.word) {
                WordTy::Ptr(..) => self.storable(e.word),
                _ => Err("`exists` of a word that is no pointer"),
            },
            _ => Ok(()),
        }
    }

    fn coded(&self, id: WordId) -> bool {
        let scope = self.word_scopes.get(id.index()).copied().flatten();
        scope == Some(0) && !matches!(self.types.word(id), WordTy::Of(..)) && self.storable(id).is_ok()
    }

    fn word_scope(&mut self, id: WordId, depth: usize) -> Result<u32, Bad> {
        if depth > 2 * limits::NESTING {
            return Err("types are nested too deeply");
        }
        if let Some(scope) = self.word_scopes.get(id.index()).ok_or("a type that does not exist")? {
            return Ok(*scope);
        }
        let scope = match self.types.word(id) {
            WordTy::Int(t) | WordTy::Of(t, _) => t.scope(),
            WordTy::Ptr(_, l) => self.layout_scope(*l, depth + 1)?,
            WordTy::Opt(w) | WordTy::Res(w) => self.word_scope(*w, depth + 1)?,
            WordTy::Exists(e) => {
                let all = e.first.checked_add(e.vars.len() as u32).filter(|n| *n as usize <= limits::BINDERS);
                let all = all.ok_or("an existential binds too many variables")?;
                if self.word_scope(e.word, depth + 1)? > all || e.facts.iter().any(|f| f.scope() > all) {
                    return Err("an existential mentions a variable that it does not bind");
                }
                e.first
            }
            WordTy::FnAt(sig, args) => {
                if self.types.sigs.get(sig.index()).is_none_or(|s| s.vars.len() < args.len() || s.start) {
                    return Err("a function value with more arguments than its signature has variables");
                }
                args.iter().map(Term::scope).max().unwrap_or(0)
            }
            WordTy::Range(_) | WordTy::Fn(_) | WordTy::Var(_) => 0,
        };
        self.word_scopes[id.index()] = Some(scope);
        Ok(scope)
    }

    fn layout_scope(&mut self, id: LayoutId, depth: usize) -> Result<u32, Bad> {
        if depth > 2 * limits::NESTING {
            return Err("types are nested too deeply");
        }
        if let Some(scope) = self.layout_scopes.get(id.index()).ok_or("a type that does not exist")? {
            return Ok(*scope);
        }
        let scope = match self.types.layout(id) {
            Layout::Bytes(t) => t.scope(),
            Layout::Cstr(t) => t.as_ref().map_or(0, Term::scope),
            Layout::Cell(w) => self.word_scope(*w, depth + 1)?,
            Layout::Num(..) => 0,
            Layout::Array(n, l) => n.scope().max(self.layout_scope(*l, depth + 1)?),
            Layout::NullTerm(k, w) => k.as_ref().map_or(0, Term::scope).max(self.word_scope(*w, depth + 1)?),
            Layout::Struct(_, args) => args.iter().map(Term::scope).max().unwrap_or(0),
            Layout::Seq(parts) => {
                let mut scope = 0;
                for p in parts {
                    scope = scope.max(self.layout_scope(*p, depth + 1)?);
                }
                scope
            }
        };
        self.layout_scopes[id.index()] = Some(scope);
        Ok(scope)
    }

    fn sig(&mut self, sig: &Sig) -> Result<(), Bad> {
        let vars = sig.vars.len() as u32;
        let all = vars + sig.result_vars.len() as u32;
        if sig.vars.len() + sig.result_vars.len() > limits::BINDERS
            || sig.word_vars as usize > limits::BINDERS
        {
            return Err("a signature binds too many variables");
        }
        let registers = self.arch.registers();
        for list in [&sig.params, &sig.results] {
            let sorted = list.windows(2).all(|w| w[0].0 < w[1].0);
            if !sorted || list.iter().any(|(r, _)| *r >= registers || *r == 4) {
                return Err("the registers of a signature are doubled, unordered or not for words");
            }
        }
        for &(_, w) in sig.params.iter() {
            self.sig_word(sig, w, vars)?;
        }
        for &w in &sig.stack {
            self.sig_word(sig, w, vars)?;
            // What is given back is found by its register.
            if let Some((crate::types::Mode::Uniq, l)) = self.types.pointer(w)
                && !self.layout(l, 0)?.raw
            {
                return Err("an exclusive borrow of typed memory is passed in a register");
            }
        }
        for &(r, w) in &sig.results {
            self.sig_word(sig, w, all)?;
            if sig.preserved >> r & 1 == 1 {
                return Err("a preserved register cannot hold a result");
            }
            if self.types.pointer(w).is_some_and(|(mode, _)| mode.borrow()) {
                return Err("a borrowed pointer cannot be a result");
            }
        }
        if sig.facts.iter().any(|f| f.scope() > vars) || sig.result_facts.iter().any(|f| f.scope() > all) {
            return Err("a fact of a signature mentions a variable that it does not bind");
        }
        if !sig.gives_back.windows(2).all(|w| w[0].0 < w[1].0) {
            return Err("what exclusive borrows give back is doubled or unordered");
        }
        for &(r, l) in &sig.gives_back {
            let taken = sig.params.iter().find(|(p, _)| *p == r).map(|(_, w)| self.types.word(*w));
            let Some(WordTy::Ptr(crate::types::Mode::Uniq, k)) = taken else {
                return Err("only an exclusive borrow is given back");
            };
            let (takes, gives) = (self.layout(*k, 0)?, self.layout(l, 0)?);
            if self.layout_scope(l, 0)? > all {
                return Err("a signature mentions a variable that it does not bind");
            }
            if takes.size.is_none() || takes.size != gives.size || takes.raw != gives.raw {
                return Err("an exclusive borrow is given back with another size, or raw and not raw");
            }
        }
        self.kept(sig, all)?;
        let plain = sig.params.is_empty() && sig.stack.is_empty() && sig.results.is_empty() && vars == 0;
        if sig.start && !(plain && sig.facts.is_empty() && sig.noreturn && sig.preserved == 0) {
            return Err("`start` has no arguments and does not return");
        }
        Ok(())
    }

    /// What the caller keeps: memory that it gave away whole, as its owner, and a word that tells.
    fn kept(&mut self, sig: &Sig, all: u32) -> Result<(), Bad> {
        if !sig.kept.windows(2).all(|w| w[0].param < w[1].param) || sig.noreturn && !sig.kept.is_empty() {
            return Err("what the caller keeps is doubled or unordered");
        }
        let words = Interval::unsigned(self.arch.word_bits());
        for k in &sig.kept {
            let taken = sig.params.iter().find(|p| p.0 == k.param).map(|p| self.types.word(p.1));
            let Some(WordTy::Ptr(Mode::Own, given)) = taken else {
                return Err("the caller keeps only what it gave away as `own`");
            };
            if !sig.results.iter().any(|r| r.0 == k.result) || !k.range.within(&words) {
                return Err("no result tells whether the caller keeps what it gave away");
            }
            if self.layout_scope(k.layout, 0)? > all {
                return Err("a signature mentions a variable that it does not bind");
            }
            let (given, kept) = (self.layout(*given, 0)?, self.layout(k.layout, 0)?);
            if given.size.is_none() || given.size != kept.size {
                return Err("what the caller keeps has another size than what it gave away");
            }
        }
        Ok(())
    }

    fn sig_word(&mut self, sig: &Sig, id: WordId, scope: u32) -> Result<(), Bad> {
        if self.word_scope(id, 0)? > scope {
            return Err("a signature mentions a variable that it does not bind");
        }
        match self.types.word(id) {
            WordTy::Var(v) if *v >= sig.word_vars => {
                Err("a signature mentions a variable that it does not bind")
            }
            WordTy::Opt(inner) => match self.types.word(*inner) {
                // It would be copied and lent twice before it is tested.
                WordTy::Ptr(crate::types::Mode::Uniq, _) => {
                    Err("an exclusive borrow that may be 0 is not typed yet")
                }
                WordTy::Ptr(..) | WordTy::Fn(_) | WordTy::Exists(_) => self.sig_word(sig, *inner, scope),
                _ => Err("`opt` of a word that is no pointer"),
            },
            WordTy::Res(inner) => match self.types.word(*inner) {
                WordTy::Ptr(crate::types::Mode::Uniq, _) => {
                    Err("an exclusive borrow that may be an error is not typed yet")
                }
                WordTy::Ptr(..) | WordTy::Exists(_) => self.sig_word(sig, *inner, scope),
                _ => Err("`res` of a word that is no pointer"),
            },
            WordTy::Exists(e) => match self.types.word(e.word) {
                WordTy::Ptr(mode, _) if *mode != crate::types::Mode::Uniq => Ok(()),
                _ => Err("`exists` of a word that is no pointer, or of an exclusive borrow"),
            },
            _ => Ok(()),
        }
    }
}

fn any(bits: u32, range: &Interval) -> bool {
    Interval::unsigned(bits).within(range) || Interval::signed(bits).within(range)
}
