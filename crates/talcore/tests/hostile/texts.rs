//! Attacks on strings in owned memory: labels that find one where none ends, or a shorter one.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::state::{Held, Lay, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, Struct, StructId, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Width;

const TEXT: LayoutId = LayoutId(2);

/// `struct text(m, n) { chars: cstr(m), rest: bytes(n - m - 1) }` and a function of
/// `(rdi: own bytes(16), rsi: int(0..7), rcx: int(0..7))` with a label behind its first instructions.
fn attack(
    label: Label,
    body: fn(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>,
) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let chars = lab.layout(Layout::Cstr(Some(Term::var(0))));
    let rest = Term::var(1).sub(&Term::var(0)).and_then(|t| t.offset(-1)).unwrap();
    let rest = lab.layout(Layout::Bytes(rest));
    lab.types.structs.push(Struct::of(2, Vec::new(), vec![chars, rest]));
    lab.layout(Layout::Struct(StructId(0), [Term::var(0), Term::var(1)].into()));
    let bytes = lab.layout(Layout::Bytes(Term::from(16)));
    let own = lab.word(WordTy::Ptr(Mode::Own, bytes));
    let index = lab.word(WordTy::Range(Interval::new(0, 7)));
    let before = code(body);
    let all = code(|a| {
        body(a)?;
        a.nop()?;
        a.ret()
    });
    lab.labels.push((before.len() as u64, label));
    lab.check(Sig { params: vec![(1, index), (6, index), (7, own)], ..Sig::default() }, &all)
}

/// The memory is a string of a length between 0 and `most`.
fn text(entry: &State, most: i128) -> State {
    let mut label = entry.clone();
    let m = label.facts.fresh(Interval::new(0, most));
    label.locs[0].lay = Lay { id: TEXT, env: Some([Term::var(m), Term::from(16)].into()) };
    label
}

/// class: F3 on amd64
#[test]
fn a_label_finds_a_string_where_a_zero_is() {
    let eight: Label = |entry| text(entry, 8);
    accepted(attack(eight, |a| a.mov(byte_ptr(rdi + 8), 0)));
    // A longer piece of zeros ends it as well; a number of which some byte is none does not.
    accepted(attack(eight, |a| a.mov(dword_ptr(rdi + 8), 0)));
    accepted(attack(eight, |a| a.mov(dword_ptr(rdi + 4), 0x11_1111)));
    rejected(attack(eight, |a| a.mov(dword_ptr(rdi + 4), 0x1111_1111)), Code::LabelType);
    // Nothing was written, or another byte, or it is another one by now, or perhaps.
    rejected(attack(eight, |a| a.nop()), Code::LabelType);
    rejected(attack(eight, |a| a.mov(byte_ptr(rdi + 8), 1)), Code::LabelType);
    let again = |a: &mut CodeAssembler| {
        a.mov(byte_ptr(rdi + 8), 0)?;
        a.mov(word_ptr(rdi + 7), si)
    };
    rejected(attack(eight, again), Code::LabelType);
    let perhaps = |a: &mut CodeAssembler| {
        a.mov(byte_ptr(rdi + 7), 0)?;
        a.mov(byte_ptr(rdi + rsi), sil)
    };
    rejected(attack(eight, perhaps), Code::LabelType);
    // It lies further behind.
    rejected(attack(eight, |a| a.mov(byte_ptr(rdi + 9), 0)), Code::LabelFact);
    // Its length is not the place of the 0.
    let exactly: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].lay = Lay { id: TEXT, env: Some([Term::from(8), Term::from(16)].into()) };
        label
    };
    rejected(attack(exactly, |a| a.mov(byte_ptr(rdi + 8), 0)), Code::LabelFact);
    // It is no larger than the memory.
    let longer: Label = |entry| {
        let mut label = text(entry, 8);
        label.locs[0].lay.env = Some([Term::from(0), Term::from(17)].into());
        label
    };
    rejected(attack(longer, |a| a.mov(byte_ptr(rdi), 0)), Code::LabelFact);
}

/// A 0 at a place that a register tells is told by that register.
/// class: F3 on amd64
#[test]
fn a_zero_at_an_unknown_place() {
    let at_rcx: Label = |entry| at(entry, 1);
    let at_rsi: Label = |entry| at(entry, 6);
    accepted(attack(at_rcx, |a| a.mov(byte_ptr(rdi + rcx), 0)));
    rejected(attack(at_rsi, |a| a.mov(byte_ptr(rdi + rcx), 0)), Code::LabelFact);
    let moved = |a: &mut CodeAssembler| {
        a.mov(byte_ptr(rdi + rcx), 0)?;
        a.add(rcx, 1)
    };
    rejected(attack(at_rcx, moved), Code::LabelFact);
}

fn at(entry: &State, register: usize) -> State {
    let mut label = entry.clone();
    let v = label.facts.fresh(Interval::new(0, 8));
    label.regs[register] = Word::Int(Term::var(v));
    label.locs[0].cells = vec![Held { off: Term::var(v), width: Width::B1, word: Word::Int(Term::zero()) }];
    label
}
