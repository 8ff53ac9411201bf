//! Attacks on abstract types: their layouts guessed, claimed by labels, taken from codes, or from types of other modules.

use crate::lab::{DATA, Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::codes;
use talcore::eq::{same_layout, unite_structs};
use talcore::state::{Lay, State};
use talcore::term::Term;
use talcore::types::{Body, Layout, LayoutId, Mode, Sig, SigId, Struct, StructId, Types, WordId, WordTy};
use talcore::verdict::{Code, Reject};

type Verdict = Result<(), Box<Reject>>;

/// The struct as its module has it, as others see it, and another one that they see.
const KNOWN: StructId = StructId(0);
const HIDDEN: StructId = StructId(1);
const OTHER: StructId = StructId(2);
/// 16 raw bytes.
const RAW: LayoutId = LayoutId(4);

/// `abstract struct counter { n: int, limit: int }`, and layouts: what it is, what others see, something else, raw bytes.
fn counter(lab: &mut Lab) {
    let any = lab.any();
    let cell = lab.layout(Layout::Cell(any));
    let fields = Body::Fields(vec![cell, cell]);
    lab.types.structs = [(Some(7), fields), (Some(7), Body::Hidden), (Some(8), Body::Hidden)]
        .map(|(brand, body)| Struct { brand, body, ..Struct::default() })
        .into();
    for id in [KNOWN, HIDDEN, OTHER] {
        lab.layout(Layout::Struct(id, [].into()));
    }
    assert_eq!(lab.layout(Layout::Bytes(Term::from(16))), RAW);
}

/// The layout that is a struct.
fn of(id: StructId) -> LayoutId {
    LayoutId(1 + id.0)
}

fn pointer(lab: &mut Lab, mode: Mode, layout: LayoutId) -> WordId {
    lab.word(WordTy::Ptr(mode, layout))
}

/// `fn f(rdi: own GIVEN) -> (rax: own RESULT)` that returns its argument.
fn passed(given: LayoutId, result: LayoutId) -> Verdict {
    let mut lab = Lab::default();
    counter(&mut lab);
    let (given, result) = (pointer(&mut lab, Mode::Own, given), pointer(&mut lab, Mode::Own, result));
    let body = code(|a| {
        a.mov(rax, rdi)?;
        a.ret()
    });
    lab.check(Sig { params: vec![(7, given)], results: vec![(0, result)], ..Sig::default() }, &body)
}

/// An abstract type is what it is, and nothing else that others could make or name.
/// class: G7 on amd64
#[test]
fn nothing_else_becomes_one() {
    accepted(passed(of(HIDDEN), of(HIDDEN)));
    rejected(passed(of(HIDDEN), RAW), Code::Abstract);
    rejected(passed(RAW, of(HIDDEN)), Code::Abstract);
    rejected(passed(of(HIDDEN), of(OTHER)), Code::Abstract);
    // The types of another note never get into a state. If they did, the two would not be mistaken for each other.
    rejected(passed(of(HIDDEN), of(KNOWN)), Code::Abstract);
    rejected(passed(of(KNOWN), of(HIDDEN)), Code::Abstract);
}

/// Whatever is said of the pointer, no byte of the memory is read or written.
/// class: G7 on amd64
#[test]
fn nothing_is_found_in_it() {
    for mode in Mode::ALL {
        for write in [false, true] {
            let mut lab = Lab::default();
            counter(&mut lab);
            let p = pointer(&mut lab, mode, of(HIDDEN));
            let body = code(|a| {
                if write {
                    a.mov(qword_ptr(rdi), rax)?;
                } else {
                    a.mov(al, byte_ptr(rdi + 1))?;
                }
                a.ret()
            });
            let verdict = lab.check(Sig { params: vec![(7, p)], ..Sig::default() }, &body);
            let found = verdict.expect_err("nothing is found").code;
            assert!(found == Code::Abstract || write && found == Code::ReadOnly, "{mode:?}: {found:?}");
        }
    }
}

/// A label that claims to know what the memory is.
/// class: G7 on amd64
#[test]
fn labels_that_know_the_layout() {
    let same: Label = State::clone;
    let bytes: Label = |entry| layout(entry, RAW);
    let known: Label = |entry| layout(entry, of(KNOWN));
    let other: Label = |entry| layout(entry, of(OTHER));
    for (label, safe) in [(same, true), (bytes, false), (known, false), (other, false)] {
        let mut lab = Lab::default();
        counter(&mut lab);
        let p = pointer(&mut lab, Mode::Own, of(HIDDEN));
        let body = code(|a| {
            a.nop()?;
            a.ret()
        });
        lab.labels.push((1, label));
        let verdict = lab.check(Sig { params: vec![(7, p)], ..Sig::default() }, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::Abstract) }
    }
}

