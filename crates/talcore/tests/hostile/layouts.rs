//! Attacks on layout variables, and on moves of memory as it is: wrong codes, wrong sizes, memory that becomes two.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::codes;
use talcore::facts::Interval;
use talcore::state::{Lay, State};
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, Struct, StructId, WordId, WordTy};
use talcore::verdict::{Code, Reject};

type Verdict = Result<(), Box<Reject>>;

/// `n` and `L: size n` are the variables 0 and 1 of all signatures here.
fn variables() -> Vec<Interval> {
    vec![Interval::new(0, 1 << 40), Interval::ALL]
}

/// `own L`.
fn owner(lab: &mut Lab) -> WordId {
    let layout = lab.layout(Layout::Of(Term::var(1), Term::var(0)));
    lab.word(WordTy::Ptr(Mode::Own, layout))
}

/// `own pair` of `struct pair { name: opt own bytes(8), value: int }`.
fn pair(lab: &mut Lab) -> WordId {
    let block = lab.bytes(Mode::Own, Term::from(8));
    let name = lab.word(WordTy::Opt(block));
    let value = lab.any();
    let (name, value) = (lab.layout(Layout::Cell(name)), lab.layout(Layout::Cell(value)));
    lab.types.structs.push(Struct::of(0, vec![], vec![name, value]));
    let id = StructId(lab.types.structs.len() as u32 - 1);
    let layout = lab.layout(Layout::Struct(id, [].into()));
    lab.word(WordTy::Ptr(Mode::Own, layout))
}

/// `own box(n, t)` of `struct box(n, L: size n) { key: int, item: L }`, applied to these terms.
fn boxed(lab: &mut Lab, n: Term, t: Term) -> WordId {
    let key = lab.any();
    let key = lab.layout(Layout::Cell(key));
    let item = lab.layout(Layout::Of(Term::var(1), Term::var(0)));
    lab.types.structs.push(Struct::of(2, vec![], vec![key, item]));
    let id = StructId(lab.types.structs.len() as u32 - 1);
    // States speak of it in this form.
    lab.layout(Layout::Struct(id, [Term::var(0), Term::var(1)].into()));
    let layout = lab.layout(Layout::Struct(id, [n, t].into()));
    lab.word(WordTy::Ptr(Mode::Own, layout))
}

fn sig(params: Vec<(u8, WordId)>, results: Vec<(u8, WordId)>) -> Sig {
    Sig { vars: variables(), params, results, ..Sig::default() }
}

/// `fn f[n, L: size n](rsi: own L, rdi: own bytes(n), rcx: int(count)) -> (rax: own L, rdx: ...)` that copies it.
fn copied(count: Term, second: bool) -> Verdict {
    let mut lab = Lab::default();
    let own = owner(&mut lab);
    let raw = lab.bytes(Mode::Own, Term::var(0));
    let count = lab.word(WordTy::Int(count));
    let body = code(|a| {
        a.mov(rax, rdi)?;
        a.mov(rdx, rsi)?;
        a.rep().movsb()?;
        a.ret()
    });
    let last = if second { own } else { raw };
    lab.check(sig(vec![(1, count), (6, own), (7, raw)], vec![(0, own), (2, last)]), &body)
}

/// class: F2 on amd64
#[test]
fn what_is_moved_is_not_two() {
    accepted(copied(Term::var(0), false));
    rejected(copied(Term::var(0), true), Code::ResultType);
}

/// The count is a word, and it is all of it.
/// class: F3 on amd64
#[test]
fn what_is_moved_is_whole() {
    rejected(copied(Term::var(0).offset(-1).unwrap(), false), Code::Bounds);
    // The processor reads the same word.
    accepted(copied(Term::var(0).offset(1 << 64).unwrap(), false));
    rejected(copied(Term::from(0), false), Code::ResultType);
    rejected(copied(Term::var(1), false), Code::Bounds);
}

/// A pointer that is congruent to the start is not the start.
/// class: C2 on amd64
#[test]
fn a_place_is_no_congruence() {
    for (far, safe) in [(0, true), (1_i128 << 64, false)] {
        let mut lab = Lab::default();
        let own = owner(&mut lab);
        let raw = lab.bytes(Mode::Own, Term::var(0));
        let count = lab.word(WordTy::Int(Term::var(0)));
        let far = lab.word(WordTy::Int(Term::from(far)));
        let body = code(|a| {
            a.mov(rax, rdi)?;
            a.add(rsi, rdx)?;
            a.rep().movsb()?;
            a.ret()
        });
        let verdict = lab.check(sig(vec![(1, count), (2, far), (6, own), (7, raw)], vec![(0, own)]), &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::Bounds) }
    }
}

