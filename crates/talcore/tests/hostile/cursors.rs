//! Attacks on cursors: labels that claim other holes, cells or owners than there are.

use crate::lab::{DATA, Lab, Label, accepted, code, rejected};
use crate::owners::node;
use iced_x86::code_asm::*;
use talcore::guide::Ghost;
use talcore::state::{Hole, Lay, Loc, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Reg;

/// The cell `opt own node`, and raw memory of its size: the layouts behind those of [`node`].
const CELL: LayoutId = LayoutId(3);
const RAW: LayoutId = LayoutId(4);

/// A cursor is put into a static, which is `opt own node`, and ends behind the label; rdx points to the cell.
fn check(cursor: bool, end: bool, label: Label) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let (_, _, opt) = node(&mut lab);
    let cell = lab.layout(Layout::Cell(opt));
    assert_eq!(cell, CELL);
    lab.layout(Layout::Bytes(Term::from(8)));
    lab.owned(cell, 8);
    let body = code(|a| {
        a.lea(rdx, qword_ptr(DATA))?; // 8 bytes
        a.nop()?; // the cursor is put before this
        a.nop()?; // the label, and the end
        a.ret()
    });
    if cursor {
        lab.ghosts.push((8, Ghost::Cursor(Reg(2))));
    }
    if end {
        lab.ghosts.push((9, Ghost::End(Reg(2))));
    }
    lab.labels.push((9, label));
    lab.check(Sig { uses: vec![DATA], ..Sig::default() }, &body)
}

fn cell(root: u32) -> Loc {
    let lay = Lay { id: CELL, env: Some([].into()) };
    Loc { hole: Some(Hole { root, cell: CELL }), ..Loc::new(Mode::Uniq, lay) }
}

/// The label as it should be.
const GOOD: Label = |entry| {
    let mut label = entry.clone();
    label.locs[0].live = false;
    label.locs.push(cell(0));
    label.regs[2] = Word::Ptr(1, Term::zero());
    label
};

#[test]
fn a_label_has_the_cursor_that_there_is() {
    accepted(check(true, true, GOOD));
    // Without an end the static is not whole at the return.
    rejected(check(true, false, GOOD), Code::NotPointer);
    // There is none.
    rejected(check(false, true, GOOD), Code::LabelType);
}

#[test]
fn a_label_cannot_end_a_cursor() {
    let whole: Label = |entry| entry.clone();
    accepted(check(false, false, whole));
    rejected(check(true, false, whole), Code::NotPointer);
    // The static, and the cell in it too.
    let both: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs[0].live = true;
        label
    };
    rejected(check(true, true, both), Code::NotPointer);
}

#[test]
fn a_label_cannot_have_a_cursor_twice() {
    let twice: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs.push(cell(0));
        label.regs[1] = Word::Ptr(2, Term::zero());
        label.regs[2] = Word::Ptr(1, Term::zero());
        label
    };
    rejected(check(true, true, twice), Code::LabelType);
}

/// What the cell holds may be forgotten, but not what the hole wants.
#[test]
fn a_hole_keeps_its_type() {
    let forgotten: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs[1].lay.id = RAW;
        label
    };
    rejected(check(true, true, forgotten), Code::Ghost);
    let other: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs[1].hole = Some(Hole { root: 0, cell: RAW });
        label
    };
    rejected(check(true, true, other), Code::LabelType);
}

/// The object that a cursor is in cannot be used, so nothing looks at what a label says of it; but it is whole again at
/// the end, and then it must be what it was.
#[test]
fn a_label_cannot_change_the_object_around_the_hole() {
    const THERE: LayoutId = LayoutId(7);
    const LIE: LayoutId = LayoutId(8);
    let honest: Label = |entry| {
        let mut label = GOOD(entry);
        label.regs[7] = Word::Ptr(1, Term::zero());
        label.regs[6] = Word::Ptr(0, Term::from(8));
        label.regs[2] = Word::Any;
        label
    };
    let lie: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0] = Loc { live: false, ..Loc::new(Mode::Own, Lay { id: LIE, env: Some([].into()) }) };
        label.locs.push(cell(0));
        label.regs[7] = Word::Ptr(1, Term::zero());
        label.regs[6] = Word::Ptr(0, Term::from(8));
        label
    };
    for (label, safe) in [(honest, true), (lie, false)] {
        let mut lab = Lab::default();
        let (_, _, opt) = node(&mut lab);
        assert_eq!(lab.layout(Layout::Cell(opt)), CELL);
        let raw = lab.layout(Layout::Bytes(Term::from(8)));
        let block = lab.bytes(Mode::Own, Term::from(64));
        let block = lab.word(WordTy::Opt(block));
        let other = lab.layout(Layout::Cell(block));
        let there = lab.layout(Layout::Seq([CELL, raw].into()));
        let lie = lab.layout(Layout::Seq([other, raw].into()));
        assert_eq!((there, lie), (THERE, LIE));
        let own = lab.word(WordTy::Ptr(Mode::Own, there));
        let body = code(|a| {
            a.lea(rsi, qword_ptr(rdi + 8))?; // 4 bytes
            a.nop()?; // the cursor is put before this
            a.nop()?; // the label, and the end
            a.mov(rax, qword_ptr(rsi - 8))?;
            a.ret()
        });
        lab.ghosts.extend([(4, Ghost::Cursor(Reg(7))), (5, Ghost::End(Reg(7)))]);
        lab.labels.push((5, label));
        let result = if safe { opt } else { block };
        let sig = Sig { params: vec![(7, own)], results: vec![(0, result)], ..Sig::default() };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::LabelType) }
    }
}
