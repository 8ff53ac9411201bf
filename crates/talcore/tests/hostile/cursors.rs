//! Attacks on cursors: labels that claim other holes, cells or owners than there are.

use crate::lab::{DATA, Lab, Label, accepted, code, rejected};
use crate::owners::{OPT, node};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::guide::Ghost;
use talcore::state::{Held, Hole, Lay, Loc, Word};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::{Reg, Width};

/// The cell `opt own node`, and raw memory of its size: the layouts behind those of [`node`].
const CELL: LayoutId = LayoutId(3);
const RAW: LayoutId = LayoutId(4);

/// A cursor is put into a static, which is `opt own node`, and ends behind the label; rdx points to the cell.
fn check(cursor: bool, end: bool, label: Label) -> Result<(), Box<Reject>> {
    checked(cursor, end, false, label)
}

/// The same; if `taken`, what is in the cell is returned.
fn checked(cursor: bool, end: bool, taken: bool, label: Label) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let (_, _, opt) = node(&mut lab);
    let cell = lab.layout(Layout::Cell(opt));
    assert_eq!(cell, CELL);
    lab.layout(Layout::Bytes(Term::from(8)));
    lab.owned(cell, 8);
    let body = code(|a| {
        a.lea(rdx, qword_ptr(DATA))?; // 8 bytes
        // 3 bytes; the cursor is put before this
        if taken {
            a.mov(rax, qword_ptr(rdx))?
        } else {
            (0..3).try_for_each(|_| a.nop())?
        }
        a.nop()?; // the label, and the end
        a.ret()
    });
    if cursor {
        lab.ghosts.push((8, Ghost::Cursor(Reg(2))));
    }
    if end {
        lab.ghosts.push((11, Ghost::End(Reg(2))));
    }
    lab.labels.push((11, label));
    let results = if taken { vec![(0, opt)] } else { vec![] };
    lab.check(Sig { uses: vec![DATA], results, ..Sig::default() }, &body)
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

/// class: F2 on amd64
#[test]
fn a_label_has_the_cursor_that_there_is() {
    accepted(check(true, true, GOOD));
    // It ends by itself at the return.
    accepted(check(true, false, GOOD));
    // There is none.
    rejected(check(false, true, GOOD), Code::LabelType);
}

/// class: F2 on amd64
#[test]
fn a_cursor_ends_only_once_its_cell_is_full() {
    let whole: Label = |entry| entry.clone();
    accepted(check(false, false, whole));
    accepted(check(true, false, whole));
    // What the label has in rax is not in the static too.
    let taken: Label = |entry| {
        let mut label = entry.clone();
        let v = label.facts.fresh(Interval::unsigned(64));
        label.regs[0] = Word::Opt(v, OPT, Some([].into()));
        label
    };
    rejected(checked(true, false, true, taken), Code::LabelType);
    // Nor at the return.
    let moved: Label = |entry| {
        let mut label = GOOD(entry);
        let v = label.facts.fresh(Interval::unsigned(64));
        label.regs[0] = Word::Opt(v, OPT, Some([].into()));
        label.locs[1].cells = vec![Held { off: Term::zero(), width: Width::B8, word: label.regs[0].clone() }];
        label
    };
    rejected(checked(true, false, true, moved), Code::ResultType);
    rejected(checked(true, true, true, moved), Code::ResultType);
    // The static, and the cell in it too.
    let both: Label = |entry| {
        let mut label = GOOD(entry);
        label.locs[0].live = true;
        label
    };
    rejected(check(true, true, both), Code::LabelType);
}

/// class: F2 on amd64
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
/// class: F2 on amd64
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
/// class: F2 on amd64
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