/// The same memory at two places of another one: `struct two(n, L: size n) { first: L, second: L }`.
/// class: F2 on amd64
#[test]
fn parts_are_moved_once() {
    for twice in [false, true] {
        let mut lab = Lab::default();
        let own = owner(&mut lab);
        let item = lab.layout(Layout::Of(Term::var(1), Term::var(0)));
        lab.types.structs.push(Struct::of(2, vec![], vec![item, item]));
        let two = lab.layout(Layout::Struct(StructId(0), [Term::var(0), Term::var(1)].into()));
        let two = lab.word(WordTy::Ptr(Mode::Own, two));
        let room = lab.bytes(Mode::Own, Term::var(0).scale(2).unwrap());
        let count = lab.word(WordTy::Int(Term::var(0)));
        let body = code(|a| {
            a.mov(rax, rdi)?;
            a.mov(rdx, rcx)?;
            a.rep().movsb()?;
            a.mov(rcx, rdx)?;
            a.mov(rsi, if twice { rax } else { r8 })?;
            a.rep().movsb()?;
            a.ret()
        });
        let params = vec![(1, count), (6, own), (7, room), (8, own)];
        let verdict = lab.check(sig(params, vec![(0, two)]), &body);
        if twice { rejected(verdict, Code::ResultType) } else { accepted(verdict) }
    }
}

/// A label says of memory that it is of another variable's layout, or of one that it names by its code.
/// class: G5 on amd64
#[test]
fn labels_say_what_it_is() {
    fn with(entry: &State, layout: u32, env: [Term; 2]) -> State {
        let mut label = entry.clone();
        label.locs[0].lay = Lay { id: LayoutId(layout), env: Some(env.into()) };
        label
    }
    // The first layout of the laboratory is `Of(v1, v0)`.
    let same: Label = |entry| with(entry, 0, [Term::var(0), Term::var(1)]);
    let other: Label = |entry| with(entry, 0, [Term::var(0), Term::var(2)]);
    let longer: Label = |entry| with(entry, 0, [Term::var(3), Term::var(1)]);
    let known: Label = |entry| with(entry, 0, [Term::from(16), codes::code(WordId(4))]);
    let fresh: Label = |entry| {
        let mut label = with(entry, 0, [Term::var(0), Term::zero()]);
        let any = label.fresh(Interval::ALL);
        label.locs[0].lay.env = Some([Term::var(0), any].into());
        label
    };
    let (type_, fact) = (Some(Code::LabelType), Some(Code::LabelFact));
    let tries =
        [(same, None), (other, type_), (longer, fact), (known, fact), (fresh, Some(Code::ResultType))];
    for (label, why) in tries {
        let mut lab = Lab::default();
        let own = owner(&mut lab);
        pair(&mut lab);
        let n = lab.word(WordTy::Int(Term::var(3)));
        let body = code(|a| {
            a.mov(rax, rdi)?; // 3 bytes
            a.ret()
        });
        let mut sig = sig(vec![(6, n), (7, own)], vec![(0, own)]);
        sig.vars.extend([Interval::ALL, Interval::new(0, 1 << 40)]);
        lab.labels.push((0, label));
        assert_eq!(lab.check(sig, &body).err().map(|r| r.code), why);
    }
}

/// What nothing tells is what the annotations say, and the memory must be that.
/// class: G5 on amd64
#[test]
fn a_layout_that_is_claimed_is_checked() {
    let claim = |claimed: fn(&mut Lab, WordId) -> Term, size: i128| -> Verdict {
        let mut lab = Lab::default();
        let own = owner(&mut lab);
        let pair = pair(&mut lab);
        let block = lab.bytes(Mode::Own, Term::from(16));
        // fn take[n, L: size n](rdi: own L)
        let target = lab.other(sig(vec![(7, own)], vec![]));
        let witness = claimed(&mut lab, pair);
        lab.witnesses.push(witness);
        let raw = if size == 16 { block } else { lab.bytes(Mode::Own, Term::from(size)) };
        let body = code(|a| {
            a.call(target)?;
            a.ret()
        });
        lab.check(Sig { params: vec![(7, raw)], ..Sig::default() }, &body)
    };
    accepted(claim(|lab, _| codes::code(lab.bytes(Mode::Own, Term::from(16))), 16));
    // 24 bytes are not of a layout of 16, whatever else they are.
    rejected(claim(|lab, _| codes::code(lab.bytes(Mode::Own, Term::from(16))), 24), Code::ArgFact);
    rejected(claim(|_, pair| codes::code(pair), 16), Code::ArgType);
    rejected(claim(|lab, _| codes::code(lab.bytes(Mode::Shared, Term::from(16))), 16), Code::ArgType);
    rejected(claim(|_, _| Term::from(7), 16), Code::ArgType);
    rejected(claim(|_, _| codes::code(WordId(u32::MAX)), 16), Code::ArgType);
    let foreign = |lab: &mut Lab, _| {
        let layout = lab.layout(Layout::Foreign(Term::from(16)));
        codes::code(lab.word(WordTy::Ptr(Mode::Own, layout)))
    };
    rejected(claim(foreign, 16), Code::ArgType);
}

