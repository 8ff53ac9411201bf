//! Label states written by hand: what they say is kept at the label, whatever arrives there.

use super::join::Join;
use super::label::{Clash, Frame};
use super::terms::divided;
use crate::encode::Encoded;
use crate::ir::{Annotation, Item, LinExpr, Module};
use crate::problem::Problem;
use std::collections::BTreeMap;
use std::rc::Rc;
use talcore::facts::{Interval, NEG_INF, POS_INF, tighten};
use talcore::state::{State, Word};
use talcore::term::{Term, Var};
use talcore::types::RegSet;

const UNKNOWN_NAME: u16 = 1501;
const OUT_OF_PLACE: u16 = 1502;

/// An annotation over the label's variables: those of the entry state, then its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Pin {
    /// Registers that have exactly these values.
    pub(super) regs: Vec<(u8, Term)>,
    /// Intervals of the entry state's variables and of its own, as far as they are written.
    ranges: Vec<Interval>,
    /// Facts over several variables.
    pub(super) facts: Vec<Term>,
    /// How many variables are its own.
    pub(super) own: u32,
}

/// The annotations of a function by offset.
pub(super) type Pins = BTreeMap<u64, Rc<Pin>>;

/// Where annotations are written, by offset in the function. `entry_label`: something jumps to the function's
/// first byte.
pub(super) fn places<'m>(
    module: &'m Module,
    encoded: &Encoded,
    f: usize,
    entry_label: bool,
) -> Result<BTreeMap<u64, &'m Annotation>, Box<Problem>> {
    let mut places: BTreeMap<u64, &Annotation> = BTreeMap::new();
    let mut label = None;
    for item in &module.functions[f].body {
        match item {
            Item::Label(l) => label = encoded.functions[f].labels.get(l.0 as usize).copied(),
            Item::Annotation(a) => {
                let refuse = |text: &str| Problem::new(OUT_OF_PLACE, a.span, text);
                let Some(at) = label else {
                    return Err(Box::new(refuse("an annotation without a label in front of it")));
                };
                if at == 0 && !entry_label {
                    let idle = refuse("an annotation where nothing jumps to");
                    let help = "the signature says what holds at the function's start: write it there";
                    return Err(Box::new(idle.help(help)));
                }
                if let Some(first) = places.insert(at.into(), a) {
                    let two = refuse("two annotations of one place");
                    return Err(Box::new(two.near(first.span, "the first one").help("write them as one")));
                }
            }
            _ => label = None,
        }
    }
    Ok(places)
}

/// Resolves an annotation. `signature`: names of the entry state's first variables, `entry`: how many it has.
pub(super) fn resolve(a: &Annotation, signature: &[String], entry: u32) -> Result<Pin, Box<Problem>> {
    let own = a.vars.iter().enumerate().map(|(i, v)| (v.0.as_str(), entry + i as Var));
    let args = signature.iter().enumerate().map(|(i, name)| (name.as_str(), i as Var));
    let numbers: BTreeMap<&str, Var> = args.chain(own).collect();
    let term = |e: &LinExpr| -> Result<Term, Box<Problem>> {
        let mut parts = Vec::new();
        for (name, c) in &e.vars {
            let v = *numbers.get(name.as_str()).ok_or_else(|| unknown(a, name))?;
            parts.extend(i64::try_from(*c).ok().filter(|c| *c != 0).map(|c| (v, c)));
        }
        parts.sort_unstable();
        Term::from_parts(e.konst, &parts)
            .ok_or_else(|| Box::new(Problem::new(OUT_OF_PLACE, a.span, "an annotation with too large a sum")))
    };
    let mut pin = Pin {
        ranges: vec![Interval::ALL; entry as usize + a.vars.len()],
        own: a.vars.len() as u32,
        ..Pin::default()
    };
    for (range, (_, lo, hi)) in pin.ranges[entry as usize..].iter_mut().zip(&a.vars) {
        *range = Interval::new(lo.unwrap_or(NEG_INF), hi.unwrap_or(POS_INF));
    }
    for (r, e) in &a.regs {
        if *r == 4 {
            let text = "an annotation of the stack pointer";
            return Err(Box::new(
                Problem::new(OUT_OF_PLACE, a.span, text).help("the assembler follows it by itself"),
            ));
        }
        pin.regs.push((*r, term(e)?));
    }
    for e in &a.facts {
        let Some(fact) = tighten(&term(e)?) else { continue };
        match *fact.summands() {
            // `tighten` made the coefficient 1 or -1.
            [(v, c)] => {
                let range = &mut pin.ranges[v as usize];
                if c > 0 {
                    range.lo = range.lo.max(-fact.konst());
                } else {
                    range.hi = range.hi.min(fact.konst());
                }
            }
            [] if fact.konst() >= 0 => {}
            [] => {
                let text = "an annotation that is false whatever the values";
                return Err(Box::new(Problem::new(OUT_OF_PLACE, a.span, text)));
            }
            _ if pin.facts.contains(&fact) => {}
            _ => pin.facts.push(fact),
        }
    }
    let open = pin.undetermined(entry);
    match open.map(|v| &a.vars[(v - entry) as usize].0) {
        None => Ok(pin),
        Some(name) => Err(unknown(a, name)),
    }
}

