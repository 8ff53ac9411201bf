//! Labels that claim what is not so, so that everything would follow.

use crate::lab::{DATA, Lab, Label, accepted, code_for, rejected};
use iced_x86::code_asm::*;
use talcore::arch::Arch;
use talcore::facts::Interval;
use talcore::state::{State, Word};
use talcore::term::{Term, Var};
use talcore::types::{Layout, Mode, Sig, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Width;

const BOTH: [Arch; 2] = [Arch::Amd64, Arch::Ia32];

/// `fn f(rdi: &[8], rsi, rdx: any word)` with a label in front of its only access, the one to `rdi + off`, or with `index` to `rdi + rsi`.
fn access(arch: Arch, index: bool, off: i32, label: Label) -> Result<(), Box<Reject>> {
    let mut lab = Lab { arch, ..Lab::default() };
    let any = lab.word(WordTy::Range(Interval::unsigned(arch.word_bits())));
    let p = lab.bytes(Mode::Read, Term::from(8));
    lab.labels.push((1, label));
    let body = code_for(arch, |a| {
        a.nop()?;
        match (arch, index) {
            (Arch::Amd64, false) => a.movzx(eax, byte_ptr(rdi + off))?,
            (Arch::Amd64, true) => a.movzx(eax, byte_ptr(rdi + rsi))?,
            (Arch::Ia32, false) => a.movzx(eax, byte_ptr(edi + off))?,
            (Arch::Ia32, true) => a.movzx(eax, byte_ptr(edi + esi))?,
        }
        a.ret()
    });
    lab.check(Sig { params: vec![(2, any), (6, any), (7, p)], ..Sig::default() }, &body)
}

/// What the label says is in rsi or rdx, and in which interval.
fn number(label: &mut State, reg: usize, range: Interval) -> Var {
    let v = label.facts.fresh(range);
    label.regs[reg] = Word::Int(Term::var(v));
    v
}

/// Facts that contradict each other would end the path, whatever it does; but each edge proves them.
/// class: G8, C7 on amd64, ia32
#[test]
fn a_label_cannot_claim_a_contradiction() {
    const WORD: Interval = Interval { lo: 0, hi: u32::MAX as i128 };
    let plain: Label = |entry| entry.clone();
    let empty: Label = |entry| {
        let mut label = entry.clone();
        number(&mut label, 6, Interval::new(1, 0));
        label
    };
    // Each is less than the other one.
    let circle: Label = |entry| {
        let mut label = entry.clone();
        let (a, b) = (number(&mut label, 6, WORD), number(&mut label, 2, WORD));
        for (a, b) in [(a, b), (b, a)] {
            let less = Term::var(b).sub(&Term::var(a)).and_then(|t| t.offset(-1)).expect("a term");
            label.facts.declare(less).expect("a fact");
        }
        label
    };
    let unbound: Label = |entry| {
        let mut label = entry.clone();
        label.facts.fresh(Interval::new(1, 0));
        label
    };
    for arch in BOTH {
        accepted(access(arch, false, 7, plain));
        rejected(access(arch, false, 8, plain), Code::Bounds);
        for off in [7, 8] {
            rejected(access(arch, false, off, empty), Code::LabelFact);
            rejected(access(arch, false, off, circle), Code::LabelFact);
            rejected(access(arch, false, off, unbound), Code::LabelType);
        }
    }
}

/// An interval is a fact, too.
/// class: C7, G8 on amd64, ia32
#[test]
fn a_label_cannot_narrow_a_number() {
    let small: Label = |entry| {
        let mut label = entry.clone();
        number(&mut label, 6, Interval::new(0, 7));
        label
    };
    // rsi is at most rdx, and that at most 7.
    let fact: Label = |entry| {
        let mut label = entry.clone();
        let any = Interval::unsigned(64);
        let (a, b) = (number(&mut label, 6, any), number(&mut label, 2, Interval::new(0, 7)));
        label.facts.declare(Term::var(b).sub(&Term::var(a)).expect("a term")).expect("a fact");
        label
    };
    for arch in BOTH {
        rejected(access(arch, true, 0, small), Code::LabelFact);
        rejected(access(arch, true, 0, fact), Code::LabelFact);
    }
}

/// Nor that of an argument, whose interval the signature tells: labels may know more of it where that was tested.
/// class: C7, G8 on amd64, ia32
#[test]
fn a_label_cannot_narrow_an_argument() {
    let narrowed: Label = |entry| {
        let mut label = entry.clone();
        label.facts.declare_range(0, Interval::new(0, 7));
        label
    };
    let same: Label = |entry| entry.clone();
    let verdict = |arch: Arch, last: i128, label: Label| {
        let mut lab = Lab { arch, ..Lab::default() };
        let index = lab.word(WordTy::Int(Term::var(0)));
        let p = lab.bytes(Mode::Read, Term::from(8));
        lab.labels.push((1, label));
        let body = code_for(arch, |a| {
            a.nop()?;
            match arch {
                Arch::Amd64 => a.movzx(eax, byte_ptr(rdi + rsi))?,
                Arch::Ia32 => a.movzx(eax, byte_ptr(edi + esi))?,
            }
            a.ret()
        });
        let vars = vec![Interval::new(0, last)];
        lab.check(Sig { vars, params: vec![(6, index), (7, p)], ..Sig::default() }, &body)
    };
    for arch in BOTH {
        accepted(verdict(arch, 7, same));
        rejected(verdict(arch, 8, same), Code::Bounds);
        rejected(verdict(arch, 8, narrowed), Code::LabelFact);
    }
}

/// Behind a label that nothing leads to anything may be claimed, since it is never executed. An edge from there proves
/// nothing for those that are.
/// class: D7, G8 on amd64, ia32
#[test]
fn what_is_never_reached_helps_nobody() {
    let attack = |arch: Arch, reached: bool| {
        let mut lab = Lab { arch, ..Lab::default() };
        let any = lab.word(WordTy::Range(Interval::unsigned(arch.word_bits())));
        let p = lab.bytes(Mode::Read, Term::from(8));
        let small: Label = |entry| {
            let mut label = entry.clone();
            number(&mut label, 6, Interval::new(0, 7));
            label
        };
        lab.labels.extend([(2, small), (4, small)]);
        // Either a jump to the access, or none; a jump to it that nothing leads to; the access.
        let start: &[u8] = if reached { &[0xeb, 0x02] } else { &[0x90, 0xc3] };
        let read = code_for(arch, |a| {
            match arch {
                Arch::Amd64 => a.movzx(eax, byte_ptr(rdi + rsi))?,
                Arch::Ia32 => a.movzx(eax, byte_ptr(edi + esi))?,
            }
            a.ret()
        });
        let body = [start, &[0xeb, 0x00], &read].concat();
        lab.check(Sig { params: vec![(6, any), (7, p)], ..Sig::default() }, &body)
    };
    for arch in BOTH {
        accepted(attack(arch, false));
        rejected(attack(arch, true), Code::LabelFact);
    }
}

/// A number of which others rely on the range is not written in two halves: in between it would be another one. One that is
/// wider than a word cannot be written at once, so there is none.
/// class: F7 on amd64, ia32
#[test]
fn a_range_is_not_written_in_halves() {
    let store = |arch: Arch, width: Width, last: i128, off: i32| {
        let mut lab = Lab { arch, addend: Some(off.into()), ..Lab::default() };
        let layout = lab.layout(Layout::Num(width, Interval::new(0, last)));
        lab.shared(layout, 8);
        let at = DATA as i32 + off;
        let body = code_for(arch, |a| {
            a.mov(dword_ptr(at), 9)?;
            a.ret()
        });
        lab.check(Sig::default(), &body)
    };
    let all = |width: Width| Interval::unsigned(width.bits()).hi;
    for arch in BOTH {
        accepted(store(arch, Width::B4, all(Width::B4), 0));
        accepted(store(arch, Width::B4, 9, 0));
        rejected(store(arch, Width::B4, 8, 0), Code::StoreType);
    }
    for off in [0, 4] {
        accepted(store(Arch::Amd64, Width::B8, all(Width::B8), off));
        rejected(store(Arch::Amd64, Width::B8, 1 << 40, off), Code::Straddle);
        rejected(store(Arch::Ia32, Width::B8, 1 << 40, off), Code::IllFormedType);
    }
}
