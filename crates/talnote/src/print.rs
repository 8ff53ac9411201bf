//! Prints types for people, in the syntax of TAL source.
//!
//! The output is bounded: a type from a hostile note may be small and yet expand to more text than
//! there is memory, so printing stops with `...` after [`LIMIT`] bytes.

pub mod state;

use std::collections::BTreeSet;
use std::fmt::Write;
use talcore::arch::Arch;
use talcore::codes::coded;
use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::shapes::UnionShape;
use talcore::term::{Term, Var};
use talcore::types::{Body, Exists, Layout, LayoutId, Mode, Sig, SigId, StructId, Types, WordId, WordTy};

/// The most bytes that one call prints, roughly.
pub const LIMIT: usize = 4096;
/// How deep types are printed.
const DEPTH: usize = 64;

/// The name of a whole general register, by its hardware number.
pub fn register(arch: Arch, number: usize) -> &'static str {
    let names: &[&str] = if arch == Arch::Amd64 { &REGISTERS_64 } else { &REGISTERS_32 };
    names.get(number).copied().unwrap_or("?")
}

/// Hardware names of the general registers of AMD64, by number.
pub const REGISTERS_64: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];
/// Hardware names of the general registers of IA-32, by number.
pub const REGISTERS_32: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];

/// The registers that a call preserves unless its signature says otherwise, by word size:
/// rbx, rbp, r12 to r15 (and on IA-32 rbx, rbp, rsi, rdi).
pub const fn usually_preserved(word_bits: u32) -> u16 {
    if word_bits == 64 { 0b1111_0000_0010_1000 } else { 0b1110_1000 }
}

/// Where a register stands in a list of parameters: those that pass arguments by convention come first, in that order.
const fn argument_rank(register: u8) -> u8 {
    match register {
        7 => 0,
        6 => 1,
        2 => 2,
        1 => 3,
        8 | 9 => register - 4,
        _ => register + 16,
    }
}

/// What a printer knows besides the types themselves: names, all optional.
#[derive(Clone, Copy, Debug)]
pub struct Printer<'a> {
    /// The types.
    pub types: &'a Types,
    /// Names of structs by id; those without one print as `struct7`.
    pub structs: &'a [String],
    /// Names of index variables by number; those without one get a letter.
    pub vars: &'a [String],
    /// The machine word in bits.
    pub word_bits: u32,
}

