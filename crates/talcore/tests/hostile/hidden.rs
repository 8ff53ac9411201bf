//! Attacks on layouts that hide sizes: names that escape, parts that are opened half, and facts that nobody proved.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::state::{Held, Lay, Word};
use talcore::term::Term;
use talcore::types::{Body, Exists, Kept, Layout, LayoutId, Mode, Sig, Struct, StructId, WordId, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Width;

type Verdict = Result<(), Box<Reject>>;

/// `exists k {facts}. body`, of variables from `first` on.
fn hidden(lab: &mut Lab, first: u32, vars: usize, facts: Vec<Term>, body: LayoutId) -> LayoutId {
    let vars = vec![Interval::new(0, i128::from(i64::MAX)); vars].into();
    lab.layout(Layout::Exists(Box::new(Exists { first, vars, facts: facts.into(), body })))
}

fn pointer(lab: &mut Lab, mode: Mode, layout: LayoutId) -> WordId {
    lab.word(WordTy::Ptr(mode, layout))
}

fn int_cell(lab: &mut Lab, t: Term) -> LayoutId {
    let word = lab.word(WordTy::Int(t));
    lab.layout(Layout::Cell(word))
}

/// `struct slice(k) { ptr: ref bytes(k), len: int(k) }` and `exists k. slice(k)`, whose numbers are always the same.
fn line(lab: &mut Lab) -> LayoutId {
    lab.types.structs.push(Struct { params: 1, ..Struct::default() });
    let bytes = lab.bytes(Mode::Shared, Term::var(0));
    let fields = vec![lab.layout(Layout::Cell(bytes)), int_cell(lab, Term::var(0))];
    lab.types.structs[0].body = Body::Fields(fields);
    let slice = lab.layout(Layout::Struct(StructId(0), [Term::var(0)].into()));
    hidden(lab, 0, 1, vec![], slice)
}

/// Neither a load nor a borrow tells what another one hides: `exists k. pair(k, k)` is no `exists k. pair(n, k)`.
/// class: G1 on amd64
#[test]
fn what_is_hidden_does_not_escape() {
    for (constant, safe) in [(true, true), (false, false)] {
        let mut lab = Lab::default();
        lab.types.structs.push(Struct { params: 2, ..Struct::default() });
        let fields = vec![int_cell(&mut lab, Term::var(0)), int_cell(&mut lab, Term::var(1))];
        lab.types.structs[0].body = Body::Fields(fields);
        let known = if constant { Term::from(5) } else { Term::var(0) };
        let twice = lab.layout(Layout::Struct(StructId(0), [known, Term::var(0)].into()));
        let twice = hidden(&mut lab, 0, 1, vec![], twice);
        let once = lab.layout(Layout::Struct(StructId(0), [Term::var(0), Term::var(1)].into()));
        let once = hidden(&mut lab, 1, 1, vec![], once);
        let (given, wanted) = (pointer(&mut lab, Mode::Shared, twice), pointer(&mut lab, Mode::Shared, once));
        let target = lab.other(Sig {
            vars: vec![Interval::ALL],
            params: vec![(7, wanted)],
            preserved: !0,
            ..Sig::default()
        });
        let body = code(|a| {
            a.call(target)?;
            a.ret()
        });
        let verdict = lab.check(Sig { params: vec![(7, given)], ..Sig::default() }, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgType) }
    }
}

/// `fn f(rdi: &uniq [4]line => [4]line)` that opens the first element and writes `len` over its length; a label stands
/// in front of the end, where the pointer is loaded and, perhaps, used.
fn half(len: i32, used: bool, label: Option<Label>) -> Verdict {
    let mut lab = Lab::default();
    let line = line(&mut lab);
    let lines = lab.layout(Layout::Array(Term::from(4), line));
    let param = pointer(&mut lab, Mode::Uniq, lines);
    let body = code(|a| {
        a.mov(rax, qword_ptr(rdi))?; // 3 bytes
        if len >= 0 {
            a.mov(qword_ptr(rdi + 8), len)?; // 8 bytes
        } else {
            a.mov(qword_ptr(rsp - 8), 0)?; // rejected
        }
        a.mov(rax, qword_ptr(rdi))?;
        if used {
            a.movzx(eax, byte_ptr(rax + len - 1))?;
        }
        a.ret()
    });
    lab.labels.extend(label.map(|label| (11, label)));
    lab.check(Sig { params: vec![(7, param)], preserved: 1 << 3, ..Sig::default() }, &body)
}

