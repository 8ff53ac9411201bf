//! Lies about what the frame holds.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::state::{Slot, Word};
use talcore::term::Term;
use talcore::types::{Mode, Sig};
use talcore::verdict::Code;

/// A label says that the lowest four bytes of the frame are the number 8, which then is an index plus 1.
/// class: E1 on amd64
#[test]
fn a_label_cannot_make_up_numbers_of_the_frame() {
    let eight: Label = |entry| {
        let mut label = entry.clone();
        (label.depth, label.touched) = (-8, -8);
        let number = Word::Int(Term::from(8));
        label.frame =
            vec![Slot { off: -4, size: 4, word: None }, Slot { off: -8, size: 4, word: Some(number) }];
        label
    };
    let store = |body: fn(&mut CodeAssembler) -> Result<(), iced_x86::IcedError>| {
        let before = code(|a| {
            a.push(0)?;
            body(a)
        });
        let all = code(|a| {
            a.push(0)?;
            body(a)?;
            a.mov(eax, dword_ptr(rsp))?;
            a.mov(byte_ptr(rdi + rax - 1), 0)?;
            a.add(rsp, 8)?;
            a.ret()
        });
        let mut lab = Lab::default();
        lab.labels.push((before.len() as u64, eight));
        let p = lab.bytes(Mode::Mut, Term::from(8));
        lab.check(Sig { params: vec![(7, p)], ..Sig::default() }, &all)
    };
    accepted(store(|a| a.mov(dword_ptr(rsp), 8)));
    // Another number, a part of it, another place, and one that a later store has changed.
    rejected(store(|a| a.mov(dword_ptr(rsp), 9)), Code::LabelFact);
    rejected(store(|a| a.mov(word_ptr(rsp), 8)), Code::LabelFact);
    rejected(store(|a| a.mov(dword_ptr(rsp + 4), 8)), Code::LabelFact);
    rejected(
        store(|a| {
            a.mov(dword_ptr(rsp), 8)?;
            a.mov(byte_ptr(rsp + 3), 1)
        }),
        Code::LabelFact,
    );
    rejected(
        store(|a| {
            a.mov(dword_ptr(rsp), 8)?;
            a.mov(word_ptr(rsp + 2), dx)
        }),
        Code::LabelFact,
    );
}
