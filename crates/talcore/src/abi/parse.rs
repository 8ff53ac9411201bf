//! Reads an interface table, and refuses entries that break the rules a machine can check.
//!
//! ```text
//! table  = "arch" NAME item*
//! item   = "const" NAME "=" number ("," NAME "=" number)*        named constants
//!        | "set" NAME "=" set                                    a named list of constants
//!        | "sys" NAME "=" number binders? "(" params? ")" facts? result "man" NAME "(" n ")"
//! binders = "[" NAME (":" number ".." number?)? ("," ...)* "]"   default 0 .. 2^(W-1)-1
//! params = REG ":" kind ("," REG ":" kind)*
//! kind   = "path" | "bits" "(" set ")" | "one" "(" set ")" | constant
//!        | word | owned | "0" "|" pointer
//!        | "len" "(" NAME ")"                                    a number in memory that is read and written
//!        | "vec" "mut"? "(" NAME "," NAME ")"                    pairs of pointer and size: their number, all bytes
//!        | "strings"                                             pointers to strings, then 0
//!        | "action" "(" set ")"                                  how a signal is handled, with these flags
//! word   = "int" | "int" "(" term ")" | pointer
//! owned  = "own" ( "bytes" | "zero" | "foreign" ) "(" term ")"   memory that belongs to the word's holder alone
//! pointer = "&" "mut"? "[" term "]"                              at least so many raw bytes
//! set    = NAME-or-number ("|" NAME-or-number)*                  a named set stands for its members
//! result = "noreturn" | "->" "(" REG ":" answer ")" facts?
//! answer = "int" | "int" "(" bound ".." bound ")" | "int" "(" NAME ")" | "res" (owned | "ref" "bytes" "(" term ")")
//! facts  = "{" term ("<=" term)+ ("," ...)* "}"
//! term   = ("-"? product) (("+" | "-") product)*,  product = number | NAME | number "*" NAME
//! ```
//!
//! `;` starts a comment. A name in a result that no binder binds is a result variable.

use super::conventions::{ARCHS, Arch};
use super::lex::{Lexer, Token};
use super::{Abi, AbiError, Entry, Param, ParamKind};
use crate::facts::{Facts, Interval};
use crate::term::{Term, Var};
use crate::types::{Layout, LayoutId, Mode, Types, WordId, WordTy};
use crate::x86::insn::Reg;
use crate::x86::insn::Width;
use alloc::vec::Vec;

type Result<T> = core::result::Result<T, AbiError>;

/// Reads a table.
pub(super) fn table(text: &'static str, types: &mut Types) -> Result<Abi> {
    let mut lex = Lexer::new(text)?;
    lex.expect("arch")?;
    let at = lex.at();
    let name = lex.name()?;
    let Some(arch) = ARCHS.iter().find(|a| a.name == name) else {
        return Err(AbiError { at, expected: "amd64 or ia32" });
    };
    let mut parser = Parser { lex, arch, types, words: Vec::new(), layouts: Vec::new(), sets: Vec::new() };
    let mut entries = Vec::new();
    while parser.lex.peek() != Token::End {
        if parser.lex.eat("const")? {
            parser.constants()?;
        } else if parser.lex.eat("set")? {
            let name = parser.lex.name()?;
            parser.lex.expect("=")?;
            let members = parser.set()?;
            parser.sets.push((name, members));
        } else if parser.lex.eat("sys")? {
            entries.push(parser.entry()?);
        } else {
            return parser.lex.error("const, set or sys");
        }
    }
    entries.sort_by_key(|e| e.number);
    Ok(Abi {
        entries,
        word_bits: arch.id.word_bits(),
        clobbers: arch.clobbers,
        handler: arch.handler,
        handler_flags: arch.handler_flags,
        inputs: arch.regs.iter().fold(0, |set, r| set | 1 << r.1.0),
    })
}

struct Parser<'t> {
    lex: Lexer,
    arch: &'static Arch,
    types: &'t mut Types,
    /// Word types made by this parser, to make each once.
    words: Vec<WordId>,
    /// Layouts made so far.
    layouts: Vec<LayoutId>,
    /// Named sets; a named constant is a set of one.
    sets: Vec<(&'static str, Vec<i128>)>,
}

/// The variables of one entry: those of the arguments first.
#[derive(Default)]
struct Scope {
    names: Vec<&'static str>,
    intervals: Vec<Interval>,
    /// How many are bound by the arguments.
    args: usize,
}

