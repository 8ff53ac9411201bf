//! Attacks on memory that belongs to one function alone: labels that claim more owners than there are.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::state::{Held, Lay, Loc, State, Word};
use talcore::term::Term;
use talcore::types::{Body, Layout, LayoutId, Mode, Sig, Struct, StructId, WordId, WordTy};
use talcore::verdict::Code;
use talcore::x86::insn::Width;

/// `struct node { next: opt own node, value: int }`: the layout, the pointer to it, and that under `opt`. The numbers
/// are always the same, so that labels can be made without the laboratory.
pub(crate) fn node(lab: &mut Lab) -> (LayoutId, WordId, WordId) {
    lab.types.structs.push(Struct::default());
    let layout = lab.layout(Layout::Struct(StructId(0), [].into()));
    let own = lab.word(WordTy::Ptr(Mode::Own, layout));
    let opt = lab.word(WordTy::Opt(own));
    let any = lab.any();
    let fields = vec![lab.layout(Layout::Cell(opt)), lab.layout(Layout::Cell(any))];
    lab.types.structs[0].body = Body::Fields(fields);
    (layout, own, opt)
}

const NODE: LayoutId = LayoutId(0);
pub(crate) const OPT: WordId = WordId(1);
/// The first word type that is added behind those of [`node`] and a pointer.
const BLOCK: WordId = WordId(4);

fn lay() -> Lay {
    Lay { id: NODE, env: Some([].into()) }
}

fn pointer(l: u32) -> Word {
    Word::Ptr(l, Term::zero())
}

/// Which node is made part of the other.
#[derive(Clone, Copy, PartialEq)]
enum Link {
    No,
    SecondInFirst,
    FirstInSecond,
}

/// `fn f(rdi: own node, rsi: own node) -> (rax: own node, rdx: own node)` with a label in front of the return.
fn two_nodes(link: Link, label: Label) -> Result<(), Box<talcore::verdict::Reject>> {
    let mut lab = Lab::default();
    let (_, own, _) = node(&mut lab);
    let body = code(|a| {
        a.mov(rax, rdi)?; // 3 bytes
        a.mov(rdx, rsi)?; // 3 bytes
        match link {
            Link::No => (0..3).try_for_each(|_| a.nop())?,
            Link::SecondInFirst => a.mov(qword_ptr(rdi), rsi)?, // 3 bytes
            Link::FirstInSecond => a.mov(qword_ptr(rsi), rdi)?, // 3 bytes
        }
        a.ret()
    });
    lab.labels.push((9, label));
    let sig = Sig { params: vec![(6, own), (7, own)], results: vec![(0, own), (2, own)], ..Sig::default() };
    lab.check(sig, &body)
}

/// New locations for both nodes, which the arguments are no longer.
fn renamed(entry: &State, first: u32, second: u32) -> State {
    let mut label = entry.clone();
    label.locs.iter_mut().for_each(|l| l.live = false);
    label.locs.extend([Loc::new(Mode::Own, lay()), Loc::new(Mode::Own, lay())]);
    (label.regs[0], label.regs[2]) = (pointer(first), pointer(second));
    (label.regs[6], label.regs[7]) = (Word::Any, Word::Any);
    label
}

/// A node that hangs in another one belongs to that: a label cannot have both as whole nodes.
/// class: F2 on amd64
#[test]
fn a_label_cannot_own_what_is_part_of_another_object() {
    accepted(two_nodes(Link::No, |entry| renamed(entry, 2, 3)));
    // rax is matched first, so here the part is gone when rdx claims it, and there the label has it already.
    rejected(two_nodes(Link::SecondInFirst, |entry| renamed(entry, 2, 3)), Code::LabelType);
    rejected(two_nodes(Link::FirstInSecond, |entry| renamed(entry, 2, 3)), Code::BorrowConflict);
    // The same while they are still the arguments.
    let kept: Label = |entry| {
        let mut label = entry.clone();
        (label.regs[0], label.regs[2]) = (pointer(1), pointer(0));
        label
    };
    accepted(two_nodes(Link::No, kept));
    rejected(two_nodes(Link::SecondInFirst, kept), Code::BorrowConflict);
    rejected(two_nodes(Link::FirstInSecond, kept), Code::BorrowConflict);
}