impl<'a> Printer<'a> {
    /// A printer for AMD64 that knows no names.
    pub fn new(types: &'a Types) -> Printer<'a> {
        Printer { types, structs: &[], vars: &[], word_bits: 64 }
    }

    /// A word type: `int(n)`, `&mut [n]`, `opt imm cstr`.
    pub fn word(&self, id: WordId) -> String {
        self.text(|p| p.word(id))
    }

    /// A word type that is not in the table itself.
    pub fn word_ty(&self, word: &WordTy) -> String {
        self.text(|p| p.word_ty(word))
    }

    /// A layout: `bytes(n)`, `[4]int`, `node(n)`.
    pub fn layout(&self, id: LayoutId) -> String {
        self.text(|p| p.layout(id))
    }

    /// A signature: `fn [n](rdi: &mut [n]) -> (rax: int(r)) {0 <= r, r <= n}`.
    pub fn sig(&self, id: SigId) -> String {
        self.text(|p| {
            p.named = 1;
            p.sig(id);
        })
    }

    /// A term: `8*n + 1`.
    pub fn term(&self, t: &Term) -> String {
        self.text(|p| p.term(t))
    }

    /// A fact `t >= 0` as an inequality without subtraction: `i + 1 <= n`.
    pub fn fact(&self, t: &Term) -> String {
        self.text(|p| p.fact(t))
    }

    /// The definition of a struct; `fields` are its field names as far as known.
    pub fn strukt(&self, id: StructId, fields: &[String]) -> String {
        self.text(|p| p.strukt(id, fields))
    }

    /// What a union may be, by its tag: `value is number (tag 0), text (tag 1) or list (tag 2)`. `None` if it is none.
    pub fn variants(&self, id: StructId, shape: &UnionShape) -> Option<String> {
        const MOST: usize = 8;
        let Body::Union { variants, .. } = &self.types.structs.get(id.index())?.body else { return None };
        let mut parts: Vec<String> = Vec::new();
        for (variant, range) in variants.iter().zip(&shape.ranges).take(MOST) {
            let name = match self.types.layouts.get(variant.index())? {
                Layout::Struct(s, _) => self.structs.get(s.index()).filter(|n| !n.is_empty()).cloned(),
                _ => None,
            };
            let name = name.unwrap_or_else(|| self.layout(*variant));
            parts.push(match range.lo == range.hi {
                true => format!("{name} (tag {})", number(range.lo)),
                false => format!("{name} (tag {} to {})", number(range.lo), number(range.hi)),
            });
        }
        let last = match variants.len() > parts.len() {
            true => format!("{} others", variants.len() - parts.len()),
            false => parts.pop()?,
        };
        let whole = self.text(|w| w.struct_name(id));
        Some(match parts.is_empty() {
            true => format!("{whole} is {last}"),
            false => format!("{whole} is {} or {last}", parts.join(", ")),
        })
    }

    /// The name of an index variable.
    pub fn var(&self, v: Var) -> String {
        self.text(|p| p.var(v))
    }

    fn text(&self, f: impl FnOnce(&mut Writer<'_>)) -> String {
        self.text_under(None, f)
    }

    /// Prints a type whose variables stand for these terms.
    fn text_under(&self, env: Option<&[Term]>, f: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut w = Writer {
            p: self,
            out: String::new(),
            universal: u32::MAX,
            sigs: 0,
            named: 0,
            depth: 0,
            env: env.map(<[Term]>::to_vec),
            hidden: 0,
            stretch: None,
            taken: None,
        };
        f(&mut w);
        w.out
    }
}

/// A number as people write it: large ones near a power of two as `(1<<47)-1`.
pub fn number(n: i128) -> String {
    if n < 0 && n != i128::MIN {
        return format!("-{}", number(-n));
    }
    let power = |m: i128| m >= 1 << 20 && m.count_ones() == 1;
    if power(n) {
        format!("1<<{}", n.trailing_zeros())
    } else if n < i128::MAX && power(n + 1) {
        format!("(1<<{})-1", (n + 1).trailing_zeros())
    } else {
        n.to_string()
    }
}

fn finite(i: &Interval) -> bool {
    i.lo != NEG_INF && i.hi != POS_INF
}

struct Writer<'a> {
    p: &'a Printer<'a>,
    out: String,
    /// How many variables are bound by the signature's precondition; the rest are results.
    universal: u32,
    /// How many signatures are open. Each binds its own variables.
    sigs: usize,
    /// With how many open signatures the names of variables are those that are known.
    named: usize,
    depth: usize,
    /// What the variables of the type stand for; `None`: they are printed themselves.
    env: Option<Vec<Term>>,
    /// How many variables existentials bind here.
    hidden: u32,
    /// The stretch for which the next pointer is borrowed.
    stretch: Option<Term>,
    /// Names that such variables cannot have, as far as they look like them.
    taken: Option<BTreeSet<&'a str>>,
}

/// From here on variables are those that existentials bind.
const HIDDEN: Var = 1 << 30;

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Whether there is room for more; writes `...` when there is not.
    fn enter(&mut self) -> bool {
        let room = self.out.len() < LIMIT && self.depth < DEPTH;
        if room {
            self.depth += 1;
        } else if !self.out.ends_with("...") {
            self.put("...");
        }
        room
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut f: impl FnMut(&mut Self, T)) {
        for (i, item) in items.into_iter().enumerate() {
            if self.out.len() > LIMIT {
                return self.put("...");
            }
            if i > 0 {
                self.put(", ");
            }
            f(self, item);
        }
    }

    fn var(&mut self, v: Var) {
        const BOUND: [&str; 7] = ["n", "m", "k", "j", "i", "p", "q"];
        const RESULTS: [&str; 5] = ["r", "s", "t", "u", "v"];
        if let Some(i) = v.checked_sub(HIDDEN) {
            let name = self.hidden_name(i as usize);
            return self.out.push_str(&name);
        }
        if self.sigs == self.named
            && let Some(name) = self.p.vars.get(v as usize).filter(|n| !n.is_empty())
        {
            return self.out.push_str(name);
        }
        let (letters, i): (&[&str], u32) =
            if v < self.universal { (&BOUND, v) } else { (&RESULTS, v - self.universal) };
        match letters.get(i as usize) {
            Some(name) => self.put(name),
            None => drop(write!(self.out, "{}{i}", letters[0])),
        }
    }