/// The length of an element is written and kept by the label as a word of its own, while the pointer beside it is
/// packed: it is neither as long as that, nor is the element one again.
/// class: G1 on amd64
#[test]
fn a_label_cannot_take_an_element_apart() {
    let apart: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].cells =
            vec![Held { off: Term::from(8), width: Width::B8, word: Word::Int(Term::from(100)) }];
        label
    };
    rejected(half(100, true, Some(apart)), Code::Bounds);
    rejected(half(100, false, Some(apart)), Code::ResultType);
    // Without the label the length does not fit the pointer.
    rejected(half(100, false, None), Code::ResultFact);
}

/// A label may not claim that the element is whole while its length is another one.
/// class: G1 on amd64
#[test]
fn a_label_packs_what_it_does_not_hold() {
    let whole: Label = |entry| entry.clone();
    rejected(half(100, false, Some(whole)), Code::LabelFact);
    accepted(half(0, false, Some(whole)));
}

/// `fn f(rdi: &uniq line => line)` with a label at the start that says what the argument hides: nothing yet, and that
/// some length is there.
/// class: G1 on amd64
#[test]
fn a_label_that_hides_again_knows_nothing() {
    let check = |claim: Label, used: bool| {
        let mut lab = Lab::default();
        let line = line(&mut lab);
        let param = pointer(&mut lab, Mode::Uniq, line);
        let body = code(|a| {
            a.nop()?;
            a.mov(rcx, qword_ptr(rdi + 8))?; // 4 bytes
            a.mov(rax, qword_ptr(rdi))?; // 3 bytes
            if used {
                a.test(rcx, rcx)?; // 3 bytes
                a.db(&[0x74, 0x05])?; // jz over the load
                a.movzx(eax, byte_ptr(rax + rcx - 1))?; // 5 bytes
            }
            a.ret()
        });
        lab.labels.push((1, claim));
        if used {
            lab.labels.push((18, claim));
        }
        lab.check(Sig { params: vec![(7, param)], preserved: 1 << 3, ..Sig::default() }, &body)
    };
    // The entry has opened it: the layouts are those of `line`, in the order in which it makes them.
    const LINE: LayoutId = LayoutId(4);
    let again: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].lay = Lay { id: LINE, env: Some([].into()) };
        label
    };
    accepted(check(again, true));
    let longer: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].lay = Lay { id: LINE, env: Some([].into()) };
        label.locs[0].cells =
            vec![Held { off: Term::from(8), width: Width::B8, word: Word::Int(Term::from(64)) }];
        label
    };
    rejected(check(longer, false), Code::LabelFact);
}

/// Memory that comes back only for some values of a result may be of a type that nothing has: nothing follows from it
/// before the result is known.
/// class: G1, G8 on amd64
#[test]
fn what_may_not_be_there_says_nothing() {
    let mut lab = Lab::default();
    let cell = int_cell(&mut lab, Term::var(0));
    let facts = vec![Term::var(0).offset(-1).unwrap(), Term::var(0).neg().unwrap()];
    let nothing = hidden(&mut lab, 0, 1, facts, cell);
    let bytes = lab.bytes(Mode::Own, Term::from(8));
    let any = lab.any();
    let range = Interval::new(0, 0);
    let target = lab.other(Sig {
        params: vec![(7, bytes)],
        results: vec![(0, any)],
        kept: vec![Kept { param: 7, layout: nothing, result: 0, range }],
        ..Sig::default()
    });
    let body = code(|a| {
        a.call(target)?;
        a.mov(rax, qword_ptr(rax))?;
        a.ret()
    });
    rejected(lab.check(Sig { params: vec![(7, bytes)], ..Sig::default() }, &body), Code::NotPointer);
}