/// What the first node holds may be said to be the second one; then the first cannot be returned as it is.
/// class: F2 on amd64
#[test]
fn a_label_may_tell_what_is_held() {
    let held: Label = |entry| {
        let mut label = renamed(entry, 2, 3);
        label.locs[2].cells = vec![Held { off: Term::zero(), width: Width::B8, word: pointer(3) }];
        label
    };
    rejected(two_nodes(Link::SecondInFirst, held), Code::ResultType);
}

/// One object under two names.
/// class: F2 on amd64
#[test]
fn a_label_cannot_own_one_object_twice() {
    let body = |second: bool| {
        code(|a| {
            a.mov(rax, rdi)?; // 3 bytes
            if second {
                a.mov(rdx, rdi)?;
            } else {
                a.mov(rdx, rsi)?;
            }
            a.ret()
        })
    };
    let new: Label = |entry| renamed(entry, 2, 3);
    // One of the names is that of the argument.
    let old: Label = |entry| {
        let mut label = renamed(entry, 1, 2); // arguments are numbered by their registers
        label.locs[1].live = true;
        label
    };
    for (label, second, safe) in
        [(new, true, false), (new, false, true), (old, true, false), (old, false, true)]
    {
        let mut lab = Lab::default();
        let (_, own, _) = node(&mut lab);
        lab.labels.push((6, label));
        let sig =
            Sig { params: vec![(6, own), (7, own)], results: vec![(0, own), (2, own)], ..Sig::default() };
        let verdict = lab.check(sig, &body(second));
        if safe { accepted(verdict) } else { rejected(verdict, Code::LabelType) }
    }
}

/// Two untested words that own memory must be two on the edge too.
/// class: F2 on amd64
#[test]
fn a_label_cannot_split_an_untested_owner() {
    let two: Label = |entry| {
        let mut label = entry.clone();
        let word = |label: &mut State| {
            let v = label.facts.fresh(Interval::unsigned(64));
            Word::Opt(v, OPT, Some([].into()))
        };
        label.regs[0] = word(&mut label);
        label.regs[2] = word(&mut label);
        (label.regs[6], label.regs[7]) = (Word::Any, Word::Any);
        label
    };
    for (second, safe) in [(false, true), (true, false)] {
        let mut lab = Lab::default();
        let (_, _, opt) = node(&mut lab);
        let body = code(|a| {
            a.mov(rax, rdi)?; // 3 bytes
            if second {
                a.mov(rdx, rdi)?;
            } else {
                a.mov(rdx, rsi)?;
            }
            a.ret()
        });
        lab.labels.push((6, two));
        let sig =
            Sig { params: vec![(6, opt), (7, opt)], results: vec![(0, opt), (2, opt)], ..Sig::default() };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::LabelType) }
    }
}

/// Copies of one untested word are of one type at a label, as they are on the edge: rdi holds an untested node, and a
/// copy of it in rdx is said to be an untested block of another kind.
/// class: F2 on amd64
#[test]
fn copies_of_an_untested_owner_have_one_type() {
    fn copies(entry: &State, second: WordId) -> State {
        let mut label = entry.clone();
        let v = label.facts.fresh(Interval::unsigned(64));
        label.regs[0] = Word::Opt(v, OPT, Some([].into()));
        label.regs[2] = Word::Opt(v, second, Some([].into()));
        label.regs[7] = Word::Any;
        label
    }
    let honest: Label = |entry| copies(entry, OPT);
    let lie: Label = |entry| copies(entry, BLOCK);
    for (label, safe) in [(honest, true), (lie, false)] {
        let mut lab = Lab::default();
        let (_, _, opt) = node(&mut lab);
        let own = lab.bytes(Mode::Own, Term::from(64));
        assert_eq!(lab.word(WordTy::Opt(own)), BLOCK);
        let body = code(|a| {
            a.mov(rax, rdi)?; // 3 bytes
            a.mov(rdx, rdi)?;
            a.ret()
        });
        lab.labels.push((6, label));
        let result = if safe { opt } else { BLOCK };
        let sig = Sig { params: vec![(7, opt)], results: vec![(2, result)], ..Sig::default() };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::LabelType) }
    }
}

