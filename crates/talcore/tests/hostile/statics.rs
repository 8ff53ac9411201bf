//! Attacks on owned statics: labels and signatures that lie about who has them and what they hold.

use crate::lab::{DATA, Lab, Label, accepted, code, rejected};
use crate::owners::{OPT, node};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::state::{Held, Word};
use talcore::term::Term;
use talcore::types::{Layout, Mode, Sig, WordId, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Width;

/// `bss own x: opt own node`.
fn lab() -> Lab {
    let mut lab = Lab::default();
    let (_, _, opt) = node(&mut lab);
    let cell = lab.layout(Layout::Cell(opt));
    lab.owned(cell, 8);
    lab
}

fn uses(sig: Sig) -> Sig {
    Sig { uses: vec![DATA], ..sig }
}

/// What was taken out of a static is not in it again because a label says so.
/// class: F2 on amd64
#[test]
fn a_label_cannot_fill_a_static_again() {
    let check = |label: Label| {
        let mut lab = lab();
        let body = code(|a| {
            a.mov(rcx, qword_ptr(DATA))?; // 8 bytes
            a.ret()
        });
        lab.labels.push((8, label));
        lab.check(uses(Sig { results: vec![(1, OPT)], ..Sig::default() }), &body)
    };
    // The list is in rcx and in the static.
    let twice: Label = |entry| {
        let mut label = entry.clone();
        let v = label.facts.fresh(Interval::unsigned(64));
        label.regs[1] = Word::Opt(v, OPT, Some([].into()));
        label
    };
    rejected(check(twice), Code::LabelType);
    // The static may not be used any more: then it is not there at the return.
    let gone: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].live = false;
        let v = label.facts.fresh(Interval::unsigned(64));
        label.regs[1] = Word::Opt(v, OPT, Some([].into()));
        label
    };
    rejected(check(gone), Code::NotPointer);
    // It holds a number.
    let number: Label = |entry| {
        let mut label = entry.clone();
        let v = label.facts.fresh(Interval::unsigned(64));
        label.locs[0].cells =
            vec![Held { off: Term::zero(), width: Width::B8, word: Word::Int(Term::var(v)) }];
        let v = label.facts.fresh(Interval::unsigned(64));
        label.regs[1] = Word::Opt(v, OPT, Some([].into()));
        label
    };
    rejected(check(number), Code::ResultType);
}

/// Whether and how the function calls another one.
fn calls(sig: Sig, other: Sig, arg: bool) -> Result<(), Box<Reject>> {
    let mut lab = lab();
    let target = lab.other(other);
    let body = code(|a| {
        if arg {
            a.lea(rdi, qword_ptr(DATA))?;
        }
        a.call(target)?;
        a.ret()
    });
    lab.check(sig, &body)
}

/// What a function uses its callers use.
/// class: G9 on amd64
#[test]
fn a_static_is_not_used_behind_the_caller() {
    accepted(calls(uses(Sig::default()), uses(Sig::default()), false));
    rejected(calls(Sig::default(), uses(Sig::default()), false), Code::ArgType);
    // Nor by those who have not even one.
    let nowhere = Sig { uses: vec![DATA + 8], ..Sig::default() };
    rejected(calls(nowhere.clone(), nowhere, false), Code::Undefined);
}

/// A static is not lent to those who use it.
/// class: F2 on amd64
#[test]
fn a_static_is_lent_to_others_only() {
    for mode in [Mode::Uniq, Mode::Mut, Mode::Read, Mode::Frozen] {
        let borrow = |lab: &mut Lab| {
            let layout = lab.layout(Layout::Cell(OPT));
            lab.word(WordTy::Ptr(mode, layout))
        };
        for (also, safe) in [(false, true), (true, false)] {
            let mut lab = lab();
            let p = borrow(&mut lab);
            let sig = Sig { params: vec![(7, p)], ..Sig::default() };
            let target = lab.other(if also { uses(sig) } else { sig });
            let body = code(|a| {
                a.lea(rdi, qword_ptr(DATA))?;
                a.call(target)?;
                a.ret()
            });
            let verdict = lab.check(uses(Sig::default()), &body);
            if safe { accepted(verdict) } else { rejected(verdict, Code::BorrowConflict) }
        }
    }
}

/// It is not shared with anybody, and its address is no way to it for those who do not use it.
/// class: F2 on amd64
#[test]
fn a_static_is_found_by_its_users_only() {
    for (using, safe) in [(true, true), (false, false)] {
        let lab = lab();
        let body = code(|a| {
            a.cmp(qword_ptr(DATA), 0)?;
            a.ret()
        });
        let sig = if using { uses(Sig::default()) } else { Sig::default() };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::NotPointer) }
    }
    for (mode, code_of) in
        [(Mode::Shared, Code::ResultType), (Mode::Own, Code::ResultType), (Mode::Imm, Code::ResultType)]
    {
        let mut lab = lab();
        let layout = lab.layout(Layout::Cell(OPT));
        let p: WordId = lab.word(WordTy::Ptr(mode, layout));
        let body = code(|a| {
            a.lea(rax, qword_ptr(DATA))?;
            a.ret()
        });
        rejected(lab.check(uses(Sig { results: vec![(0, p)], ..Sig::default() }), &body), code_of);
    }
}

/// A word of a function type names what the function uses.
/// class: G9 on amd64
#[test]
fn a_function_value_does_not_hide_what_it_uses() {
    for (says, safe) in [(true, true), (false, false)] {
        let mut lab = lab();
        let target = lab.other(uses(Sig::default()));
        let taken = Sig { uses: if says { vec![DATA] } else { vec![] }, ..Sig::default() };
        lab.types.sigs.push(taken);
        let sig = talcore::types::SigId(lab.types.sigs.len() as u32 - 1);
        let value = lab.word(WordTy::Fn(sig));
        let body = code(|a| {
            a.mov(eax, target as u32)?;
            a.ret()
        });
        let verdict = lab.check(Sig { results: vec![(0, value)], ..Sig::default() }, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ResultType) }
    }
}
