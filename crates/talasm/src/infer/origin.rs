//! Where knowledge was lost: when a rule rejects an instruction, which way to the label in front of it brings less than
//! the rule needs.

use super::code::Code;
use super::join::Join;
use super::label::Frame;
use super::node::{Node, Source};
use super::project::concrete;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use talcore::state::{State, Word};
use talcore::term::Term;
use talcore::verdict::Reject;
use talcore::x86::insn::Arg;

/// A way to a label, and what is known on it.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The address of the jump; of the instruction before the label where control falls through.
    pub(super) from: u64,
    pub(super) state: Rc<State>,
}

/// What a label does not know that is needed behind it.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The address of the label.
    pub(super) label: u64,
    /// Its state.
    pub(super) state: Rc<State>,
    /// The register about which it knows nothing; `None`: it is the goal that it does not prove.
    pub(super) reg: Option<u8>,
    /// The ways on which it is known.
    pub(super) with: Vec<Way>,
    /// The ways on which it is not.
    pub(super) without: Vec<Way>,
}

/// What the search has found when it fails.
pub(super) struct Found<'a, 'p> {
    pub(super) frame: &'a Frame<'p>,
    pub(super) code: &'a Code,
    pub(super) nodes: &'a BTreeMap<u64, Node>,
    /// The address of the function.
    pub(super) start: u64,
}

impl Found<'_, '_> {
    /// Why what a rule wants is not known, if a label behind which the block begins is to blame.
    pub(super) fn origin(&self, block: Option<u64>, reject: &Reject, state: &State) -> Option<Origin> {
        if reject.goal.is_none()
            && let Some(r) = self.register(reject)
            && state.regs.get(usize::from(r)) == Some(&Word::Any)
        {
            return self.lost(block, r, reject.at);
        }
        self.unproved(block?, reject.goal.as_ref()?)
    }

    /// The register that a rejection is about.
    fn register(&self, reject: &Reject) -> Option<u8> {
        let insn = || self.code.index_of(reject.at.wrapping_sub(self.start)).map(|i| &self.code.insns[i].1);
        let base = || insn().filter(|i| i.args.contains(&Arg::Mem)).and_then(|i| i.mem.base.or(i.mem.index));
        reject.reg.or_else(|| base().map(|r| r.0))
    }

    /// The label on the way to an instruction that has forgotten a register which some edge to it knows.
    fn lost(&self, mut block: Option<u64>, r: u8, mut at: u64) -> Option<Origin> {
        let mut seen = BTreeSet::new();
        loop {
            let label = block.filter(|b| seen.insert(*b))?;
            if self.code.writes(label, at.wrapping_sub(self.start), r) {
                return None;
            }
            let node = self.nodes.get(&label)?;
            let known = |s: &Rc<State>| s.regs.get(usize::from(r)).is_some_and(|w| *w != Word::Any);
            if node.edges().any(|(_, s)| known(s)) {
                let (with, without) = self.ways(label, node, |s| known(s));
                let state = node.label.as_ref()?.state();
                return Some(Origin { label: self.start + label, state, reg: Some(r), with, without });
            }
            let ((from, ip, _), _) = node.edges().next()?;
            (block, at) = (*from, *ip);
        }
    }

    /// A goal about what the label of a block knows, which some edges prove.
    fn unproved(&self, label: u64, goal: &Term) -> Option<Origin> {
        let node = self.nodes.get(&label)?;
        let known = node.label.as_ref()?;
        let vars = known.state.facts.var_count();
        if goal.as_const().is_some() || goal.scope() as usize > vars {
            return None;
        }
        let proves = |s: &Rc<State>| {
            let edge = concrete(self.frame, s);
            let locs = known.state.locs.len().saturating_sub(self.frame.locs() as usize);
            let mut j = Join::new(self.frame, edge, vars.saturating_sub(self.frame.vars() as usize), locs);
            j.bind(&known.state);
            j.proves(goal)
        };
        let (with, without) = self.ways(label, node, proves);
        let state = known.state();
        let told = !with.is_empty();
        told.then_some(Origin { label: self.start + label, state, reg: None, with, without })
    }

    fn ways(&self, label: u64, node: &Node, known: impl Fn(&Rc<State>) -> bool) -> (Vec<Way>, Vec<Way>) {
        let way = |(source, state): (&Source, &Rc<State>)| {
            let falls = source.1 == self.start + label;
            let before = self.code.index_of(label).and_then(|i| self.code.insns.get(i.checked_sub(1)?));
            let from = if falls { self.start + before.map_or(0, |i| i.0) } else { source.1 };
            Way { from, state: state.clone() }
        };
        node.edges().map(way).partition(|w| known(&w.state))
    }
}
