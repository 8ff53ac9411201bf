//! `when rax = 0`: for which values of a result something holds.

use super::ast::{Ast, Param, Rel, Slot, When};
use super::cx::{Cx, Vars};
use super::sigs::register_name;
use crate::ir::RegOp;
use talcore::facts::Interval;
use talcore::limits;
use talcore::term::Term;
use talcore::types::{self, WordTy};

impl Cx<'_> {
    /// The register of the result that tells, and its values as words without sign.
    pub(super) fn when(
        &mut self,
        ast: &Ast,
        w: &When,
        vars: &Vars,
        out: &types::Sig,
    ) -> Option<(u8, Interval)> {
        let result = self.whole_register(w.result.0, w.result.1)?;
        if !out.results.iter().any(|r| r.0 == result) {
            self.error(1208, "no result tells whether this is so").at(w.result.1, "not one of the results");
            return None;
        }
        let words = Interval::unsigned(self.options.arch.word_bits());
        let value = self.eval_int(ast, w.value, vars)?;
        // As a word: -4095 is a large one.
        let c = if value < 0 { value + words.hi + 1 } else { value };
        let range = match w.rel {
            Rel::Eq => Interval::new(c, c),
            Rel::Le => Interval::new(0, c),
            Rel::Lt => Interval::new(0, c - 1),
            Rel::Ge => Interval::new(c, words.hi),
            Rel::Gt => Interval::new(c + 1, words.hi),
        };
        if range.lo > range.hi || !range.within(&words) {
            self.error(1205, "no word is like this")
                .at(ast.expr(w.value).span, "compared as words without sign");
            return None;
        }
        Some((result, range))
    }

    /// A result that is of its type for some values of another one. That one is a number, which gets a name if it has none.
    pub(super) fn sometimes(
        &mut self,
        ast: &Ast,
        p: &Param,
        vars: &Vars,
        out: &mut types::Sig,
        names: &mut Vec<String>,
    ) -> Option<()> {
        let (Some(w), Slot::Reg(RegOp::Gpr(n, _))) = (&p.when, p.slot) else { return Some(()) };
        let (result, range) = self.when(ast, w, vars, out)?;
        let tells = out.results.iter().position(|r| r.0 == result)?;
        let own = out.results.iter().position(|r| r.0 == n)?;
        let types = &self.table.types;
        if !matches!(
            types.word(out.results[own].1),
            WordTy::Ptr(..) | WordTy::Opt(_) | WordTy::Exists(_) | WordTy::Fn(_) | WordTy::Of(..)
        ) {
            self.error(1211, "`when` is for pointers, and for words of a variable's type")
                .at(ast.ty(p.ty).span, "any word may be read as a number");
            return None;
        }
        let told = match types.word(out.results[tells].1) {
            WordTy::Int(t) => t.clone(),
            WordTy::Range(range) if names.len() < limits::BINDERS => {
                let words = Interval::unsigned(self.options.arch.word_bits());
                let range = if words.within(range) { words } else { *range };
                let t = Term::var(names.len() as u32);
                names.push(register_name(result, self.word_bytes()));
                out.result_vars.push(range);
                out.results[tells].1 = self.table.word(WordTy::Int(t.clone()));
                t
            }
            _ => {
                self.error(1211, "a result that tells the type of another one is a number")
                    .at(w.result.1, "of another type")
                    .help("`rax: int(0..1)`, `rax: int`, or `rax: int(r)` with facts about r");
                return None;
            }
        };
        let inner = out.results[own].1;
        out.results[own].1 = self.table.word(WordTy::When(told, range, inner));
        Some(())
    }
}