/// A size that is hidden in the memory that has it.
/// class: G1 on amd64
#[test]
fn sizes_are_known_from_outside() {
    for (constant, safe) in [(true, true), (false, false)] {
        let mut lab = Lab::default();
        let size = if constant { Term::from(8) } else { Term::var(0) };
        let number = int_cell(&mut lab, Term::var(0));
        let rest = lab.layout(Layout::Bytes(size));
        let both = lab.layout(Layout::Seq([number, rest].into()));
        let layout = hidden(&mut lab, 0, 1, vec![], both);
        let param = pointer(&mut lab, Mode::Own, layout);
        let verdict = lab.check(Sig { params: vec![(7, param)], ..Sig::default() }, &code(|a| a.ret()));
        if safe { accepted(verdict) } else { rejected(verdict, Code::IllFormedType) }
    }
}

/// A variable that an existential layout does not bind.
/// class: G2 on amd64
#[test]
fn existential_layouts_are_closed() {
    let mut lab = Lab::default();
    let number = int_cell(&mut lab, Term::var(3));
    let layout = hidden(&mut lab, 1, 1, vec![], number);
    let param = pointer(&mut lab, Mode::Own, layout);
    let verdict = lab.check(Sig { params: vec![(7, param)], ..Sig::default() }, &code(|a| a.ret()));
    rejected(verdict, Code::IllFormedType);
}

/// Two elements that are perhaps one: what was loaded from the one says nothing of what is loaded later.
/// class: G1, C8 on amd64
#[test]
fn two_elements_may_be_one() {
    for (same, safe) in [(true, true), (false, false)] {
        let mut lab = Lab::default();
        let line = line(&mut lab);
        let lines = lab.layout(Layout::Array(Term::from(4), line));
        let param = pointer(&mut lab, Mode::Uniq, lines);
        let index = |lab: &mut Lab, v: u32| lab.word(WordTy::Int(Term::var(v)));
        let (i, j) = (index(&mut lab, 0), index(&mut lab, 1));
        let short = lab.bytes(Mode::Shared, Term::from(1));
        let body = code(|a| {
            a.shl(rsi, 4)?;
            a.shl(rdx, 4)?;
            a.mov(r8, qword_ptr(rdi + rsi + 8))?;
            // The other one becomes short.
            a.mov(qword_ptr(rdi + rdx), rcx)?;
            a.mov(qword_ptr(rdi + rdx + 8), 1)?;
            a.mov(rax, qword_ptr(rdi + rsi))?;
            if same {
                a.mov(r8, qword_ptr(rdi + rsi + 8))?;
            }
            a.sub(r8, 1)?; // 4 bytes
            a.cmp(r8, 1 << 20)?; // 7 bytes
            a.db(&[0x73, 0x05])?; // jae over the load
            a.movzx(eax, byte_ptr(rax + r8))?; // 5 bytes
            a.ret()
        });
        let sig = Sig {
            vars: vec![Interval::new(0, 3); 2],
            params: vec![(1, short), (2, j), (6, i), (7, param)],
            preserved: 1 << 3,
            ..Sig::default()
        };
        lab.labels.push((body.len() as u64 - 1, |entry| {
            let mut label = entry.clone();
            (label.regs[2], label.regs[6]) = (Word::Any, Word::Any);
            label
        }));
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::Bounds) }
    }
}