fn layout(entry: &State, id: LayoutId) -> State {
    let mut label = entry.clone();
    label.locs[0].lay = Lay { id, env: Some([].into()) };
    label
}

/// By value it is part of nothing: nobody would know where it ends.
/// class: G7 on amd64
#[test]
fn parts_of_unknown_size() {
    let parts: [fn(LayoutId) -> Layout; 2] =
        [|l| Layout::Array(Term::from(2), l), |l| Layout::Seq([l, RAW].into())];
    for part in parts {
        for (id, safe) in [(HIDDEN, false), (KNOWN, true)] {
            let mut lab = Lab::default();
            counter(&mut lab);
            lab.layout(part(of(id)));
            let verdict = lab.check(Sig::default(), &[0xc3]);
            if safe { accepted(verdict) } else { rejected(verdict, Code::IllFormedType) }
        }
    }
}

/// A code of the type is the same in all modules, and what it stands for is what the module sees: `fn f(rdi: own
/// box(own counter))` that looks into what lies in the box.
/// class: G7 on amd64
#[test]
fn codes_tell_no_layout() {
    let look = |sees: fn(&[WordId; 2]) -> (u32, u32)| {
        let mut lab = Lab::default();
        let any = lab.any();
        let (known, hidden) = (WordId(any.0 + 1), WordId(any.0 + 2));
        counter_words(&mut lab);
        let item = lab.word(WordTy::Of(Term::var(0), true));
        let item = lab.layout(Layout::Cell(item));
        lab.types.structs.push(Struct::of(1, Vec::new(), vec![item]));
        let boxed = StructId(lab.types.structs.len() as u32 - 1);
        lab.layout(Layout::Struct(boxed, [Term::var(0)].into()));
        let full = lab.layout(Layout::Struct(boxed, [codes::code(hidden)].into()));
        let p = pointer(&mut lab, Mode::Own, full);
        let body = code(|a| {
            a.mov(rax, qword_ptr(rdi))?;
            a.mov(rax, qword_ptr(rax))?;
            a.ret()
        });
        lab.own_words = Some(sees(&[known, hidden]));
        lab.check(Sig { params: vec![(7, p)], ..Sig::default() }, &body)
    };
    accepted(look(|[known, _]| (known.0, known.0 + 1)));
    rejected(look(|[_, hidden]| (hidden.0, hidden.0 + 1)), Code::Abstract);
    // A module that has no such type does not even know that it is a pointer.
    rejected(look(|[_, hidden]| (hidden.0 + 1, hidden.0 + 2)), Code::NotPointer);
}

/// The same for a type that no other module has: a code of it, wherever another module should have it from, tells nothing.
/// class: G7 on amd64
#[test]
fn codes_of_types_that_others_do_not_have() {
    let look = |own: bool| {
        let mut lab = Lab::default();
        let any = lab.any();
        let cell = lab.layout(Layout::Cell(any));
        let (brand, body) = (Some(7), Body::Fields(vec![cell, cell]));
        lab.types.structs = vec![Struct { brand, body, ..Struct::default() }];
        let known = lab.layout(Layout::Struct(KNOWN, [].into()));
        let known = pointer(&mut lab, Mode::Own, known);
        let item = lab.word(WordTy::Of(Term::var(0), true));
        let item = lab.layout(Layout::Cell(item));
        lab.types.structs.push(Struct::of(1, Vec::new(), vec![item]));
        let full = lab.layout(Layout::Struct(StructId(1), [codes::code(known)].into()));
        let p = pointer(&mut lab, Mode::Own, full);
        let body = code(|a| {
            a.mov(rax, qword_ptr(rdi))?;
            a.mov(rax, qword_ptr(rax))?;
            a.ret()
        });
        let n = lab.types.words.len() as u32;
        lab.own_words = Some(if own { (0, n) } else { (known.0 + 1, n) });
        lab.check(Sig { params: vec![(7, p)], ..Sig::default() }, &body)
    };
    accepted(look(true));
    rejected(look(false), Code::NotPointer);
}