    /// The name of the `i`th variable that existentials bind around a place: one that names nothing else.
    fn hidden_name(&mut self, i: usize) -> String {
        const NAMES: [&str; 4] = ["x", "y", "z", "w"];
        let p = self.p;
        let known = || p.vars.iter().chain(p.structs).map(String::as_str);
        let taken = self
            .taken
            .get_or_insert_with(|| known().filter(|n| n.starts_with(['x', 'y', 'z', 'w'])).collect());
        let letters = NAMES.into_iter().map(String::from);
        let mut names = letters.chain((0..).map(|i| format!("x{i}"))).filter(|n| !taken.contains(n.as_str()));
        names.nth(i).unwrap_or_default()
    }

    fn word_var(&mut self, v: u32) {
        match v {
            0..=4 => self.out.push(char::from(b'a' + v as u8)),
            _ => drop(write!(self.out, "a{v}")),
        }
    }

    fn summand(&mut self, v: Var, factor: u64) {
        if factor != 1 {
            let _ = write!(self.out, "{factor}*");
        }
        self.var(v);
    }

    fn term(&mut self, t: &Term) {
        match &self.env {
            Some(env) => match t.subst(env) {
                Some(t) => self.plain_term(&t),
                None => self.put("?"),
            },
            None => self.plain_term(t),
        }
    }

    fn plain_term(&mut self, t: &Term) {
        if let Some(id) = coded(t) {
            // Types with codes mention no variables.
            let env = self.env.take();
            self.word(id);
            self.env = env;
            return;
        }
        let mut first = true;
        for &(v, c) in t.summands().iter() {
            match (first, c < 0) {
                (true, false) => {}
                (true, true) => self.put("-"),
                (false, false) => self.put(" + "),
                (false, true) => self.put(" - "),
            }
            self.summand(v, c.unsigned_abs());
            first = false;
        }
        let c = t.konst();
        if first {
            self.out += &number(c);
        } else if c > 0 {
            self.out += &format!(" + {}", number(c));
        } else if c < 0 {
            self.out += &number(c).replacen('-', " - ", 1);
        }
    }

    /// The part of a term with summands of one sign, as a sum; the constant counts if it has it.
    fn side(&mut self, t: &Term, negative: bool) {
        let mut first = true;
        for &(v, c) in t.summands().iter().filter(|s| (s.1 < 0) == negative) {
            if !first {
                self.put(" + ");
            }
            self.summand(v, c.unsigned_abs());
            first = false;
        }
        let c = t.konst();
        if (c != 0 && (c < 0) == negative) || first {
            if !first {
                self.put(" + ");
            }
            let here = (c < 0) == negative;
            self.out += &number(if here { c.saturating_abs() } else { 0 });
        }
    }

    /// `t >= 0`. A bound of one variable keeps its constant on the other side, with its sign.
    fn fact(&mut self, t: &Term) {
        match *t.summands() {
            [(v, c)] if t.konst() != i128::MIN => {
                if c > 0 {
                    self.out += &number(-t.konst());
                    self.put(" <= ");
                    self.summand(v, c.unsigned_abs());
                } else {
                    self.summand(v, c.unsigned_abs());
                    self.put(" <= ");
                    self.out += &number(t.konst());
                }
            }
            _ => {
                self.side(t, true);
                self.put(" <= ");
                self.side(t, false);
            }
        }
    }

    fn word(&mut self, id: WordId) {
        if self.enter() {
            match self.p.types.words.get(id.index()) {
                Some(w) => self.word_ty(w),
                None => self.put("?"),
            }
            self.depth -= 1;
        }
    }

