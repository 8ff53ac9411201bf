//! The ranges of a signature's variables where the source leaves them open.

use super::ast::{Bound, Sig};
use super::cx::Cx;
use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::types::{self, Layout, WordTy};

/// Turns facts about a single result variable into its interval.
pub(super) fn narrow(sig: &mut types::Sig) {
    let first = sig.vars.len() as u32;
    let ranges = &mut sig.result_vars;
    sig.result_facts.retain(|t| {
        let [(v, c)] = *t.summands() else { return true };
        let Some(range) = v.checked_sub(first).and_then(|i| ranges.get_mut(i as usize)) else { return true };
        // Facts are tightened: a single coefficient is 1 or -1.
        let narrowed = match c {
            1 => Interval::new(range.lo.max(-t.konst()), range.hi),
            -1 => Interval::new(range.lo, range.hi.min(t.konst())),
            _ => return true,
        };
        // An empty interval is left as facts: nothing can satisfy it either way.
        if narrowed.lo != NEG_INF && narrowed.hi != POS_INF && narrowed.lo > narrowed.hi {
            return true;
        }
        *range = narrowed;
        false
    });
}

impl Cx<'_> {
    /// The length of a string in a parameter, of which nothing else is said, may be that of any string. Where words have 32
    /// bits, that is more than the largest number with a sign: memory may be larger than that.
    pub(super) fn string_lengths(&mut self, sig: &Sig, names: &[String], out: &mut types::Sig) {
        let types = &self.table.types;
        let words = out.params.iter().map(|p| p.1).chain(out.stack.iter().copied());
        let length = |w| {
            let word = match types.word(w) {
                WordTy::Opt(inner) => types.word(*inner),
                word => word,
            };
            let WordTy::Ptr(_, layout) = word else { return None };
            let Layout::Cstr(Some(m)) = types.layout(*layout) else { return None };
            m.as_var().map(|v| v as usize)
        };
        let lengths: Vec<usize> = words.filter_map(length).collect();
        for v in lengths {
            let binder =
                names.get(v).and_then(|n| sig.binders.iter().find(|b| self.name(b.ident.name) == *n));
            let open = binder.is_some_and(|b| matches!(b.bound, Bound::Default));
            if let Some(range) = out.vars.get_mut(v).filter(|_| open) {
                *range = Interval::new(range.lo, range.hi.max(self.options.arch.max_object() - 1));
            }
        }
    }
}