/// A struct is applied to a size and to a layout of another size: nothing is known of what lies there, and it is no pair.
/// class: G4 on amd64
#[test]
fn sizes_and_layouts_belong_together() {
    let load = |n: i128| -> Verdict {
        let mut lab = Lab::default();
        let pair = pair(&mut lab);
        let own = boxed(&mut lab, Term::from(n), codes::code(pair));
        let body = code(|a| {
            a.mov(rax, qword_ptr(rdi + 16))?;
            a.ret()
        });
        lab.check(Sig { params: vec![(7, own)], ..Sig::default() }, &body)
    };
    accepted(load(16));
    rejected(load(24), Code::Content);
    rejected(load(8), Code::Content);
    rejected(load(-16), Code::Content);
}

/// Where the size is a variable that is known to be 16, the memory is still of an unknown layout: sizes are compared as
/// they stand. It may be packed as the pair, which is a proof, and then it is one.
#[test]
fn sizes_are_compared_before_anything_is_known() {
    let mut lab = Lab::default();
    let pair = pair(&mut lab);
    let own = boxed(&mut lab, Term::var(0), codes::code(pair));
    let body = code(|a| {
        a.mov(rax, qword_ptr(rdi + 16))?;
        a.ret()
    });
    let sig = Sig { vars: vec![Interval::new(16, 16)], params: vec![(7, own)], ..Sig::default() };
    rejected(lab.check(sig, &body), Code::Content);
}

/// An array of elements of a layout variable is shorter by the one that was moved out of it.
/// class: F2 on amd64
#[test]
fn a_last_element_leaves_the_array() {
    // fn f[n, L: size 16](rsi: own [n]L, rdi: own bytes(16), rcx: int(2), rdx: int(16*n - at)) -> (rax: own L, rdx: own [n]L)
    let pop = |at: i128, first: bool, left: Term| -> Verdict {
        let mut lab = Lab::default();
        let item = lab.layout(Layout::Of(Term::var(1), Term::from(16)));
        let all = lab.layout(Layout::Array(Term::var(0), item));
        let rest = lab.layout(Layout::Array(left, item));
        let own = lab.word(WordTy::Ptr(Mode::Own, item));
        let all = lab.word(WordTy::Ptr(Mode::Own, all));
        let behind = lab.layout(Layout::Bytes(Term::from(16)));
        let rest = lab.layout(Layout::Seq([rest, behind].into()));
        let rest = lab.word(WordTy::Ptr(Mode::Own, rest));
        let raw = lab.bytes(Mode::Own, Term::from(16));
        let count = lab.word(WordTy::Int(Term::from(2)));
        let off = lab.word(WordTy::Int(Term::var(0).scale(16).unwrap().offset(-at).unwrap()));
        let body = code(|a| {
            a.mov(rax, rdi)?;
            a.mov(r8, rsi)?;
            a.add(rsi, rdx)?;
            a.rep().movsq()?;
            a.ret()
        });
        let mut sig = sig(
            vec![(1, count), (2, off), (6, all), (7, raw)],
            if first { vec![(0, own)] } else { vec![(0, own), (8, rest)] },
        );
        sig.vars[0] = Interval::new(2, 1 << 30);
        lab.check(sig, &body)
    };
    let less = Term::var(0).offset(-1).unwrap();
    accepted(pop(16, false, less.clone()));
    accepted(pop(32, true, less.clone()));
    rejected(pop(32, false, less.clone()), Code::ResultFact);
    rejected(pop(0, true, less.clone()), Code::Bounds);
    rejected(pop(8, true, less.clone()), Code::Bounds);
    rejected(pop(24, true, less), Code::ResultType);
    rejected(pop(16, false, Term::var(0)), Code::ResultFact);
}
