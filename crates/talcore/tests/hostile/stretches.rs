//! Attacks on stretches: labels that lie about what is lent and for how long, and signatures that ask for too little.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::guide::Ghost;
use talcore::state::{Lay, Loc, LocId, State, Word};
use talcore::term::{Term, Var};
use talcore::types::{Layout, LayoutId, Mode, Sig, SigId, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Reg;

/// The layout of what is lent: 16 raw bytes.
const BLOCK: LayoutId = LayoutId(0);

/// What happens around the label, and in which mode the function has the memory.
#[derive(Clone, Copy)]
struct Scene {
    mode: Mode,
    /// Lent before the label.
    lent: bool,
    /// The stretch ends before the label already.
    early: bool,
    /// The stretch ends behind the label.
    late: bool,
    /// Behind all of that memory is read through rsi.
    read: bool,
    /// An owner is given back in rax.
    returned: bool,
}

const OWN: Scene =
    Scene { mode: Mode::Own, lent: true, early: false, late: true, read: false, returned: true };

/// `fn f(rdi: own bytes(16)) -> (rax: own bytes(16))`, or one of another mode, of which both rdi and rsi have the address.
fn check(scene: Scene, label: Label) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let block = lab.bytes(scene.mode, Term::from(16));
    let body = code(|a| {
        a.mov(rsi, rdi)?; // 3 bytes
        a.nop()?; // lent before this
        a.nop()?; // perhaps restored before this
        a.nop()?; // the label
        a.nop()?; // perhaps restored before this
        if scene.read {
            a.mov(rcx, qword_ptr(rsi))?;
        }
        a.mov(rax, rdi)?;
        a.ret()
    });
    let steps = [(scene.lent, 3, Ghost::Lend(Reg(7), 0)), (scene.early, 4, Ghost::Restore(0))];
    let last = (scene.late, 6, Ghost::Restore(0));
    lab.ghosts = steps.into_iter().chain([last]).filter(|s| s.0).map(|s| (s.1, s.2)).collect();
    lab.labels.push((5, label));
    let results = if scene.returned { vec![(0, block)] } else { vec![] };
    lab.check(Sig { params: vec![(7, block)], results, ..Sig::default() }, &body)
}

fn variable(s: &mut State) -> Var {
    s.facts.fresh(Interval::ALL)
}

/// A view of the memory for a stretch: a location of its own.
fn view(s: &mut State, stretch: Option<Var>, was: Option<Mode>) -> LocId {
    let lay = Lay { id: BLOCK, env: Some([].into()) };
    s.locs.push(Loc { stretch, was, ..Loc::new(Mode::Frozen, lay) });
    s.locs.len() as LocId - 1
}

/// The label as it should be; the number of the stretch is its last variable.
const GOOD: Label = |entry| {
    let mut label = entry.clone();
    let x = variable(&mut label);
    label.stretches.push((0, x));
    let was = Some(label.locs[0].mode);
    label.locs[0] = Loc { mode: Mode::Frozen, stretch: Some(x), was, ..label.locs[0].clone() };
    label.regs[6] = Word::Any;
    label
};

/// The same, and rsi has another location for the memory.
const VIEWED: Label = |entry| {
    let mut label = GOOD(entry);
    let x = label.stretches[0].1;
    let l = view(&mut label, Some(x), None);
    label.regs[6] = Word::Ptr(l, Term::zero());
    label
};

/// class: F1 on amd64
#[test]
fn what_is_lent_comes_back_where_the_label_says_so() {
    accepted(check(OWN, GOOD));
    accepted(check(OWN, VIEWED));
    for mode in [Mode::Uniq, Mode::Frozen] {
        accepted(check(Scene { mode, returned: false, ..OWN }, GOOD));
    }
    // At the end of the function all of it comes back.
    accepted(check(Scene { late: false, ..OWN }, GOOD));
    // It was not lent, or is not any more.
    rejected(check(Scene { lent: false, ..OWN }, GOOD), Code::LabelType);
    rejected(check(Scene { early: true, ..OWN }, GOOD), Code::LabelType);
}

/// class: F1 on amd64
#[test]
fn views_end_with_the_stretch() {
    accepted(check(Scene { read: true, late: false, ..OWN }, VIEWED));
    rejected(check(Scene { read: true, ..OWN }, VIEWED), Code::NotPointer);
}

