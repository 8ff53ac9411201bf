//! Arrays of strings for the kernel, of however many words.
//!
//! The kernel reads words from the start of the array to the first 0 and follows each. Where memory begins with an array
//! whose type says that its words are strings, or 0, all that is left to know is that a 0 comes behind them: it is the
//! word right behind the array. Nothing else may be held in the array, since held words replace what the type says; and
//! nobody else may write the memory, so that what is true here is true while the kernel reads it, and reads it again.

use crate::engine::{Checked, Engine, under};
use crate::guide::Guide;
use crate::limits;
use crate::rules::Lent;
use crate::state::{Env, Lay, LocId, Word};
use crate::term::Term;
use crate::types::{Layout, Mode, WordId, WordTy};
use crate::verdict::Code;

impl<G: Guide> Engine<'_, G> {
    /// Whether an object that nobody else writes begins with an array of strings, behind which a 0 is known to be.
    pub(super) fn ended_strings(&mut self, l: LocId) -> Checked<bool> {
        self.unfold(l)?;
        let lay = self.loc(l)?.lay;
        let Some(count) = self.first_strings(lay)? else { return Ok(false) };
        let end = self.term(count.scale(i128::from(self.word())))?;
        let mut i = 0;
        while let Some(held) = self.held_word(l, i) {
            self.spend(2)?;
            let behind = self.term(held.off.sub(&end))?;
            if !self.try_prove(&behind) {
                return Ok(false);
            }
            i += 1;
        }
        self.require(&count, Code::ArgFact, "the array of strings may have less than no words")?;
        let last = self.load_object(l, &end, self.word_width())?;
        let zero = matches!(last, Word::Int(t) if t.as_const() == Some(0));
        if zero {
            self.lent.push(Lent::Object(l, Mode::Frozen));
        }
        Ok(zero)
    }

    /// How many words the array of strings has that memory begins with, if it does.
    fn first_strings(&mut self, mut lay: Lay) -> Checked<Option<Term>> {
        let program = self.program;
        for _ in 0..=limits::NESTING {
            self.spend(2)?;
            let (fields, env) = match program.types.layout(lay.id) {
                Layout::Array(n, elem) => {
                    let strings = matches!(program.types.layout(*elem), Layout::Cell(ty) if self.string_or_0(*ty, &lay.env));
                    return Ok(if strings { Some(self.term(under(n, &lay.env))?) } else { None });
                }
                Layout::Struct(id, args) => {
                    let Some(fields) = program.types.strukt(*id).fields() else { return Ok(None) };
                    (fields, self.compose(args, &lay.env)?)
                }
                Layout::Seq(fields) => (&fields[..], lay.env.clone()),
                _ => return Ok(None),
            };
            let Some(first) = fields.first() else { return Ok(None) };
            lay = Lay { id: *first, env };
        }
        Ok(None)
    }

    /// Whether words of a type are 0 or point to strings that never change.
    fn string_or_0(&self, ty: WordId, env: &Env) -> bool {
        let types = &self.program.types;
        let ty = match types.word(ty) {
            WordTy::Of(code, linear) => match under(code, env).and_then(|t| self.decode(&t, *linear)) {
                Some(meant) => meant,
                None => return false,
            },
            _ => ty,
        };
        let ty = match types.word(ty) {
            WordTy::Opt(inner) => *inner,
            _ => ty,
        };
        matches!(types.word(ty), WordTy::Ptr(Mode::Imm, l) if matches!(types.layout(*l), Layout::Cstr(_)))
    }
}
