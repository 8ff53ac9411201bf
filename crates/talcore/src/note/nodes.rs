//! The nodes of types in a note: words, layouts and signatures.

use super::Parser;
use crate::codes::{code, coded, is_code};
use crate::limits;
use crate::term::Term;
use crate::types::{Exists, Kept, Layout, LayoutId, Mode, Sig, SigId, StructId, WordId, WordTy};
use crate::x86::insn::Width;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Parser<'_, '_> {
    fn word_id(&mut self) -> Option<WordId> {
        let id: u32 = self.r.num()?;
        ((id as usize) < self.depths.words.len()).then(|| WordId(self.base.0 + id))
    }

    pub(super) fn layout_id(&mut self) -> Option<LayoutId> {
        let id = self.r.num()?;
        self.layout_of(id)
    }

    pub(super) fn layout_of(&self, id: u32) -> Option<LayoutId> {
        ((id as usize) < self.depths.layouts.len()).then(|| LayoutId(self.base.1 + id))
    }

    pub(super) fn sig_id(&mut self) -> Option<SigId> {
        let id = self.r.num()?;
        self.sig_of(id)
    }

    pub(super) fn sig_of(&self, id: u32) -> Option<SigId> {
        ((id as usize) < self.depths.sigs.len()).then(|| SigId(self.base.2 + id))
    }

    fn struct_id(&mut self) -> Option<StructId> {
        let id = self.r.num()?;
        self.struct_of(id)
    }

    pub(super) fn struct_of(&self, id: u32) -> Option<StructId> {
        let id = self.first_struct.checked_add(id)?;
        ((id as usize) < self.types.structs.len()).then_some(StructId(id))
    }

    fn word_depth(&self, id: WordId) -> usize {
        self.depths.words.get((id.0 - self.base.0) as usize).copied().unwrap_or(0)
    }

    fn layout_depth(&self, id: LayoutId) -> usize {
        self.depths.layouts.get((id.0 - self.base.1) as usize).copied().unwrap_or(0)
    }

    fn any_term(&mut self) -> Option<Term> {
        self.r.term(2 * limits::BINDERS as u32).filter(|t| !is_code(t))
    }

    pub(super) fn node(&mut self, tag: u8) -> Option<()> {
        match tag {
            0x00..=0x0f => {
                let (word, depth) = self.word_node(tag)?;
                (depth <= limits::NESTING).then_some(())?;
                self.types.words.push(word);
                self.depths.words.push(depth);
            }
            0x10..=0x1f => {
                let (layout, depth) = self.layout_node(tag)?;
                (depth <= limits::NESTING).then_some(())?;
                self.types.layouts.push(layout);
                self.depths.layouts.push(depth);
            }
            0x20 => {
                let (sig, depth) = self.sig_node()?;
                (depth <= limits::NESTING).then_some(())?;
                self.types.sigs.push(sig);
                self.depths.sigs.push(depth);
            }
            _ => return None,
        }
        Some(())
    }

    /// What an existential binds, without what it is about.
    fn binders(&mut self) -> Option<Exists<()>> {
        let first = self.r.num()?;
        let vars = self.r.intervals(limits::BINDERS)?.into();
        let count = self.r.count(limits::FACTS)?;
        let facts = (0..count).map(|_| self.any_term()).collect::<Option<_>>()?;
        Some(Exists { first, vars, facts, body: () })
    }

    fn word_node(&mut self, tag: u8) -> Option<(WordTy, usize)> {
        Some(match tag {
            0 => (WordTy::Int(self.any_term()?), 0),
            1 => (WordTy::Range(self.r.interval()?), 0),
            2 => {
                let mode = *Mode::ALL.get(self.r.u8()? as usize)?;
                let layout = self.layout_id()?;
                (WordTy::Ptr(mode, layout), self.layout_depth(layout) + 1)
            }
            3 => {
                let inner = self.word_id()?;
                (WordTy::Opt(inner), self.word_depth(inner) + 1)
            }
            4 => {
                let sig = self.sig_id()?;
                let depth = self.depths.sigs.get((sig.0 - self.base.2) as usize).copied().unwrap_or(0);
                (WordTy::Fn(sig), depth + 1)
            }
            5 => (WordTy::Var(self.r.num()?), 0),
            6 => {
                let inner = self.word_id()?;
                (WordTy::Res(inner), self.word_depth(inner) + 1)
            }
            7 => {
                let Exists { first, vars, facts, .. } = self.binders()?;
                let body = self.word_id()?;
                (WordTy::Exists(Exists { first, vars, facts, body }), self.word_depth(body) + 1)
            }
            8 => {
                let linear = self.r.u8().filter(|k| *k < 2)? == 1;
                let t = self.any_term()?;
                t.as_var()?;
                (WordTy::Of(t, linear), 0)
            }
            9 => {
                let sig = self.sig_id()?;
                let depth = self.depths.sigs.get((sig.0 - self.base.2) as usize).copied().unwrap_or(0);
                let (args, nested) = self.args()?;
                (WordTy::FnAt(sig, args.into()), depth.max(nested) + 1)
            }
            10 => {
                let t = self.any_term()?;
                let inner = self.word_id()?;
                (WordTy::During(t, inner), self.word_depth(inner) + 1)
            }
            11 => {
                let (t, range) = (self.any_term()?, self.r.interval()?);
                let inner = self.word_id()?;
                (WordTy::When(t, range, inner), self.word_depth(inner) + 1)
            }
            _ => return None,
        })
    }

    /// Arguments of a struct or signature, which may be types.
    fn args(&mut self) -> Option<(Vec<Term>, usize)> {
        let n = self.r.count(limits::BINDERS)?;
        let mut args = Vec::with_capacity(n);
        let mut depth = 0;
        for _ in 0..n {
            let t = self.r.term(2 * limits::BINDERS as u32)?;
            args.push(match coded(&t) {
                Some(id) if (id.index()) < self.depths.words.len() => {
                    let id = WordId(self.base.0 + id.0);
                    depth = depth.max(self.word_depth(id) + 1);
                    code(id)
                }
                Some(_) => return None,
                None => t,
            });
        }
        Some((args, depth))
    }

    fn layout_node(&mut self, tag: u8) -> Option<(Layout, usize)> {
        Some(match tag {
            0x10 => (Layout::Bytes(self.any_term()?), 0),
            0x11 => (Layout::Cstr(Some(self.any_term()?)), 0),
            0x12 => (Layout::Cstr(None), 0),
            0x13 => {
                let word = self.word_id()?;
                (Layout::Cell(word), self.word_depth(word) + 1)
            }
            0x14 => {
                let width = Width::of_bytes(1u32.checked_shl(u32::from(self.r.u8()?))?)?;
                (Layout::Num(width, self.r.interval()?), 0)
            }
            0x15 => {
                let n = self.any_term()?;
                let elem = self.layout_id()?;
                (Layout::Array(n, elem), self.layout_depth(elem) + 1)
            }
            0x16 => {
                let k = self.any_term()?;
                let word = self.word_id()?;
                (Layout::NullTerm(Some(k), word), self.word_depth(word) + 1)
            }
            0x17 => {
                let word = self.word_id()?;
                (Layout::NullTerm(None, word), self.word_depth(word) + 1)
            }
            0x18 => {
                let id = self.struct_id()?;
                let (args, depth) = self.args()?;
                (Layout::Struct(id, args.into()), depth)
            }
            0x19 => {
                let n = self.r.count(limits::FIELDS)?;
                let mut parts = Vec::with_capacity(n);
                let mut depth = 0;
                for _ in 0..n {
                    let part = self.layout_id()?;
                    depth = depth.max(self.layout_depth(part));
                    parts.push(part);
                }
                (Layout::Seq(parts.into()), depth + 1)
            }
            0x1a => {
                let kind = self.r.u8()?;
                let width = Width::of_bytes(1u32.checked_shl(u32::from(kind / 2))?)?;
                (Layout::Exact(width, kind % 2 == 1, self.any_term()?), 0)
            }
            0x1e => (Layout::Foreign(self.any_term()?), 0),
            0x1f => {
                let t = self.any_term()?;
                t.as_var()?;
                (Layout::Of(t, self.any_term()?), 0)
            }
            0x1c => {
                let Exists { first, vars, facts, .. } = self.binders()?;
                let body = self.layout_id()?;
                let exists = Exists { first, vars, facts, body };
                (Layout::Exists(Box::new(exists)), self.layout_depth(body) + 1)
            }
            _ => return None,
        })
    }

    fn sig_node(&mut self) -> Option<(Sig, usize)> {
        let flags = self.r.u8()?;
        let has = |bit: u8| flags & bit != 0;
        let mut sig = Sig { noreturn: has(1), start: has(2), ..Sig::default() };
        if has(4) {
            sig.vars = self.r.intervals(limits::BINDERS)?;
            sig.word_vars = self.r.num()?;
        }
        let mut depth = 0;
        sig.params = self.typed_registers(&mut depth)?;
        if has(8) {
            let n = self.r.count(limits::BINDERS)?;
            for _ in 0..n {
                let w = self.word_id()?;
                depth = depth.max(self.word_depth(w));
                sig.stack.push(w);
            }
        }
        let scope = sig.vars.len() as u32;
        if has(16) {
            sig.facts = self.r.terms(limits::FACTS, scope)?;
        }
        sig.results = self.typed_registers(&mut depth)?;
        if has(32) {
            sig.result_vars = self.r.intervals(limits::BINDERS)?;
            sig.result_facts = self.r.terms(limits::FACTS, scope + sig.result_vars.len() as u32)?;
        }
        if has(64) {
            let n = self.r.count(limits::BINDERS)?;
            for _ in 0..n {
                sig.gives_back.push((self.r.u8()?, self.layout_id()?));
            }
            let n = self.r.count(limits::USES)?;
            sig.uses = (0..n).map(|_| self.r.num()).collect::<Option<_>>()?;
            for _ in 0..self.r.count(16)? {
                let (param, layout) = (self.r.u8()?, self.layout_id()?);
                sig.kept.push(Kept { param, layout, result: self.r.u8()?, range: self.r.interval()? });
            }
            let n = self.r.count(limits::STRETCHES)?;
            sig.stretches = (0..n).map(|_| self.r.num()).collect::<Option<_>>()?;
        }
        sig.preserved = if has(128) { self.r.u16()? & !(1 << 4) } else { self.preserved };
        Some((sig, depth + 1))
    }

    fn typed_registers(&mut self, depth: &mut usize) -> Option<Vec<(u8, WordId)>> {
        let n = self.r.count(16)?;
        let mut list = Vec::with_capacity(n);
        for _ in 0..n {
            let r = self.r.u8()?;
            let w = self.word_id()?;
            *depth = (*depth).max(self.word_depth(w));
            list.push((r, w));
        }
        Some(list)
    }
}