/// class: F1 on amd64
#[test]
fn a_label_cannot_forget_that_memory_is_lent() {
    let own: Label = |entry| State {
        regs: {
            let mut r = entry.regs.clone();
            r[6] = Word::Any;
            r
        },
        ..entry.clone()
    };
    accepted(check(Scene { lent: false, late: false, ..OWN }, own));
    // A stretch that the label does not have ends on the way to it, and with it what the label may not have.
    accepted(check(Scene { late: false, ..OWN }, own));
    rejected(check(OWN, own), Code::Ghost);
    let without: [Label; 3] = [
        |entry| State { stretches: vec![], ..GOOD(entry) },
        |entry| State { stretches: vec![], ..VIEWED(entry) },
        |entry| {
            let mut label = VIEWED(entry);
            label.stretches.clear();
            label.locs[0] = entry.locs[0].clone();
            label
        },
    ];
    for label in without {
        rejected(check(Scene { late: false, ..OWN }, label), Code::LabelType);
    }
    // The stretch lasts, but the owner is there too.
    let both: Label = |entry| {
        let mut label = VIEWED(entry);
        label.locs[0] = entry.locs[0].clone();
        label
    };
    rejected(check(OWN, both), Code::LabelType);
    // Nothing of it is known any more: it is lost, and that is all.
    let lost: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs[0] = Loc { live: false, ..entry.locs[0].clone() };
        label.regs[7] = Word::Any;
        label
    };
    accepted(check(Scene { returned: false, ..OWN }, lost));
}

/// class: F1 on amd64
#[test]
fn a_stretch_has_one_name_at_a_label() {
    // The view's stretch is another variable of the same value, which `restore` would not find.
    let other: Label = |entry| {
        let mut label = GOOD(entry);
        let y = variable(&mut label);
        let l = view(&mut label, Some(y), None);
        label.regs[6] = Word::Ptr(l, Term::zero());
        label
    };
    rejected(check(Scene { read: true, ..OWN }, other), Code::Stream);
    // The lent object too.
    let lent: Label = |entry| {
        let mut label = GOOD(entry);
        let y = variable(&mut label);
        label.locs[0].stretch = Some(y);
        label
    };
    rejected(check(OWN, lent), Code::Stream);
    // One stretch at two places: one ends, the other would not.
    let twice: Label = |entry| {
        let mut label = VIEWED(entry);
        let y = variable(&mut label);
        label.stretches.push((1, y));
        label.locs[1].stretch = Some(y);
        label
    };
    rejected(check(Scene { read: true, ..OWN }, twice), Code::LabelType);
    let elsewhere: Label = |entry| {
        let mut label = VIEWED(entry);
        label.stretches[0].0 = 1;
        label
    };
    rejected(check(Scene { read: true, ..OWN }, elsewhere), Code::LabelType);
}

/// class: F1 on amd64
#[test]
fn a_view_is_not_good_for_the_whole_call() {
    let forever: Label = |entry| {
        let mut label = GOOD(entry);
        let l = view(&mut label, None, None);
        label.regs[6] = Word::Ptr(l, Term::zero());
        label
    };
    rejected(check(Scene { read: true, ..OWN }, forever), Code::LabelType);
    // Nor is an argument that is frozen for the call good for a stretch that its owner may end.
    rejected(
        check(Scene { lent: false, late: false, mode: Mode::Frozen, returned: false, ..OWN }, VIEWED),
        Code::LabelType,
    );
    // An untested word: 0 or frozen for the call.
    let untested: Label = |entry| {
        let mut label = GOOD(entry);
        let v = label.facts.fresh(Interval::new(0, 1 << 47));
        label.regs[6] = Word::Opt(v, talcore::types::WordId(2), Some([].into()));
        label
    };
    for mode in [Mode::Frozen, Mode::Own] {
        let mut lab = Lab::default();
        let block = lab.bytes(mode, Term::from(16));
        let frozen = lab.word(WordTy::Ptr(Mode::Frozen, BLOCK));
        lab.word(WordTy::Opt(frozen));
        let body = code(|a| {
            a.mov(rsi, rdi)?;
            a.nop()?;
            a.nop()?;
            a.ret()
        });
        lab.ghosts = vec![(3, Ghost::Lend(Reg(7), 0))];
        lab.labels.push((4, untested));
        rejected(lab.check(Sig { params: vec![(7, block)], ..Sig::default() }, &body), Code::LabelType);
    }
}