    fn word_ty(&mut self, w: &WordTy) {
        match w {
            WordTy::Int(t) => {
                self.put("int(");
                self.term(t);
                self.put(")");
            }
            WordTy::Range(i) => {
                self.put("int");
                if *i != Interval::unsigned(self.p.word_bits) && *i != Interval::ALL {
                    self.range(i);
                }
            }
            WordTy::Ptr(mode, layout) => self.pointer(*mode, *layout),
            WordTy::Opt(w) => {
                self.put("opt ");
                self.word(*w);
            }
            WordTy::Res(w) => {
                self.put("res ");
                self.word(*w);
            }
            WordTy::During(t, w) => {
                let t = match &self.env {
                    Some(env) => t.subst(env).unwrap_or_default(),
                    None => t.clone(),
                };
                let outside = self.stretch.replace(t);
                self.word(*w);
                self.stretch = outside;
            }
            WordTy::When(t, range, w) => {
                self.word(*w);
                self.put(" when ");
                self.term(t);
                if range.lo == range.hi {
                    let _ = write!(self.out, " = {}", range.lo);
                } else {
                    self.put(" in ");
                    let _ = write!(self.out, "{}..{}", range.lo, range.hi);
                }
            }
            WordTy::Exists(e) => self.exists(e, |w| w.word(e.body)),
            WordTy::Of(t, _) => self.term(t),
            WordTy::Fn(sig) => self.sig(*sig),
            WordTy::FnAt(sig, args) => {
                self.sig(*sig);
                self.applied(" at ", args);
            }
            WordTy::Var(v) => self.word_var(*v),
        }
    }

    /// `exists x {1 <= x}. own block(x)`: what it binds gets names of its own, which hide no others.
    fn exists<B>(&mut self, e: &Exists<B>, body: impl FnOnce(&mut Self)) {
        let outer = |v: u32| match &self.env {
            Some(env) => env.get(v as usize).cloned().unwrap_or_default(),
            None => Term::var(v),
        };
        let first = HIDDEN + self.hidden;
        let bound = (first..).take(e.vars.len()).map(Term::var);
        // What no table holds would make a name for every number below it.
        let env = (0..e.first.min(512)).map(outer).chain(bound).collect();
        let outside = self.env.replace(env);
        self.hidden += e.vars.len() as u32;
        self.put("exists ");
        self.list(e.vars.iter().zip(first..), |w, (range, v)| w.binder(v, range));
        if !e.facts.is_empty() {
            self.put(" {");
            self.list(e.facts.iter(), |w, f| match f.subst(w.env.as_deref().unwrap_or(&[])) {
                Some(f) => w.fact(&f),
                None => w.put("?"),
            });
            self.put("}");
        }
        self.put(". ");
        body(self);
        self.hidden -= e.vars.len() as u32;
        self.env = outside;
    }

    fn range(&mut self, i: &Interval) {
        self.put("(");
        if i.lo != NEG_INF {
            self.out += &number(i.lo);
        }
        self.put("..");
        if i.hi != POS_INF {
            self.out += &number(i.hi);
        }
        self.put(")");
    }

    fn pointer(&mut self, mode: Mode, id: LayoutId) {
        if let (Mode::Frozen, Some(t)) = (mode, self.stretch.take()) {
            self.put("ref ");
            let name = t.as_var().is_some();
            self.put(if name { "" } else { "(" });
            self.plain_term(&t);
            self.put(if name { " " } else { ") " });
            return self.layout(id);
        }
        let layout = self.p.types.layouts.get(id.index());
        self.put(match mode {
            Mode::Own => "own ",
            Mode::Uniq => "&uniq ",
            Mode::Shared => "ref ",
            Mode::Imm => "imm ",
            Mode::Mut => "&mut ",
            Mode::Read => "&",
            // Strings exist only where nobody writes, so the source need not say `frozen`.
            Mode::Frozen if matches!(layout, Some(Layout::Cstr(_))) => "&",
            Mode::Frozen => "&frozen ",
        });
        match layout {
            Some(Layout::Bytes(n)) if mode.borrow() => {
                self.put("[");
                self.term(n);
                self.put("]");
            }
            _ => self.layout(id),
        }
    }