/// `cmpxchg` may leave a cell as it was, also in memory that nobody else has.
/// class: B4 on amd64
#[test]
fn compare_and_exchange_may_not_store_in_owned_memory() {
    for (exchange, safe) in [(true, false), (false, true)] {
        let mut lab = Lab::default();
        // rdi: own bytes(16), rsi: &mut [8]
        let own = lab.bytes(Mode::Own, Term::from(16));
        let buffer = lab.bytes(Mode::Mut, Term::from(8));
        let body = code(|a| {
            a.mov(ecx, 7)?;
            if exchange {
                a.cmpxchg(qword_ptr(rdi), rcx)?;
            } else {
                a.mov(qword_ptr(rdi), rcx)?;
            }
            a.mov(rdx, qword_ptr(rdi))?;
            a.mov(byte_ptr(rsi + rdx), 0)?;
            a.ret()
        });
        let sig = Sig { params: vec![(6, buffer), (7, own)], ..Sig::default() };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::Bounds) }
    }
}

/// What is given back is found by its register, so typed memory is lent exclusively in registers only.
/// class: F2 on amd64
#[test]
fn typed_exclusive_memory_is_not_lent_on_the_stack() {
    for (typed, safe) in [(true, false), (false, true)] {
        let mut lab = Lab::default();
        let (layout, _, _) = node(&mut lab);
        let raw = lab.layout(Layout::Bytes(Term::from(16)));
        let word = lab.word(WordTy::Ptr(Mode::Uniq, if typed { layout } else { raw }));
        let verdict = lab.check(Sig { stack: vec![word], ..Sig::default() }, &[0xc3]);
        if safe { accepted(verdict) } else { rejected(verdict, Code::IllFormedType) }
    }
}

/// A word of a type variable is a copy: the memory that an untested word owns stays with the argument that takes it.
/// class: G9 on amd64
#[test]
fn a_word_variable_does_not_carry_memory() {
    let mut lab = Lab::default();
    let (_, _, opt) = node(&mut lab);
    let var = lab.word(WordTy::Var(0));
    // fn g[a](rdi: opt own node, rsi: a) -> (rax: a)
    let taker =
        Sig { params: vec![(6, var), (7, opt)], results: vec![(0, var)], word_vars: 1, ..Sig::default() };
    let target = lab.other(taker);
    let body = code(|a| {
        a.mov(rsi, rdi)?;
        a.call(target)?;
        a.ret()
    });
    let sig = Sig { params: vec![(7, opt)], results: vec![(0, opt)], ..Sig::default() };
    rejected(lab.check(sig, &body), Code::ResultType);
}

/// `own zero(n)`: the layout, as a state has it.
fn zeros(lab_layouts: u32, n: i128) -> Lay {
    Lay { id: LayoutId(lab_layouts), env: Some([Term::from(n)].into()) }
}

/// Memory is not zero because a label says so, and words that are held in it are not forgotten.
/// class: F3 on amd64
#[test]
fn a_label_cannot_make_zeros() {
    // The laboratory's layouts: a number, `zero(v0)`, `zero(64)`.
    let attack = |store: bool, label: Label| {
        let mut lab = Lab::default();
        let zero = lab.layout(Layout::Num(Width::B1, Interval { lo: 0, hi: 0 }));
        lab.layout(Layout::Array(Term::var(0), zero));
        let whole = lab.layout(Layout::Array(Term::from(64), zero));
        let own = lab.word(WordTy::Ptr(Mode::Own, whole));
        let body = code(|a| {
            if store {
                a.mov(qword_ptr(rdi + 8), rsi)?; // 4 bytes
            } else {
                (0..4).try_for_each(|_| a.nop())?;
            }
            a.mov(rax, rdi)?;
            a.ret()
        });
        lab.labels.push((4, label));
        lab.check(Sig { params: vec![(7, own)], results: vec![(0, own)], ..Sig::default() }, &body)
    };
    let same: Label = |entry| entry.clone();
    accepted(attack(false, same));
    rejected(attack(true, same), Code::LabelType);
    // It is raw memory: then it is no zeros at the end.
    let bytes: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].lay = zeros(1, 64);
        label
    };
    accepted(attack(false, bytes));
    rejected(attack(true, bytes), Code::LabelType);
    // The word is held elsewhere.
    let moved: Label = |entry| {
        let mut label = entry.clone();
        let v = label.facts.fresh(Interval::unsigned(64));
        label.locs[0].cells =
            vec![Held { off: Term::from(16), width: Width::B8, word: Word::Int(Term::var(v)) }];
        label
    };
    rejected(attack(true, moved), Code::LabelType);
}