/// A cursor is where its object ends, so a label that invents one, to which nothing points, would make the object whole
/// again while what was taken out of it is still there.
/// class: F2 on amd64
#[test]
fn a_label_cannot_have_a_cursor_that_no_word_points_to() {
    // The node of the argument, the cell, and the node that was taken out of it.
    let honest: Label = |entry| {
        let mut label = entry.clone();
        label.locs[1].live = false;
        label.locs.push(cell(1));
        label.locs[2].cells =
            vec![Held { off: Term::zero(), width: Width::B8, word: Word::Int(Term::zero()) }];
        label.locs.push(Loc::new(Mode::Own, Lay { id: LayoutId(0), env: Some([].into()) }));
        label.regs[0] = Word::Ptr(3, Term::zero());
        label.regs[2] = Word::Ptr(2, Term::zero());
        label
    };
    // No word points to the cell, which is said to hold the argument: so the cursor can go on to it.
    let lie: Label = |entry| {
        let mut label = entry.clone();
        label.locs[1].live = false;
        label.locs.push(cell(1));
        label.locs[2].cells =
            vec![Held { off: Term::zero(), width: Width::B8, word: Word::Ptr(0, Term::zero()) }];
        label.locs.push(Loc::new(Mode::Own, Lay { id: LayoutId(0), env: Some([].into()) }));
        label.regs[0] = Word::Ptr(3, Term::zero());
        label
    };
    for (label, safe) in [(honest, true), (lie, false)] {
        let mut lab = Lab::default();
        let (_, own, opt) = node(&mut lab);
        assert_eq!(lab.layout(Layout::Cell(opt)), CELL);
        lab.owned(CELL, 8);
        let body = code(|a| {
            a.lea(rdx, qword_ptr(DATA))?; // 8 bytes
            a.mov(rax, qword_ptr(rdx))?; // 3 bytes; the cursor is put before this
            // 7 bytes
            if safe {
                a.mov(qword_ptr(rdx), 0)?
            } else {
                (0..7).try_for_each(|_| a.nop())?
            }
            a.test(rax, rax)?; // 3 bytes
            let mut there = a.create_label();
            a.jne(there)?; // 2 bytes
            a.ud2()?; // 2 bytes
            a.set_label(&mut there)?;
            a.nop()?; // the label
            a.nop()?; // the cursor goes on before this
            a.ret()
        });
        lab.ghosts.push((8, Ghost::Cursor(Reg(2))));
        if !safe {
            lab.ghosts.push((26, Ghost::Advance(Reg(7))));
        }
        lab.ghosts.push((26, Ghost::End(Reg(if safe { 2 } else { 7 }))));
        lab.labels.push((25, label));
        let sig = Sig { params: vec![(7, own)], results: vec![(0, own)], uses: vec![DATA], ..Sig::default() };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::Stream) }
    }
}

/// A cursor begins in memory that one of two arguments owns: a label that says it is in the other one would make that
/// whole again at the end, whatever was taken out of it, and lose nothing of the first.
/// class: F2 on amd64
#[test]
fn a_label_cannot_move_a_cursor_to_another_argument() {
    const HOLDER: LayoutId = LayoutId(5);
    fn label(entry: &talcore::state::State, root: usize) -> talcore::state::State {
        let mut label = entry.clone();
        label.locs[root].live = false;
        label.locs.push(cell(root as u32));
        label.regs[0] = Word::Ptr(2, Term::zero());
        label
    }
    let honest: Label = |entry| label(entry, 1); // arguments are numbered by their registers: rsi, rdi
    let lie: Label = |entry| label(entry, 0);
    let both: Label = |entry| {
        let mut label = label(entry, 1);
        label.locs[1].live = true;
        label
    };
    for (label, code_of) in [(honest, None), (lie, Some(Code::LabelType)), (both, Some(Code::LabelType))] {
        let mut lab = Lab::default();
        let (_, _, opt) = node(&mut lab);
        assert_eq!(lab.layout(Layout::Cell(opt)), CELL);
        let array = lab.layout(Layout::Array(Term::from(4), CELL));
        let owner = lab.word(WordTy::Ptr(Mode::Own, array));
        assert_eq!(lab.layout(Layout::Cell(owner)), HOLDER);
        let uniq = lab.word(WordTy::Ptr(Mode::Uniq, HOLDER));
        let body = code(|a| {
            a.mov(rax, qword_ptr(rdi))?; // 3 bytes
            a.nop()?; // the cursor is put before this
            a.nop()?; // the label, and the end
            a.ret()
        });
        lab.ghosts.extend([(3, Ghost::Cursor(Reg(0))), (4, Ghost::End(Reg(0)))]);
        lab.labels.push((4, label));
        let verdict = lab.check(Sig { params: vec![(6, uniq), (7, uniq)], ..Sig::default() }, &body);
        match code_of {
            None => accepted(verdict),
            Some(code) => rejected(verdict, code),
        }
    }
}