    fn layout(&mut self, id: LayoutId) {
        if !self.enter() {
            return;
        }
        match self.p.types.layouts.get(id.index()) {
            None => self.put("?"),
            Some(Layout::Bytes(n)) => self.applied("bytes", std::slice::from_ref(n)),
            Some(Layout::Cstr(n)) => self.applied("cstr", n.as_slice()),
            Some(Layout::Cell(w)) => self.word(*w),
            Some(Layout::Num(width, i)) => {
                let signed = i.lo < 0;
                let full = if signed { Interval::signed } else { Interval::unsigned }(width.bits());
                let _ = write!(self.out, "{}{}", if signed { 'i' } else { 'u' }, width.bits());
                if *i != full {
                    self.range(i);
                }
            }
            Some(Layout::Of(t, _)) => self.term(t),
            Some(Layout::Foreign(n)) => self.applied("foreign", std::slice::from_ref(n)),
            Some(Layout::Exact(width, signed, t)) => {
                let _ = write!(self.out, "{}{}(", if *signed { 'i' } else { 'u' }, width.bits());
                self.term(t);
                self.put(")");
            }
            Some(Layout::Array(n, element))
                if matches!(self.p.types.layouts.get(element.index()),
                    Some(Layout::Num(talcore::x86::insn::Width::B1, r)) if *r == talcore::shapes::ZERO) =>
            {
                self.applied("zero", std::slice::from_ref(n));
            }
            Some(Layout::Array(n, element)) => {
                self.put("[");
                self.term(n);
                self.put("]");
                self.layout(*element);
            }
            Some(Layout::NullTerm(n, w)) => {
                self.applied("nullterm", n.as_slice());
                self.put(" ");
                // That its words may be 0 goes without saying.
                match self.p.types.words.get(w.index()) {
                    Some(WordTy::Opt(pointer)) => self.word(*pointer),
                    _ => self.word(*w),
                }
            }
            Some(Layout::Struct(id, args)) => {
                self.struct_name(*id);
                self.applied("", args);
            }
            Some(Layout::Seq(parts)) => {
                self.put("seq(");
                self.list(parts.iter(), |w, part| w.layout(*part));
                self.put(")");
            }
            Some(Layout::Exists(e)) => self.exists(e, |w| w.layout(e.body)),
        }
        self.depth -= 1;
    }

    fn struct_name(&mut self, id: StructId) {
        match self.p.structs.get(id.index()).filter(|n| !n.is_empty()) {
            Some(name) => self.out.push_str(name),
            None => drop(write!(self.out, "struct{}", id.0)),
        }
    }

    fn applied(&mut self, name: &str, args: &[Term]) {
        self.put(name);
        if !args.is_empty() {
            self.put("(");
            self.list(args, |w, t| w.term(t));
            self.put(")");
        }
    }

    fn register(&mut self, r: u8) {
        let names: &[&str] = if self.p.word_bits == 64 { &REGISTERS_64 } else { &REGISTERS_32 };
        self.put(names.get(r as usize).copied().unwrap_or("?"));
    }

    /// Intervals of variables and facts, in braces; nothing if there are none.
    fn conditions(&mut self, first: Var, intervals: &[Interval], facts: &[Term]) {
        let bounds = intervals.iter().enumerate().flat_map(|(i, range)| {
            let v = Term::var(first + i as u32);
            let lo = (range.lo != NEG_INF).then(|| v.offset(range.lo.saturating_neg())).flatten();
            let hi = (range.hi != POS_INF).then(|| v.neg()?.offset(range.hi)).flatten();
            [lo, hi]
        });
        let all: Vec<Term> = bounds.flatten().chain(facts.iter().cloned()).collect();
        if !all.is_empty() {
            self.put(" {");
            self.list(&all, |w, t| w.fact(t));
            self.put("}");
        }
    }

    fn sig(&mut self, id: SigId) {
        if !self.enter() {
            return;
        }
        // A signature binds its own variables.
        let outer = (self.universal, self.env.take());
        match self.p.types.sigs.get(id.index()) {
            None => self.put("?"),
            Some(s) if s.start => self.put("start"),
            Some(s) => {
                self.universal = s.vars.len() as u32;
                self.sigs += 1;
                self.sig_body(s);
                self.sigs -= 1;
            }
        }
        (self.universal, self.env) = outer;
        self.depth -= 1;
    }

    /// A quantified variable with its range. Without one it is a size: from 0 to the largest
    /// signed word.
    fn binder(&mut self, v: Var, range: &Interval) {
        self.var(v);
        let size = Interval::new(0, Interval::signed(self.p.word_bits).hi);
        if finite(range) && *range != size {
            self.out += &format!(": {}..{}", number(range.lo), number(range.hi));
        } else if !finite(range) {
            self.put(": any");
        }
    }