impl Scope {
    fn find(&self, name: &str) -> Option<Var> {
        self.names.iter().position(|n| *n == name).map(|i| i as Var)
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        for i in &self.intervals {
            facts.fresh(*i);
        }
        facts
    }
}

impl Parser<'_> {
    fn constants(&mut self) -> Result<()> {
        loop {
            let name = self.lex.name()?;
            self.lex.expect("=")?;
            let value = self.number()?;
            self.sets.push((name, Vec::from([value])));
            if !self.lex.eat(",")? {
                return Ok(());
            }
        }
    }

    fn number(&mut self) -> Result<i128> {
        let negative = self.lex.eat("-")?;
        match self.lex.peek() {
            Token::Num(n) => {
                self.lex.take()?;
                Ok(if negative { -n } else { n })
            }
            Token::Name(name) => match self.named(name)? {
                [value] if !negative => {
                    let value = *value;
                    self.lex.take()?;
                    Ok(value)
                }
                _ => self.lex.error("one constant"),
            },
            _ => self.lex.error("a number or a constant's name"),
        }
    }

    fn named(&self, name: &str) -> Result<&[i128]> {
        match self.sets.iter().find(|s| s.0 == name) {
            Some((_, members)) => Ok(members),
            None => self.lex.error("the name of a constant or set"),
        }
    }

    fn set(&mut self) -> Result<Vec<i128>> {
        let mut members = Vec::new();
        loop {
            if let Token::Name(name) = self.lex.peek() {
                members.extend_from_slice(self.named(name)?);
                self.lex.take()?;
            } else {
                members.push(self.number()?);
            }
            if !self.lex.eat("|")? {
                return Ok(members);
            }
        }
    }

    fn entry(&mut self) -> Result<Entry> {
        let name = self.lex.name()?;
        self.lex.expect("=")?;
        let number = match self.lex.take()? {
            Token::Num(n) if (0..=i128::from(u32::MAX)).contains(&n) => n as u32,
            _ => return self.lex.error("the number of the call"),
        };
        let start = self.lex.at();
        let mut scope = self.binders()?;
        let params = self.params(&scope)?;
        let facts = self.facts(&scope)?;
        let noreturn = self.lex.eat("noreturn")?;
        if !noreturn {
            self.lex.expect("->")?;
        }
        let results = if noreturn { Vec::new() } else { self.results(&mut scope)? };
        let result_facts = if noreturn { Vec::new() } else { self.facts(&scope)? };
        let text = self.lex.since(start);
        let man = self.manual_page()?;
        narrow(&mut scope, &result_facts);
        let result_vars = scope.intervals.split_off(scope.args);
        // An empty range would prove everything, and one of more than 2^W integers hides one.
        let word = Interval::unsigned(self.arch.id.word_bits()).hi;
        if !result_vars.iter().all(|i| i.hi.checked_sub(i.lo).is_some_and(|n| (0..=word).contains(&n))) {
            return self.lex.error("a result with a range of at most 2^W words before this");
        }
        Ok(Entry {
            name,
            number,
            man,
            text,
            vars: scope.intervals,
            params,
            facts,
            result_vars,
            results,
            result_facts,
            noreturn,
        })
    }

    fn manual_page(&mut self) -> Result<&'static str> {
        self.lex.expect("man")?;
        let start = self.lex.at();
        self.lex.name()?;
        self.lex.expect("(")?;
        self.number()?;
        self.lex.expect(")")?;
        Ok(self.lex.since(start))
    }

    /// `[k, n: 1..64]`. The kernel sees the word, not the term: so every bound variable is a word.
    fn binders(&mut self) -> Result<Scope> {
        let mut scope = Scope::default();
        if !self.lex.eat("[")? {
            return Ok(scope);
        }
        let positive = Interval { lo: 0, hi: Interval::signed(self.arch.id.word_bits()).hi };
        loop {
            let name = self.lex.name()?;
            let mut interval = positive;
            if self.lex.eat(":")? {
                interval.lo = self.number()?;
                self.lex.expect("..")?;
                if !matches!(self.lex.peek(), Token::Sign(_)) {
                    interval.hi = self.number()?;
                }
            }
            if !interval.within(&Interval::unsigned(self.arch.id.word_bits())) || interval.lo > interval.hi {
                return self.lex.error("bounds within 0 .. 2^W - 1 before this");
            }
            if scope.find(name).is_some() {
                return self.lex.error("different names of variables before this");
            }
            scope.names.push(name);
            scope.intervals.push(interval);
            scope.args += 1;
            if !self.lex.eat(",")? {
                break;
            }
        }
        self.lex.expect("]")?;
        Ok(scope)
    }

    fn register(&mut self) -> Result<Reg> {
        if let Token::Name(name) = self.lex.peek()
            && let Some(r) = self.arch.regs.iter().find(|r| r.0 == name)
        {
            self.lex.take()?;
            self.lex.expect(":")?;
            return Ok(r.1);
        }
        self.lex.error("a register of the system-call convention")
    }

    fn params(&mut self, scope: &Scope) -> Result<Vec<Param>> {
        let mut params: Vec<Param> = Vec::new();
        self.lex.expect("(")?;
        while !self.lex.eat(")")? {
            if !params.is_empty() {
                self.lex.expect(",")?;
            }
            let reg = self.register()?;
            if reg == Reg::AX || params.iter().any(|p| p.reg == reg.0) {
                return self.lex.error("another register before this");
            }
            let kind = self.kind(scope)?;
            params.push(Param { reg: reg.0, kind });
        }
        let rank = |types: &Types, kind: &ParamKind| match kind {
            k if k.is_key() => 0,
            ParamKind::Length(_) => 1,
            ParamKind::Word(w) if matches!(types.word(*w), WordTy::Int(_)) => 1,
            _ => 2,
        };
        params.sort_by_key(|p| rank(self.types, &p.kind));
        // Every variable is bound by a word that the kernel sees: the word is a multiple of it, not only modulo 2^W. Or
        // it is a length that the kernel reads as a C int, or a sum of sizes each of which is a word.
        let (facts, word) = (scope.facts(), Interval::unsigned(self.arch.id.word_bits()));
        let binds = |e: &Term, v: Var| {
            let multiple = matches!(*e.summands(), [(u, c)] if u == v && c >= 1) && e.konst() == 0;
            multiple && facts.evidently_in(e, word)
        };
        let bound = |v: Var| {
            params.iter().any(|p| match p.kind {
                ParamKind::Word(w) => matches!(self.types.word(w), WordTy::Int(e) if binds(e, v)),
                ParamKind::Length(k) => k == v,
                ParamKind::Vector { total, .. } => total == v,
                _ => false,
            })
        };
        if !(0..scope.args).all(|v| bound(v as Var)) {
            return self.lex.error("a parameter int(v) or int(c*v) for each variable v before this");
        }
        let lengths = Interval { lo: 0, hi: (1 << 31) - 1 };
        let fits = |v: Var| facts.interval(v).within(&lengths);
        if params.iter().any(|p| matches!(p.kind, ParamKind::Length(v) if !fits(v))) {
            return self.lex.error("a length within 0 .. 2^31 - 1 before this");
        }
        // The number of parts is the word that the kernel sees.
        let is = |p: &Param, v: Var| match p.kind {
            ParamKind::Word(w) => matches!(self.types.word(w), WordTy::Int(e) if e.as_var() == Some(v)),
            _ => false,
        };
        for p in &params {
            if let ParamKind::Vector { count, total, .. } = p.kind
                && (count == total || !params.iter().any(|q| is(q, count)))
            {
                return self.lex.error("a parameter int(n) for the number of parts before this");
            }
        }
        Ok(params)
    }

    fn kind(&mut self, scope: &Scope) -> Result<ParamKind> {
        if self.lex.eat("path")? {
            return Ok(ParamKind::Path);
        }
        if self.lex.eat("bits")? {
            return Ok(ParamKind::Mask(self.mask()?));
        }
        if self.lex.eat("strings")? {
            return Ok(ParamKind::Strings);
        }
        if self.lex.eat("action")? {
            return Ok(ParamKind::Action(self.mask()?));
        }
        if self.lex.eat("len")? {
            self.lex.expect("(")?;
            let length = self.variable(scope)?;
            self.lex.expect(")")?;
            return Ok(ParamKind::Length(length));
        }
        if self.lex.eat("vec")? {
            let mode = if self.lex.eat("mut")? { Mode::Mut } else { Mode::Read };
            self.lex.expect("(")?;
            let count = self.variable(scope)?;
            self.lex.expect(",")?;
            let total = self.variable(scope)?;
            self.lex.expect(")")?;
            let bytes = self.intern_layout(Layout::Bytes(Term::var(0)));
            let part = self.intern(WordTy::Ptr(mode, bytes));
            return Ok(ParamKind::Vector { count, total, part });
        }
        if self.lex.eat("one")? {
            self.lex.expect("(")?;
            let members = self.set()?;
            self.lex.expect(")")?;
            return Ok(ParamKind::OneOf(members.into_boxed_slice()));
        }
        match self.lex.peek() {
            Token::Name("int") | Token::Sign("&") => {
                let ty = self.word(scope)?;
                Ok(ParamKind::Word(self.intern(ty)))
            }
            Token::Name("own") => Ok(ParamKind::Word(self.owned(scope)?)),
            _ => {
                let value = self.number()?;
                if value != 0 || !self.lex.eat("|")? {
                    return Ok(ParamKind::Const(value));
                }
                let ty = self.pointer(scope)?;
                Ok(ParamKind::Nullable(self.intern(ty)))
            }
        }
    }

    /// The constants of a set, all in one word.
    fn mask(&mut self) -> Result<u64> {
        self.lex.expect("(")?;
        let mut mask = 0u64;
        for member in self.set()? {
            match u64::try_from(member) {
                Ok(m) if member <= Interval::unsigned(self.arch.id.word_bits()).hi => mask |= m,
                _ => return self.lex.error("only words in the set before this"),
            }
        }
        self.lex.expect(")")?;
        Ok(mask)
    }

    fn variable(&mut self, scope: &Scope) -> Result<Var> {
        match scope.find(self.lex.name()?) {
            Some(v) => Ok(v),
            None => self.lex.error("a variable before this"),
        }
    }

    fn word(&mut self, scope: &Scope) -> Result<WordTy> {
        if !self.lex.eat("int")? {
            return self.pointer(scope);
        }
        if !self.lex.eat("(")? {
            return Ok(WordTy::Range(Interval::unsigned(self.arch.id.word_bits())));
        }
        let term = self.term(scope)?;
        self.lex.expect(")")?;
        Ok(WordTy::Int(term))
    }

    fn pointer(&mut self, scope: &Scope) -> Result<WordTy> {
        self.lex.expect("&")?;
        let mode = if self.lex.eat("mut")? { Mode::Mut } else { Mode::Read };
        self.lex.expect("[")?;
        let size = self.term(scope)?;
        self.lex.expect("]")?;
        if !scope.facts().evidently_in(&size, Interval::unsigned(self.arch.id.word_bits())) {
            return self.lex.error("a size within 0 .. 2^W - 1 before this");
        }
        let layout = Layout::Bytes(size);
        Ok(WordTy::Ptr(mode, self.intern_layout(layout)))
    }

    /// `own bytes(n)`: an object of at least one byte, and no larger than objects may be.
    fn owned(&mut self, scope: &Scope) -> Result<WordId> {
        self.lex.expect("own")?;
        let zero = self.lex.eat("zero")?;
        let foreign = !zero && self.lex.eat("foreign")?;
        if !zero && !foreign {
            self.lex.expect("bytes")?;
        }
        let size = self.object_size(scope)?;
        let layout = if zero {
            let byte = self.intern_layout(Layout::Num(Width::B1, crate::shapes::ZERO));
            Layout::Array(size, byte)
        } else if foreign {
            Layout::Foreign(size)
        } else {
            Layout::Bytes(size)
        };
        let layout = self.intern_layout(layout);
        Ok(self.intern(WordTy::Ptr(Mode::Own, layout)))
    }

    /// `ref bytes(n)`: memory that is there until the process ends and that others may write.
    fn mapped(&mut self, scope: &Scope) -> Result<WordId> {
        self.lex.expect("bytes")?;
        let size = self.object_size(scope)?;
        let layout = self.intern_layout(Layout::Bytes(size));
        Ok(self.intern(WordTy::Ptr(Mode::Shared, layout)))
    }

    /// `(n)`: the size of an object.
    fn object_size(&mut self, scope: &Scope) -> Result<Term> {
        self.lex.expect("(")?;
        let size = self.term(scope)?;
        self.lex.expect(")")?;
        if !scope.facts().evidently_in(&size, Interval::new(1, self.arch.id.max_object())) {
            return self.lex.error("a size within 1 .. the largest object before this");
        }
        Ok(size)
    }

    fn intern(&mut self, ty: WordTy) -> WordId {
        if let Some(id) = self.words.iter().find(|id| *self.types.word(**id) == ty) {
            return *id;
        }
        let id = WordId(self.types.words.len() as u32);
        self.types.words.push(ty);
        self.words.push(id);
        id
    }

    fn intern_layout(&mut self, layout: Layout) -> LayoutId {
        if let Some(id) = self.layouts.iter().find(|id| *self.types.layout(**id) == layout) {
            return *id;
        }
        let id = LayoutId(self.types.layouts.len() as u32);
        self.types.layouts.push(layout);
        self.layouts.push(id);
        id
    }

    fn results(&mut self, scope: &mut Scope) -> Result<Vec<(u8, WordId)>> {
        self.lex.expect("(")?;
        let reg = self.register()?;
        if reg != Reg::AX {
            return self.lex.error("the result register");
        }
        if self.lex.eat("res")? {
            let found = if self.lex.eat("ref")? { self.mapped(scope)? } else { self.owned(scope)? };
            self.lex.expect(")")?;
            return Ok(Vec::from([(reg.0, self.intern(WordTy::Res(found)))]));
        }
        self.lex.expect("int")?;
        let word = Interval::unsigned(self.arch.id.word_bits());
        let (name, interval) = if !self.lex.eat("(")? {
            ("", word)
        } else {
            let range = match self.lex.peek() {
                Token::Name(name) if self.named(name).is_err() => {
                    self.lex.take()?;
                    // The word is congruent to the name; its facts say where it lies.
                    (name, Interval::ALL)
                }
                _ => {
                    let lo = self.number()?;
                    self.lex.expect("..")?;
                    ("", Interval { lo, hi: self.number()? })
                }
            };
            self.lex.expect(")")?;
            range
        };
        self.lex.expect(")")?;
        if interval.lo > interval.hi || scope.find(name).is_some() {
            return self.lex.error("a new name, or a range that is not empty, before this");
        }
        scope.names.push(name);
        scope.intervals.push(interval);
        let ty = self.intern_result(scope.args);
        Ok(Vec::from([(reg.0, ty)]))
    }

    fn intern_result(&mut self, var: usize) -> WordId {
        self.intern(WordTy::Int(Term::var(var as Var)))
    }

    /// `{a <= b <= c, ...}` as terms that are `>= 0`.
    fn facts(&mut self, scope: &Scope) -> Result<Vec<Term>> {
        let mut facts = Vec::new();
        if !self.lex.eat("{")? {
            return Ok(facts);
        }
        loop {
            let mut low = self.term(scope)?;
            self.lex.expect("<=")?;
            loop {
                let high = self.term(scope)?;
                match high.sub(&low) {
                    Some(fact) => facts.push(fact),
                    None => return self.lex.error("smaller numbers before this"),
                }
                low = high;
                if !self.lex.eat("<=")? {
                    break;
                }
            }
            if !self.lex.eat(",")? {
                break;
            }
        }
        self.lex.expect("}")?;
        Ok(facts)
    }

    fn term(&mut self, scope: &Scope) -> Result<Term> {
        let mut sum = Term::zero();
        let mut sign: i128 = if self.lex.eat("-")? { -1 } else { 1 };
        loop {
            let product = self.product(scope)?;
            match sum.add_scaled(&product, sign) {
                Some(s) => sum = s,
                None => return self.lex.error("smaller numbers before this"),
            }
            sign = if self.lex.eat("+")? {
                1
            } else if self.lex.eat("-")? {
                -1
            } else {
                return Ok(sum);
            };
        }
    }

    fn product(&mut self, scope: &Scope) -> Result<Term> {
        if let Token::Name(name) = self.lex.peek()
            && let Some(v) = scope.find(name)
        {
            self.lex.take()?;
            return Ok(Term::var(v));
        }
        let factor = self.number()?;
        if !self.lex.eat("*")? {
            return Ok(Term::from(factor));
        }
        let Some(v) = scope.find(self.lex.name()?) else {
            return self.lex.error("a variable before this");
        };
        match Term::var(v).scale(factor) {
            Some(t) => Ok(t),
            None => self.lex.error("a smaller factor before this"),
        }
    }
}

/// Gives result variables the intervals that follow from the result facts.
fn narrow(scope: &mut Scope, facts: &[Term]) {
    for fact in facts {
        for v in scope.args..scope.intervals.len() {
            let c = fact.coefficient(v as Var);
            let Some(rest) = fact.add_scaled(&Term::var(v as Var), -i128::from(c)) else { continue };
            let range = scope.facts().range(&rest);
            let Some(i) = scope.intervals.get_mut(v) else { continue };
            // c*v + rest >= 0, so for c = 1: v >= -rest, for c = -1: v <= rest.
            match c {
                1 => i.lo = i.lo.max(range.hi.checked_neg().unwrap_or(i.lo)),
                -1 => i.hi = i.hi.min(range.hi),
                _ => {}
            }
        }
    }
}