/// `fn f(rdi: own [4]own bytes(8), rsi: own bytes(64)) -> (rax, rdx: what is claimed)` that copies `words` words.
fn moved(words: u64, left: bool, right: bool) -> Verdict {
    let mut lab = Lab::default();
    let block = lab.bytes(Mode::Own, Term::from(8));
    let cell = lab.layout(Layout::Cell(block));
    let blocks = lab.layout(Layout::Array(Term::from(4), cell));
    let own = pointer(&mut lab, Mode::Own, blocks);
    let raw = lab.bytes(Mode::Own, Term::from(64));
    let rest = lab.layout(Layout::Bytes(Term::from(32)));
    let both = lab.layout(Layout::Seq([blocks, rest].into()));
    let longer = pointer(&mut lab, Mode::Own, both);
    let bytes = lab.bytes(Mode::Own, Term::from(32));
    let body = code(|a| {
        a.mov(rax, rsi)?;
        a.mov(rdx, rdi)?;
        a.xchg(rsi, rdi)?;
        a.mov(ecx, words as i32)?;
        a.rep().movsq()?;
        a.ret()
    });
    let results = vec![(0, if right { longer } else { raw }), (2, if left { own } else { bytes })];
    lab.check(Sig { params: vec![(6, raw), (7, own)], results, preserved: 1 << 3, ..Sig::default() }, &body)
}

/// What an array owns moves with it, or stays: it is never in two places, and never half.
/// class: F2 on amd64
#[test]
fn an_array_is_moved_once() {
    accepted(moved(4, false, true));
    accepted(moved(3, true, false));
    rejected(moved(4, true, true), Code::ResultType);
    rejected(moved(3, true, true), Code::ResultType);
    rejected(moved(3, false, true), Code::ResultType);
}

/// A part of no size that nothing can be, right before one whose words are matched.
/// class: C11 on amd64
#[test]
fn a_part_of_no_size_is_proved_too() {
    for (least, safe) in [(0, true), (1, false)] {
        let mut lab = Lab::default();
        let line = line(&mut lab);
        let none = lab.layout(Layout::Bytes(Term::zero()));
        let facts = vec![Term::var(0).offset(-least).unwrap(), Term::var(0).neg().unwrap()];
        let nothing = hidden(&mut lab, 0, 1, facts, none);
        let both = lab.layout(Layout::Seq([nothing, line].into()));
        let own = pointer(&mut lab, Mode::Own, both);
        let raw = lab.bytes(Mode::Own, Term::from(16));
        let text = lab.bytes(Mode::Shared, Term::from(8));
        let body = code(|a| {
            a.mov(qword_ptr(rdi), rsi)?;
            a.mov(qword_ptr(rdi + 8), 8)?;
            a.mov(rax, rdi)?;
            a.ret()
        });
        lab.witnesses = vec![Term::zero(); 4];
        let sig = Sig { params: vec![(6, text), (7, raw)], results: vec![(0, own)], ..Sig::default() };
        let verdict = lab.check(Sig { preserved: 1 << 3, ..sig }, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ResultFact) }
    }
}

/// A string in each element, of a length that is hidden: nothing says where it ends, and nothing may be read behind it.
/// class: G1 on amd64
#[test]
fn strings_in_elements_are_not_read() {
    for mode in [Mode::Uniq, Mode::Own, Mode::Frozen, Mode::Read] {
        let mut lab = Lab::default();
        let string = lab.layout(Layout::Cstr(Some(Term::var(0))));
        let rest = Term::from(63).sub(&Term::var(0)).unwrap();
        let rest = lab.layout(Layout::Bytes(rest.clone()));
        let both = lab.layout(Layout::Seq([string, rest].into()));
        let facts = vec![Term::from(63).sub(&Term::var(0)).unwrap()];
        let buffer = hidden(&mut lab, 0, 1, facts, both);
        let buffers = lab.layout(Layout::Array(Term::from(4), buffer));
        let param = pointer(&mut lab, mode, buffers);
        let any = lab.any();
        let body = code(|a| {
            a.movzx(eax, byte_ptr(rdi + rsi))?;
            a.ret()
        });
        let sig = Sig { params: vec![(6, any), (7, param)], preserved: 1 << 3, ..Sig::default() };
        assert!(lab.check(sig, &body).is_err(), "{mode:?}");
    }
}