fn unknown(a: &Annotation, name: &str) -> Box<Problem> {
    let text = format!("nothing says what `{name}` is at this label");
    Box::new(
        Problem::new(UNKNOWN_NAME, a.span, text)
            .label(format!("`{name}` is in no register that is named here"))
            .help(format!(
                "use a variable of the signature, or say which register has it: `rcx: int({name})`"
            )),
    )
}

impl Pin {
    /// The registers that are annotated.
    pub(super) fn live(&self) -> RegSet {
        self.regs.iter().fold(0, |set, (r, _)| set | 1 << r)
    }

    /// An own variable that no register determines, even once others are known.
    fn undetermined(&self, entry: u32) -> Option<Var> {
        let mut known = vec![false; self.own as usize];
        let open = |known: &[bool], v: Var| v >= entry && !known[(v - entry) as usize];
        loop {
            let found = self.regs.iter().find_map(|(_, t)| {
                let mut vars = t.summands().into_iter().map(|s| s.0).filter(|v| open(&known, *v));
                let first = vars.next()?;
                vars.next().is_none().then_some(first)
            });
            match found {
                Some(v) => known[(v - entry) as usize] = true,
                None => return known.iter().position(|k| !k).map(|i| entry + i as Var),
            }
        }
    }

    /// What its own variables stand for on an edge.
    pub(super) fn meet(&self, f: &Frame<'_>, edge: &State) -> Result<Vec<Option<Term>>, Clash> {
        let mut j = Join::new(f, edge.clone(), self.own as usize, 0);
        let mut pairs = Vec::new();
        for (r, t) in &self.regs {
            let actual = match &edge.regs[usize::from(*r)] {
                Word::Int(t) => t.clone(),
                Word::Opt(v, ..) => Term::var(*v),
                // Whatever it is, it is a word.
                _ => j.s.fresh(f.words()),
            };
            pairs.push((*r, t, actual));
        }
        j.bind_pairs(pairs.iter().map(|(_, p, a)| (*p, a)));
        for (r, p, a) in &pairs {
            let same = |j: &Join<'_, '_>| {
                let d = j.apply(p)?.sub(a)?;
                Some(j.follows(&d) && j.follows(&d.neg()?))
            };
            if !j.unify(p, a, true) && same(&j) != Some(true) {
                return Err(Clash::Pinned(*r));
            }
        }
        Ok(j.theta)
    }

    /// The interval of a variable as it is written; where nothing is written, as it is.
    pub(super) fn range(&self, f: &Frame<'_>, v: Var, range: Interval) -> Interval {
        let Some(written) = self.ranges.get(v as usize) else { return range };
        if v < f.vars() {
            return Interval::new(range.lo.max(written.lo), range.hi.min(written.hi));
        }
        let lo = if written.lo == NEG_INF { range.lo } else { written.lo };
        let hi = if written.hi == POS_INF { range.hi } else { written.hi };
        // If they do not meet, the edge is to blame and not the label.
        if lo <= hi { Interval::new(lo, hi) } else { *written }
    }

    /// Renames the own variables of a state that has them from `first` on.
    pub(super) fn shifted(t: &Term, entry: u32, first: u32) -> Option<Term> {
        let parts: Vec<_> =
            t.summands().iter().map(|&(v, c)| (if v < entry { v } else { v - entry + first }, c)).collect();
        Term::from_parts(t.konst(), &parts)
    }
}

/// A variable of the edge in the label's variables, if `t`, which the label calls `z`, is that
/// variable up to its sign and a constant.
pub(super) fn renamed(f: &Frame<'_>, t: &Term, z: Var) -> Option<(Var, Term)> {
    let [(v, c)] = *t.summands() else { return None };
    let plain = Term::var(z).offset(t.konst().checked_neg()?)?;
    (v >= f.vars() && c.abs() == 1).then(|| Some((v, divided(&plain, c.into())?)))?
}