    fn sig_body(&mut self, s: &Sig) {
        self.put("fn ");
        if !s.vars.is_empty() || s.word_vars > 0 {
            self.put("[");
            self.list(s.vars.iter().zip(0..), |w, (range, v)| match s.stretches.contains(&v) {
                true => {
                    w.var(v);
                    w.put(": stretch");
                }
                false => w.binder(v, range),
            });
            if !s.vars.is_empty() && s.word_vars > 0 {
                self.put(", ");
            }
            self.list(0..s.word_vars, |w, v| w.word_var(v));
            self.put("]");
        }
        self.put("(");
        let mut params: Vec<&(u8, WordId)> = s.params.iter().collect();
        params.sort_by_key(|p| argument_rank(p.0));
        self.list(params, |w, &(r, ty)| {
            w.register(r);
            w.put(": ");
            w.word(ty);
            let taken = w.p.types.words.get(ty.index());
            let same = |l: LayoutId| matches!(taken, Some(WordTy::Ptr(_, k)) if *k == l);
            if let Some(&(_, layout)) = s.gives_back.iter().find(|g| g.0 == r && !same(g.1)) {
                w.put(" => ");
                w.layout(layout);
            }
        });
        if !s.params.is_empty() && !s.stack.is_empty() {
            self.put(", ");
        }
        self.list(s.stack.iter().enumerate(), |w, (i, &ty)| {
            // The return address is at the stack pointer, the first argument above it.
            w.put("[");
            w.register(4);
            let _ = write!(w.out, " + {}]: ", (i + 1) * w.p.word_bits as usize / 8);
            w.word(ty);
        });
        self.put(")");
        let half: Vec<Interval> = s.vars.iter().map(|i| if finite(i) { Interval::ALL } else { *i }).collect();
        self.conditions(0, &half, &s.facts);
        if s.noreturn {
            return self.put(" noreturn");
        }
        if !s.results.is_empty() {
            self.put(" -> (");
            self.list(&s.results, |w, &(r, ty)| {
                w.register(r);
                w.put(": ");
                w.word(ty);
            });
            self.put(")");
        }
        self.conditions(s.vars.len() as u32, &s.result_vars, &s.result_facts);
        for k in &s.kept {
            self.put(" {");
            self.register(k.param);
            self.put(" -> own ");
            self.layout(k.layout);
            self.put(" when ");
            self.register(k.result);
            match k.range.lo == k.range.hi {
                true => self.out += &format!(" = {}}}", number(k.range.lo)),
                false => self.out += &format!(" in {}..{}}}", number(k.range.lo), number(k.range.hi)),
            }
        }
        if !s.uses.is_empty() {
            let _ = write!(self.out, " uses ({} owned statics)", s.uses.len());
        }
        // rsp is always preserved, whether the signature lists it or not.
        if (s.preserved ^ usually_preserved(self.p.word_bits)) & !(1 << 4) != 0 {
            self.put(" preserves(");
            let kept = s.preserved & !(1 << 4);
            self.list((0..16u8).filter(|r| kept >> r & 1 == 1), |w, r| w.register(r));
            self.put(")");
        }
    }

    fn strukt(&mut self, id: StructId, fields: &[String]) {
        let Some(s) = self.p.types.structs.get(id.index()) else { return };
        if s.brand.is_some() || s.body == Body::Hidden {
            self.put("abstract ");
        }
        self.put(if matches!(s.body, Body::Union { .. }) { "union " } else { "struct " });
        self.struct_name(id);
        if s.params > 0 {
            self.put("(");
            self.list(0..s.params, |w, v| w.var(v));
            self.put(")");
        }
        self.conditions(0, &[], &s.facts);
        let parts = match &s.body {
            Body::Fields(parts) => parts,
            Body::Hidden => return,
            Body::Union { tag, variants } => {
                // The one field that all variants have.
                match fields.first() {
                    Some(name) => drop(write!(self.out, ": {name} {{ ")),
                    None => drop(write!(self.out, ": tag at {tag} {{ ")),
                }
                self.list(variants.iter(), |w, &variant| w.layout(variant));
                self.put(" }");
                return;
            }
        };
        self.put(" { ");
        self.list(parts.iter().enumerate(), |w, (i, &field)| {
            match fields.get(i) {
                Some(name) => w.out.push_str(name),
                None => drop(write!(w.out, "field{i}")),
            }
            w.put(": ");
            w.layout(field);
        });
        self.put(" }");
    }
}

#[cfg(test)]
mod tests;