/// class: F1 on amd64
#[test]
fn one_lent_object_comes_back_once() {
    // The argument, and another name of it that comes back too.
    let second: Label = |entry| {
        let mut label = VIEWED(entry);
        label.locs[1].was = Some(Mode::Own);
        label
    };
    rejected(check(OWN, second), Code::LabelType);
    // Two other names of it.
    let two: Label = |entry| {
        let mut label = VIEWED(entry);
        let x = label.stretches[0].1;
        label.locs[0] = Loc { live: false, ..entry.locs[0].clone() };
        label.locs[1].was = Some(Mode::Own);
        let l = view(&mut label, Some(x), Some(Mode::Own));
        label.regs[7] = Word::Ptr(l, Term::zero());
        label
    };
    rejected(check(OWN, two), Code::LabelType);
    // One is enough, whatever it is called.
    let renamed: Label = |entry| {
        let mut label = VIEWED(entry);
        label.locs[0] = Loc { live: false, ..entry.locs[0].clone() };
        label.locs[1].was = Some(Mode::Own);
        label.regs[7] = Word::Ptr(1, Term::zero());
        label
    };
    accepted(check(OWN, renamed));
    rejected(check(Scene { mode: Mode::Uniq, returned: false, ..OWN }, renamed), Code::LabelType);
}

/// class: F1 on amd64
#[test]
fn what_comes_back_is_what_was_lent() {
    let owned: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs[0].was = Some(Mode::Own);
        label
    };
    accepted(check(OWN, owned));
    for mode in [Mode::Uniq, Mode::Frozen] {
        rejected(check(Scene { mode, returned: false, ..OWN }, owned), Code::Stream);
    }
    let larger: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs[0].lay.env = Some([Term::from(32)].into());
        label
    };
    let held: Label = |entry| {
        let mut label = GOOD(entry);
        let width = talcore::x86::insn::Width::B8;
        let word = Word::Sp(Term::zero());
        label.locs[0].cells.push(talcore::state::Held { off: Term::zero(), width, word });
        label
    };
    rejected(check(OWN, larger), Code::LabelFact);
    rejected(check(OWN, held), Code::LabelType);
    // An argument that a label does not have comes back as nothing.
    let dead: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs[0].live = false;
        label.regs[7] = Word::Any;
        label
    };
    rejected(check(Scene { returned: false, ..OWN }, dead), Code::Stream);
}

/// A call of a function for a stretch that the guide chooses.
/// class: F1 on amd64
#[test]
fn the_stretches_of_a_signature_last_at_the_call() {
    let asks = |lab: &mut Lab, stretch: bool| {
        let stretches = if stretch { vec![0] } else { vec![] };
        lab.other(Sig { vars: vec![Interval::ALL], stretches, ..Sig::default() })
    };
    // The variables of the caller: those of its signature, then the number of the stretch that it begins.
    for (lend, restore, witness, safe) in [
        (true, false, Term::var(0), true),
        (true, true, Term::var(0), false),
        (true, false, Term::from(7), false),
        (false, false, Term::from(7), false),
    ] {
        let mut lab = Lab::default();
        let block = lab.bytes(Mode::Own, Term::from(16));
        let target = asks(&mut lab, true);
        let body = code(|a| {
            a.nop()?;
            a.nop()?;
            a.call(target)?;
            a.ret()
        });
        let steps = [(lend, (0, Ghost::Lend(Reg(7), 0))), (restore, (1, Ghost::Restore(0)))];
        lab.ghosts = steps.into_iter().filter(|s| s.0).map(|s| s.1).collect();
        lab.witnesses = vec![witness];
        let verdict = lab.check(Sig { params: vec![(7, block)], ..Sig::default() }, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgFact) }
    }
    let mut lab = Lab::default();
    let target = asks(&mut lab, false);
    lab.witnesses = vec![Term::from(7)];
    accepted(lab.check(Sig::default(), &code(|a| a.jmp(target))));
}