/// `own counter` as its module has it, and as others do.
fn counter_words(lab: &mut Lab) {
    let word = WordId(0);
    let cell = lab.layout(Layout::Cell(word));
    let fields = Body::Fields(vec![cell, cell]);
    lab.types.structs = [(Some(7), fields), (Some(7), Body::Hidden)]
        .map(|(brand, body)| Struct { brand, body, ..Struct::default() })
        .into();
    for id in [KNOWN, HIDDEN] {
        let layout = lab.layout(Layout::Struct(id, [].into()));
        pointer(lab, Mode::Own, layout);
    }
}

/// What is the same: one brand, however much is seen; never two brands, and never a brand and none.
/// class: G7 on amd64
#[test]
fn brands_decide() {
    let mut types = Types::default();
    types.words.push(WordTy::Int(Term::zero()));
    types.layouts.push(Layout::Cell(WordId(0)));
    let fields = || Body::Fields(vec![LayoutId(0)]);
    let all = [
        (Some(7), fields()),
        (Some(7), Body::Hidden),
        (Some(8), fields()),
        (None, fields()),
        (Some(9), Body::Hidden),
    ];
    types.structs = all.map(|(brand, body)| Struct { brand, body, ..Struct::default() }).into();
    types.structs.push(Struct { brand: Some(7), body: Body::Hidden, params: 1, ..Struct::default() });
    let layouts: Vec<_> = (0..6)
        .map(|i| {
            let args = if i == 5 { vec![Term::zero()] } else { vec![] };
            types.layouts.push(Layout::Struct(StructId(i), args.into()));
            LayoutId(types.layouts.len() as u32 - 1)
        })
        .collect();
    for (i, a) in layouts.iter().enumerate() {
        for (j, b) in layouts.iter().enumerate() {
            let same = same_layout(&types, *a, *b, &mut 1000);
            assert_eq!(same, i == j || i + j == 1, "{i} and {j}");
        }
    }
    // Equal as they are, they are not seen as one.
    unite_structs(&mut types, 1 << 20);
    for (i, l) in layouts.iter().enumerate() {
        assert!(matches!(types.layout(*l), Layout::Struct(s, _) if s.index() == i));
    }
}

/// What another note defines and this one does not import has no type here: neither a function nor an object.
/// class: I1 on amd64
#[test]
fn what_is_not_imported() {
    for (import, safe) in [(false, false), (true, true)] {
        let mut lab = Lab::default();
        let target = lab.other(Sig::default());
        let sig = SigId(lab.types.sigs.len() as u32 - 1);
        lab.apart = Some(if import { vec![(target, sig)] } else { vec![] });
        let body = code(|a| {
            a.call(target)?;
            a.ret()
        });
        let verdict = lab.check(Sig::default(), &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::NotFunction) }
    }
    for (apart, safe) in [(None, true), (Some(vec![]), false)] {
        let mut lab = Lab::default();
        let bytes = lab.layout(Layout::Bytes(Term::from(8)));
        lab.shared(bytes, 8);
        (lab.apart, lab.addend) = (apart, Some(0));
        let body = code(|a| {
            a.mov(eax, DATA as u32)?;
            a.mov(rax, qword_ptr(rax))?;
            a.ret()
        });
        let verdict = lab.check(Sig::default(), &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::NotPointer) }
    }
}
