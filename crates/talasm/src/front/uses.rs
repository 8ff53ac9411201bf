//! Owned statics: which function uses which.
//!
//! A function uses what its signature says, what its instructions name, and what the functions that it calls or jumps
//! to by name use. What it calls through a function value is not known here; then it says so itself.

use super::ast::{Decl, DeclKind, FnSig, Ident, TypeKind};
use super::cx::{Cx, DeclId, Found, Vars, what};
use super::names::known;
use crate::ir::{Function, ImportKind, Item, Operand, Place, SymId};
use std::collections::BTreeSet;
use talcore::limits;

impl Cx<'_> {
    /// The static that a signature says it uses, as signatures name it.
    pub(super) fn used_static(&mut self, ident: &Ident, file: u16) -> Option<u64> {
        // A static that is not public can be used all the same: through functions that are.
        let hidden = |d: &Decl| {
            d.ident.name == ident.name
                && d.span.file != 0
                && matches!(&d.kind, DeclKind::Object(o) if o.owned.is_some())
        };
        let decl = match (self.lookup(file, ident.name), self.decls.iter().position(hidden)) {
            (Found::Missing, Some(d)) => d as DeclId,
            _ => self.find(&Vars::of(file), ident.name, ident.span)?,
        };
        let kind = &self.decls[decl as usize].kind;
        let owned =
            |k: &DeclKind| matches!(k, DeclKind::Object(o) | DeclKind::ImportObject(o) if o.owned.is_some());
        if !owned(kind) {
            let text = self.name(ident.name);
            let (kind, declared) = (what(kind), self.decls[decl as usize].ident.span);
            self.error(1202, format!("`{text}` is no owned static"))
                .at(ident.span, format!("is {kind}"))
                .near(declared, "declared here")
                .help("`uses` names objects that are declared with `bss own` or `data own`");
            return None;
        }
        let sym = self.symbol(decl)?;
        self.mention(sym);
        Some(u64::from(sym.0))
    }

    fn mention(&mut self, sym: SymId) {
        if !self.statics.contains(&sym) {
            self.statics.push(sym);
        }
    }

    /// The declaration of a static of this module.
    fn static_decl(&self, sym: SymId) -> Option<DeclId> {
        match self.symbols.get(sym.0 as usize)?.place {
            Place::Object(o) => self.own_objects.get(o as usize).copied(),
            _ => None,
        }
    }

    fn is_owned_static(&self, sym: SymId) -> bool {
        match self.symbols[sym.0 as usize].place {
            Place::Object(_) => self.static_decl(sym).is_some_and(
                |d| matches!(&self.decls[d as usize].kind, DeclKind::Object(o) if o.owned.is_some()),
            ),
            Place::Import(i) => matches!(self.imports[i as usize].kind, ImportKind::Owned(_)),
            _ => false,
        }
    }

    /// Adds to each signature what its function turns out to use.
    pub(super) fn infer_uses(
        &mut self,
        decls: &[Decl],
        order: &[(DeclId, SymId)],
        functions: &mut [Function],
    ) {
        let declared = |cx: &Self, sig: u32| -> BTreeSet<u32> {
            let sig = cx.table.types.sigs.get(sig as usize);
            sig.into_iter().flat_map(|s| &s.uses).map(|u| *u as u32).collect()
        };
        let mut uses: Vec<BTreeSet<u32>> = functions.iter().map(|f| declared(self, f.sig)).collect();
        let mut callers: Vec<Vec<usize>> = vec![Vec::new(); functions.len()];
        for (i, f) in functions.iter().enumerate() {
            let instrs = f.body.iter().filter_map(|item| match item {
                Item::Instr(i) => Some(&i.operands),
                _ => None,
            });
            for o in instrs.flatten() {
                match o {
                    Operand::SymAddr(sym, ..) if self.is_owned_static(*sym) => {
                        uses[i].insert(sym.0);
                    }
                    Operand::Mem(m) => {
                        uses[i].extend(m.sym.filter(|s| self.is_owned_static(*s)).map(|s| s.0))
                    }
                    Operand::Func(sym, _) => match self.symbols[sym.0 as usize].place {
                        Place::Function(g) => callers[g as usize].push(i),
                        Place::Import(n) => {
                            if let ImportKind::Function(sig) = self.imports[n as usize].kind {
                                let theirs = declared(self, sig);
                                uses[i].extend(theirs);
                            }
                        }
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
        // What a function uses its callers use too.
        let mut open: Vec<usize> = (0..functions.len()).filter(|i| !uses[*i].is_empty()).collect();
        while let Some(g) = open.pop() {
            let theirs = uses[g].clone();
            for &f in &callers[g] {
                if self.fixed(&decls[order[f].0 as usize]) {
                    continue;
                }
                let before = uses[f].len();
                uses[f].extend(&theirs);
                if uses[f].len() != before {
                    open.push(f);
                }
            }
        }
        for ((f, &(decl, sym)), uses) in functions.iter_mut().zip(order).zip(uses) {
            let d = &decls[decl as usize];
            let Some(old) = self.table.types.sigs.get(f.sig as usize) else { continue };
            if self.fixed(d) || uses.len() == old.uses.len() {
                self.publish(sym, &uses);
                continue;
            }
            let mut sig = old.clone();
            let new: Vec<u32> = uses.iter().copied().filter(|u| !sig.uses.contains(&u64::from(*u))).collect();
            sig.uses.extend(new.iter().map(|u| u64::from(*u)));
            if sig.uses.len() > limits::USES {
                self.error(1010, "this function uses too many owned statics")
                    .at(f.span, format!("{}, and at most {}", sig.uses.len(), limits::USES))
                    .help("make one static of several: a struct");
                continue;
            }
            new.iter().for_each(|u| self.mention(SymId(*u)));
            f.sig = self.table.sig(sig).0;
            let place = |u: u32| (0..).zip(&self.symbol_of).find(|s| *s.1 == Some(SymId(u))).map(|s| s.0);
            self.inferred_uses.insert(decl, new.into_iter().filter_map(place).collect());
            self.publish(sym, &uses);
        }
    }

    /// Whether a function has the type that some abbreviation says, and no other.
    fn fixed(&self, d: &Decl) -> bool {
        match &d.kind {
            DeclKind::Fn(FnSig::Named(t)) => !matches!(self.ast.ty(*t).kind, TypeKind::Name(known::START)),
            _ => false,
        }
    }

    /// What a public function uses is mentioned by other modules, so the linker must find it.
    fn publish(&mut self, function: SymId, uses: &BTreeSet<u32>) {
        if self.symbols[function.0 as usize].global {
            uses.iter().for_each(|u| self.symbols[*u as usize].global = true);
        }
    }
}