/// A word of the type is a pointer while its stretch is known to last, and any word if not.
/// class: F1 on amd64
#[test]
fn words_are_pointers_while_their_stretch_lasts() {
    for (stretches, safe) in [(vec![0], true), (vec![], false), (vec![1], false)] {
        let mut lab = Lab::default();
        let block = lab.bytes(Mode::Frozen, Term::from(16));
        let word = lab.word(WordTy::During(Term::var(0), block));
        let read = code(|a| {
            a.mov(rax, qword_ptr(rdi + 8))?;
            a.ret()
        });
        let sig = Sig { vars: vec![Interval::ALL; 2], stretches, params: vec![(7, word)], ..Sig::default() };
        let verdict = lab.check(sig, &read);
        if safe { accepted(verdict) } else { rejected(verdict, Code::NotPointer) }
    }
    // Equal is enough, if it is proved.
    for (facts, safe) in [(vec![1, -1], true), (vec![1], false)] {
        let mut lab = Lab::default();
        let block = lab.bytes(Mode::Frozen, Term::from(16));
        let word = lab.word(WordTy::During(Term::var(0), block));
        let cell = lab.layout(Layout::Cell(word));
        let holder = lab.word(WordTy::Ptr(Mode::Read, cell));
        let read = code(|a| {
            a.mov(rdi, qword_ptr(rdi))?;
            a.mov(rax, qword_ptr(rdi + 8))?;
            a.ret()
        });
        let facts = facts.into_iter().map(|c| Term::from_parts(0, &[(0, c), (1, -c)]).unwrap()).collect();
        let params = vec![(7, holder)];
        let sig = Sig { vars: vec![Interval::ALL; 2], stretches: vec![1], params, facts, ..Sig::default() };
        let verdict = lab.check(sig, &read);
        if safe { accepted(verdict) } else { rejected(verdict, Code::NotPointer) }
    }
}

/// Function values: who calls one sees to it that the stretches of the other last.
/// class: D5 on amd64
#[test]
fn signatures_with_other_stretches_are_different() {
    for (first, second, safe) in [
        (vec![0], vec![0], true),
        (vec![0], vec![1], false),
        (vec![], vec![0], false),
        (vec![0], vec![], false),
    ] {
        let mut lab = Lab::default();
        let block = lab.bytes(Mode::Frozen, Term::from(16));
        let word = lab.word(WordTy::During(Term::var(0), block));
        let sig = |stretches: Vec<u32>| Sig {
            vars: vec![Interval::ALL; 2],
            stretches,
            params: vec![(7, word)],
            ..Sig::default()
        };
        lab.types.sigs.extend([sig(first), sig(second)]);
        let (given, wanted) = (SigId(0), SigId(1));
        let given = lab.word(WordTy::Fn(given));
        let wanted = lab.word(WordTy::Fn(wanted));
        let body = code(|a| {
            a.mov(rax, rdi)?;
            a.ret()
        });
        let sig = Sig { params: vec![(7, given)], results: vec![(0, wanted)], ..Sig::default() };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ResultType) }
    }
}

/// The same where the first variables are known.
/// class: D5 on amd64
#[test]
fn known_stretches_are_the_same() {
    // The function value's first variable, or the second, is a stretch; both stand for something.
    for (first, second, safe) in
        [(vec![0], vec![0], true), (vec![0], vec![1], false), (vec![], vec![1], false)]
    {
        let mut lab = Lab::default();
        let int = lab.any();
        let sig = |stretches: Vec<u32>| Sig {
            vars: vec![Interval::ALL; 2],
            stretches,
            params: vec![(7, int)],
            ..Sig::default()
        };
        lab.types.sigs.extend([sig(first), sig(second)]);
        let args = || [Term::var(0), Term::var(1)].into();
        let wanted = lab.word(WordTy::FnAt(SigId(0), args()));
        let given = lab.word(WordTy::FnAt(SigId(1), args()));
        let body = code(|a| {
            a.mov(rax, rdi)?;
            a.ret()
        });
        let vars = vec![Interval::ALL; 2];
        let sig = Sig { vars, params: vec![(7, given)], results: vec![(0, wanted)], ..Sig::default() };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ResultType) }
    }
}

/// class: G2 on amd64
#[test]
fn types_of_stretches_are_well_formed() {
    // What is borrowed for a stretch is frozen.
    for (mode, safe) in [(Mode::Frozen, true), (Mode::Mut, false), (Mode::Own, false), (Mode::Uniq, false)] {
        let mut lab = Lab::default();
        let block = lab.bytes(mode, Term::from(16));
        let word = lab.word(WordTy::During(Term::from(1), block));
        lab.layout(Layout::Cell(word));
        let verdict = lab.check(Sig::default(), &code(|a| a.ret()));
        if safe { accepted(verdict) } else { rejected(verdict, Code::IllFormedType) }
    }
    for (stretches, safe) in [(vec![0, 1], true), (vec![1, 0], false), (vec![0, 0], false), (vec![2], false)]
    {
        let sig = Sig { vars: vec![Interval::ALL; 2], stretches, ..Sig::default() };
        let verdict = Lab::default().check(sig, &code(|a| a.ret()));
        if safe { accepted(verdict) } else { rejected(verdict, Code::IllFormedType) }
    }
}
