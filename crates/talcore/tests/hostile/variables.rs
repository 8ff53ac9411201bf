//! Attacks on types with parameters that are types: wrong codes, wrong kinds, and words that become two.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::codes;
use talcore::facts::Interval;
use talcore::state::{Loc, State, Word};
use talcore::term::Term;
use talcore::types::{Body, Exists, Layout, LayoutId, Mode, Sig, SigId, Struct, StructId, WordId, WordTy};
use talcore::verdict::{Code, Reject};

type Verdict = Result<(), Box<Reject>>;

/// `struct pair(a) { first: a, second: a }`, which copies its words or (`moved`) moves them. Answers the type of the
/// words under the variable 0.
fn pair(lab: &mut Lab, moved: bool) -> WordId {
    lab.types.structs.push(Struct { params: 1, ..Struct::default() });
    let of = lab.word(WordTy::Of(Term::var(0), moved));
    let cell = lab.layout(Layout::Cell(of));
    lab.types.structs[0].body = Body::Fields(vec![cell, cell]);
    // States speak of it in this form.
    lab.layout(Layout::Struct(StructId(0), [Term::var(0)].into()));
    of
}

/// `pair(argument)`.
fn applied(lab: &mut Lab, argument: Term) -> LayoutId {
    lab.layout(Layout::Struct(StructId(0), [argument].into()))
}

fn owned_pair(lab: &mut Lab, argument: Term) -> WordId {
    let layout = applied(lab, argument);
    lab.word(WordTy::Ptr(Mode::Own, layout))
}

/// A function without variables.
fn sig(params: Vec<(u8, WordId)>, results: Vec<(u8, WordId)>) -> Sig {
    Sig { params, results, ..Sig::default() }
}

/// A function of one type variable.
fn generic(params: Vec<(u8, WordId)>, results: Vec<(u8, WordId)>) -> Sig {
    Sig { vars: vec![Interval::ALL], ..sig(params, results) }
}

/// `fn f[a](rdi: own pair(a)) -> (rax: own pair(a))` that copies the first word over the second.
/// class: G9 on amd64
#[test]
fn a_moved_word_is_not_two() {
    let body = code(|a| {
        a.mov(rcx, qword_ptr(rdi))?;
        a.mov(qword_ptr(rdi + 8), rcx)?;
        a.mov(rax, rdi)?;
        a.ret()
    });
    for moved in [false, true] {
        let mut lab = Lab::default();
        pair(&mut lab, moved);
        let own = owned_pair(&mut lab, Term::var(0));
        let verdict = lab.check(generic(vec![(7, own)], vec![(0, own)]), &body);
        if moved { rejected(verdict, Code::ResultType) } else { accepted(verdict) }
    }
}

/// The same in registers: `fn f[a](rdi: a) -> (rax: a, rdx: a)`.
/// class: G9 on amd64
#[test]
fn a_moved_word_is_not_returned_twice() {
    let body = code(|a| {
        a.mov(rax, rdi)?;
        a.mov(rdx, rdi)?;
        a.ret()
    });
    for moved in [false, true] {
        let mut lab = Lab::default();
        let of = pair(&mut lab, moved);
        let verdict = lab.check(generic(vec![(7, of)], vec![(0, of), (2, of)]), &body);
        if moved { rejected(verdict, Code::ResultType) } else { accepted(verdict) }
    }
}

/// A struct that copies its words, applied to a type that owns memory: its words are numbers.
/// class: G9 on amd64
#[test]
fn what_is_copied_owns_nothing() {
    let free = |owner: bool| -> Verdict {
        let mut lab = Lab::default();
        pair(&mut lab, !owner);
        let block = lab.bytes(Mode::Own, Term::from(64));
        let own = owned_pair(&mut lab, codes::code(block));
        let body = code(|a| {
            a.mov(rax, qword_ptr(rdi))?;
            a.ret()
        });
        lab.check(sig(vec![(7, own)], vec![(0, block)]), &body)
    };
    rejected(free(true), Code::ResultType);
    accepted(free(false));
}

/// A signature that says of one variable that its words are copied, where the struct moves them.
/// class: G4 on amd64
#[test]
fn kinds_cannot_be_mixed() {
    for (moved, safe) in [(false, false), (true, true)] {
        let mut lab = Lab::default();
        pair(&mut lab, true);
        let of = lab.word(WordTy::Of(Term::var(0), moved));
        let own = owned_pair(&mut lab, Term::var(0));
        let body = code(|a| {
            a.mov(rax, qword_ptr(rdi))?;
            a.ret()
        });
        let verdict = lab.check(generic(vec![(7, own)], vec![(0, of)]), &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ResultType) }
    }
}

/// `fn put[a](rdi: &uniq pair(a), rsi: a)` is called with a pair of small blocks and another block.
/// class: G5 on amd64
#[test]
fn one_variable_stands_for_one_type() {
    for (size, safe) in [(64, true), (8, false)] {
        let mut lab = Lab::default();
        let of = pair(&mut lab, true);
        let large = lab.bytes(Mode::Own, Term::from(64));
        let other = lab.bytes(Mode::Own, Term::from(size));
        let layout = applied(&mut lab, Term::var(0));
        let taken = lab.word(WordTy::Ptr(Mode::Uniq, layout));
        let target = lab.other(generic(vec![(6, of), (7, taken)], vec![]));
        let have = owned_pair(&mut lab, codes::code(large));
        let body = code(|a| {
            a.call(target)?;
            a.ret()
        });
        let verdict = lab.check(sig(vec![(6, other), (7, have)], vec![]), &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgFact) }
    }
}

/// A type that nothing tells is what the annotations say, and the argument must have it.
/// class: G5 on amd64
#[test]
fn a_type_that_is_claimed_is_checked() {
    let claim = |lab: &mut Lab, size: i128| {
        let block = lab.bytes(Mode::Own, Term::from(size));
        codes::code(block)
    };
    for (size, safe) in [(64, true), (128, false)] {
        let mut lab = Lab::default();
        let of = pair(&mut lab, true);
        let own = owned_pair(&mut lab, Term::var(0));
        // fn wrap[a](rsi: a) -> (rax: own pair(a))
        let target = lab.other(generic(vec![(6, of)], vec![(0, own)]));
        let block = lab.bytes(Mode::Own, Term::from(64));
        let witness = claim(&mut lab, size);
        lab.witnesses.push(witness.clone());
        let result = owned_pair(&mut lab, witness);
        let body = code(|a| {
            a.call(target)?;
            a.ret()
        });
        let verdict = lab.check(sig(vec![(6, block)], vec![(0, result)]), &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgFact) }
    }
}

/// Codes of types that cannot lie in memory, of types that do not exist, and numbers that are no codes are codes of
/// `int`: what is loaded is no pointer.
/// class: G5 on amd64
#[test]
fn other_codes_are_numbers() {
    let load = |argument: fn(&mut Lab) -> Term| -> Verdict {
        let mut lab = Lab::default();
        pair(&mut lab, true);
        let argument = argument(&mut lab);
        let own = owned_pair(&mut lab, argument);
        let body = code(|a| {
            a.mov(rax, qword_ptr(rdi))?;
            a.mov(al, byte_ptr(rax))?;
            a.ret()
        });
        lab.check(sig(vec![(7, own)], vec![]), &body)
    };
    accepted(load(|lab| codes::code(lab.bytes(Mode::Shared, Term::from(8)))));
    accepted(load(|lab| codes::code(lab.bytes(Mode::Own, Term::from(8)))));
    rejected(load(|lab| codes::code(lab.bytes(Mode::Mut, Term::from(8)))), Code::NotPointer);
    rejected(load(|_| codes::code(WordId(u32::MAX))), Code::NotPointer);
    rejected(load(|_| codes::code(WordId(0))), Code::NotPointer); // the variable itself
    rejected(load(|_| Term::from(7)), Code::NotPointer);
    rejected(load(|_| codes::code(WordId(0)).neg().unwrap_or_default()), Code::NotPointer);
    // A type whose size is a variable of some scope.
    rejected(load(|lab| codes::code(lab.bytes(Mode::Shared, Term::var(0)))), Code::NotPointer);
}

/// A type that is its own argument, as no file can say it: as deep as the code goes, and no deeper.
/// class: G3 on amd64
#[test]
fn a_type_within_itself() {
    let mut lab = Lab::default();
    pair(&mut lab, true);
    let layout = applied(&mut lab, Term::zero());
    let own = lab.word(WordTy::Ptr(Mode::Own, layout));
    lab.types.layouts[layout.index()] = Layout::Struct(StructId(0), [codes::code(own)].into());
    let body = code(|a| {
        for _ in 0..100 {
            a.mov(rdi, qword_ptr(rdi))?;
        }
        a.ret()
    });
    accepted(lab.check(sig(vec![(7, own)], vec![]), &body));
}

/// A label cannot make two moved words of one, nor one of another type.
/// class: G9 on amd64
#[test]
fn labels_keep_moved_words() {
    // The laboratory's own types come behind these; the one of moved words is the first that is added.
    fn word(label: &mut State, t: Term) -> Word {
        let v = label.facts.fresh(Interval::unsigned(64));
        Word::Opt(v, WordId(0), Some([t].into()))
    }
    let two: Label = |entry| {
        let mut label = entry.clone();
        label.regs[0] = word(&mut label, Term::var(0));
        label.regs[2] = word(&mut label, Term::var(0));
        (label.regs[6], label.regs[7]) = (Word::Any, Word::Any);
        label
    };
    let other: Label = |entry| {
        let mut label = entry.clone();
        label.regs[0] = word(&mut label, Term::var(1));
        label.regs[2] = word(&mut label, Term::var(0));
        (label.regs[6], label.regs[7]) = (Word::Any, Word::Any);
        label
    };
    let (yes, twice, wrong) = (None, Some(Code::LabelType), Some(Code::LabelFact));
    for (label, second, why) in [(two, true, twice), (two, false, yes), (other, false, wrong)] {
        let mut lab = Lab::default();
        let of = pair(&mut lab, true);
        let another = lab.word(WordTy::Of(Term::var(1), true));
        let body = code(|a| {
            a.mov(rax, rdi)?; // 3 bytes
            if second {
                a.mov(rdx, rdi)?;
            } else {
                a.mov(rdx, rsi)?;
            }
            a.ret()
        });
        lab.labels.push((6, label));
        let params = vec![(3, another), (6, of), (7, of)];
        let sig = Sig { vars: vec![Interval::ALL; 2], ..sig(params, vec![]) };
        assert_eq!(lab.check(sig, &body).err().map(|r| r.code), why);
    }
}

/// `struct room(n) { full: [n]own bytes(8), free: bytes(80 - 8*n) }` grows by words that are there.
/// class: F3 on amd64
#[test]
fn arrays_grow_by_what_was_stored() {
    let grow = |by: i128, stores: i32, twice: bool| -> Verdict {
        let mut lab = Lab::default();
        let block = lab.bytes(Mode::Own, Term::from(8));
        let cell = lab.layout(Layout::Cell(block));
        let full = lab.layout(Layout::Array(Term::var(0), cell));
        let free = lab.layout(Layout::Bytes(Term::from_parts(80, &[(0, -8)]).unwrap()));
        lab.types.structs.push(Struct::of(1, vec![], vec![full, free]));
        let have = lab.layout(Layout::Struct(StructId(0), [Term::var(0)].into()));
        let want = Term::var(0).offset(by).unwrap();
        let want = lab.layout(Layout::Struct(StructId(0), [want].into()));
        let (have, want) = (lab.word(WordTy::Ptr(Mode::Own, have)), lab.word(WordTy::Ptr(Mode::Own, want)));
        let n = lab.word(WordTy::Int(Term::var(0)));
        let body = code(|a| {
            for i in 0..stores {
                a.mov(qword_ptr(rdi + 8 * rsi + 8 * i), if i == 0 || twice { rcx } else { rdx })?;
            }
            a.mov(rax, rdi)?;
            a.ret()
        });
        let params = vec![(1, block), (2, block), (6, n), (7, have)];
        lab.check(Sig { vars: vec![Interval::new(2, 7)], ..sig(params, vec![(0, want)]) }, &body)
    };
    accepted(grow(0, 0, false));
    accepted(grow(1, 1, false));
    accepted(grow(2, 2, false));
    accepted(grow(-1, 0, false));
    rejected(grow(1, 0, false), Code::ResultType); // nothing was stored
    rejected(grow(2, 1, false), Code::ResultType);
    rejected(grow(2, 2, true), Code::ResultType); // one word, stored twice
    rejected(grow(-3, 0, false), Code::ResultFact); // perhaps fewer than none
    rejected(grow(4, 0, false), Code::ResultType);
}

/// Memory whose type argument is not known at all holds words that only fit where they came from.
/// class: G5 on amd64
#[test]
fn a_number_is_not_its_type() {
    // fn f[n](rdi: own pair(n), rsi: int(n), rdx: own bytes(8)) -> (rax: own pair(n))
    for (store, safe) in [(false, true), (true, false)] {
        let mut lab = Lab::default();
        pair(&mut lab, true);
        let own = owned_pair(&mut lab, Term::var(0));
        let n = lab.word(WordTy::Int(Term::var(0)));
        let block = lab.bytes(Mode::Own, Term::from(8));
        let body = code(|a| {
            if store {
                a.mov(qword_ptr(rdi), rdx)?;
            }
            a.mov(rax, rdi)?;
            a.ret()
        });
        let verdict = lab.check(generic(vec![(2, block), (6, n), (7, own)], vec![(0, own)]), &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ResultType) }
    }
}

/// Shared memory with words that are moved: through a borrow they are numbers, and nobody writes them.
/// class: F2 on amd64
#[test]
fn moved_words_stay_behind_borrows() {
    for (mode, store) in [(Mode::Mut, true), (Mode::Mut, false), (Mode::Shared, true)] {
        let mut lab = Lab::default();
        let of = pair(&mut lab, true);
        let layout = applied(&mut lab, Term::var(0));
        let pointer = lab.word(WordTy::Ptr(mode, layout));
        let body = code(|a| {
            if store {
                a.mov(qword_ptr(rdi), rsi)?;
            } else {
                a.mov(rax, qword_ptr(rdi))?;
            }
            a.ret()
        });
        let results = if store { vec![] } else { vec![(0, of)] };
        let verdict = lab.check(generic(vec![(6, of), (7, pointer)], results), &body);
        rejected(verdict, if store { Code::StoreType } else { Code::ResultType });
    }
}

/// A location of a label has the type arguments that it has on the edge.
/// class: G5 on amd64
#[test]
fn labels_compare_type_arguments() {
    let same: Label = |entry| {
        let mut label = entry.clone();
        let lay = label.locs[0].lay.clone();
        label.locs[0].live = false;
        label.locs.push(Loc::new(Mode::Own, lay));
        label.regs[7] = Word::Ptr(1, Term::zero());
        label
    };
    let other: Label = |entry| {
        let mut label = entry.clone();
        let lay = talcore::state::Lay { id: label.locs[0].lay.id, env: Some([Term::var(1)].into()) };
        label.locs[0].live = false;
        label.locs.push(Loc::new(Mode::Own, lay));
        label.regs[7] = Word::Ptr(1, Term::zero());
        label
    };
    for (label, safe) in [(same, true), (other, false)] {
        let mut lab = Lab::default();
        pair(&mut lab, true);
        let own = owned_pair(&mut lab, Term::var(0));
        let n = lab.word(WordTy::Int(Term::var(1)));
        lab.labels.push((1, label));
        let body = [0x90, 0xc3];
        let sig = Sig { vars: vec![Interval::ALL; 2], ..sig(vec![(6, n), (7, own)], vec![]) };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::LabelFact) }
    }
}

/// `struct closure(a) { run: fn (rdi: a) -> (rax: int), env: a }`; the layout under the variable 0.
fn closure(lab: &mut Lab) -> LayoutId {
    lab.types.structs.push(Struct { params: 1, ..Struct::default() });
    let of = lab.word(WordTy::Of(Term::var(0), false));
    let any = lab.any();
    lab.types.sigs.push(generic(vec![(7, of)], vec![(0, any)]));
    let run = lab.word(WordTy::FnAt(SigId(lab.types.sigs.len() as u32 - 1), [Term::var(0)].into()));
    let fields = vec![lab.layout(Layout::Cell(run)), lab.layout(Layout::Cell(of))];
    lab.types.structs[0].body = Body::Fields(fields);
    lab.layout(Layout::Struct(StructId(0), [Term::var(0)].into()))
}

/// Code is called with the environment that its closure hides, and a function becomes part of a closure only with one
/// that it wants.
/// class: G1, G5 on amd64
#[test]
fn closures_keep_code_and_environment_together() {
    // fn f(rdi: exists a. own closure(a), rsi: exists a. own closure(a)) -> (rax: int)
    for (same, safe) in [(true, true), (false, false)] {
        let mut lab = Lab::default();
        let layout = closure(&mut lab);
        let own = lab.word(WordTy::Ptr(Mode::Own, layout));
        let hidden = Exists { first: 0, vars: [Interval::ALL].into(), facts: [].into(), body: own };
        let hidden = lab.word(WordTy::Exists(hidden));
        let any = lab.any();
        let body = code(|a| {
            a.mov(rax, rdi)?;
            a.mov(rdi, if same { qword_ptr(rdi + 8) } else { qword_ptr(rsi + 8) })?;
            a.jmp(qword_ptr(rax))
        });
        let verdict = lab.check(sig(vec![(6, hidden), (7, hidden)], vec![(0, any)]), &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgType) }
    }
    // fn f(rdi: own bytes(16), rsi: fn (rdi: ref bytes(8)) -> (rax: int), rdx: ref or imm bytes(8)) -> (rax: exists a. own closure(a))
    for (mode, safe) in [(Mode::Shared, true), (Mode::Imm, false)] {
        let mut lab = Lab::default();
        let layout = closure(&mut lab);
        let own = lab.word(WordTy::Ptr(Mode::Own, layout));
        let hidden = Exists { first: 0, vars: [Interval::ALL].into(), facts: [].into(), body: own };
        let hidden = lab.word(WordTy::Exists(hidden));
        let raw = lab.bytes(Mode::Own, Term::from(16));
        let wanted = lab.bytes(Mode::Shared, Term::from(8));
        let given = lab.bytes(mode, Term::from(8));
        let any = lab.any();
        lab.types.sigs.push(sig(vec![(7, wanted)], vec![(0, any)]));
        let run = lab.word(WordTy::Fn(SigId(lab.types.sigs.len() as u32 - 1)));
        let body = code(|a| {
            a.mov(qword_ptr(rdi), rsi)?;
            a.mov(qword_ptr(rdi + 8), rdx)?;
            a.mov(rax, rdi)?;
            a.ret()
        });
        let verdict = lab.check(sig(vec![(2, given), (6, run), (7, raw)], vec![(0, hidden)]), &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ResultType) }
    }
}

/// A function value that is applied to what its caller may not choose: the signature's variables must be as many.
/// class: D5 on amd64
#[test]
fn function_values_are_applied_within_their_variables() {
    for (given, safe) in [(1, true), (2, false)] {
        let mut lab = Lab::default();
        let any = lab.any();
        lab.types.sigs.push(generic(vec![(7, any)], vec![]));
        let at = SigId(lab.types.sigs.len() as u32 - 1);
        let word = lab.word(WordTy::FnAt(at, vec![Term::zero(); given].into()));
        let verdict = lab.check(sig(vec![(7, word)], vec![]), &[0xc3]);
        if safe { accepted(verdict) } else { rejected(verdict, Code::IllFormedType) }
    }
}

/// A function of one number only is no function of another one; one of all numbers is, if it takes the number.
/// class: D5 on amd64
#[test]
fn function_values_differ_by_what_they_quantify_over() {
    // fn g[n](rsi: fn (rdi: int(n))) is given fn [k: 0..hi](rdi: int(k)) or fn (rdi: int(3)), and called with n.
    for (general, n, safe) in
        [(None, 3, true), (None, 4, false), (Some(3), 3, true), (Some(2), 3, false), (Some(2), -1, false)]
    {
        let mut lab = Lab::default();
        let var = lab.word(WordTy::Int(Term::var(0)));
        lab.types.sigs.push(generic(vec![(7, var)], vec![]));
        let own = SigId(lab.types.sigs.len() as u32 - 1);
        let pattern = lab.word(WordTy::FnAt(own, [Term::var(0)].into()));
        let target = lab.other(generic(vec![(2, var), (6, pattern)], vec![]));
        let three = lab.word(WordTy::Int(Term::from(3)));
        lab.types.sigs.push(match general {
            Some(hi) => Sig { vars: vec![Interval::new(0, hi)], ..generic(vec![(7, var)], vec![]) },
            None => sig(vec![(7, three)], vec![]),
        });
        let given = lab.word(WordTy::Fn(SigId(lab.types.sigs.len() as u32 - 1)));
        let body = code(|a| {
            a.mov(rdx, n as i64)?;
            a.call(target)?;
            a.ret()
        });
        let verdict = lab.check(sig(vec![(6, given)], vec![]), &body);
        if safe { accepted(verdict) } else { assert!(verdict.is_err()) }
    }
}

/// Moving a struct takes what it owns along; part of it, or less than all of it, is only bytes.
/// class: F2 on amd64
#[test]
fn string_moves_move_whole_structs_once() {
    let verdict = |count: u32, from: i32, both: bool| -> Verdict {
        let mut lab = Lab::default();
        pair(&mut lab, true);
        let block = lab.bytes(Mode::Own, Term::from(64));
        let own = owned_pair(&mut lab, codes::code(block));
        let raw = lab.bytes(Mode::Own, Term::from(16));
        let body = code(|a| {
            a.mov(rax, rdi)?;
            a.mov(rdx, rsi)?;
            a.add(rsi, from)?;
            a.mov(ecx, count)?;
            a.rep().movsq()?;
            a.ret()
        });
        let results = if both { vec![(0, own), (2, own)] } else { vec![(0, own), (2, raw)] };
        lab.check(sig(vec![(6, own), (7, raw)], results), &body)
    };
    accepted(verdict(2, 0, false));
    rejected(verdict(2, 0, true), Code::ResultType);
    rejected(verdict(1, 0, false), Code::ResultType);
    rejected(verdict(1, 8, false), Code::ResultType);
}

/// Types that are arguments of each other, each twice: as many paths as 2^60, and a few steps.
/// class: J1 on amd64
#[test]
fn arguments_with_many_paths() {
    let mut lab = Lab::default();
    lab.types.structs.push(Struct { params: 2, ..Struct::default() });
    let of = [0, 1].map(|v| lab.word(WordTy::Of(Term::var(v), true)));
    let fields = of.map(|w| lab.layout(Layout::Cell(w))).to_vec();
    lab.types.structs[0].body = Body::Fields(fields);
    lab.layout(Layout::Struct(StructId(0), [Term::var(0), Term::var(1)].into()));
    // Two towers of the same types, so that they are compared.
    let tower = |lab: &mut Lab| {
        let mut word = lab.bytes(Mode::Own, Term::from(8));
        for _ in 0..60 {
            let both = [codes::code(word), codes::code(word)];
            let layout = lab.layout(Layout::Struct(StructId(0), both.into()));
            word = lab.word(WordTy::Ptr(Mode::Own, layout));
        }
        word
    };
    let (one, other) = (tower(&mut lab), tower(&mut lab));
    let body = code(|a| {
        a.mov(rax, rdi)?;
        a.ret()
    });
    accepted(lab.check(sig(vec![(7, one)], vec![(0, other)]), &body));
}

/// A struct that passes a larger argument to itself at each step cannot be said: arguments are variables or types
/// without variables. One that passes its own on is as large as its code.
/// class: G3 on amd64
#[test]
fn structs_that_lead_to_themselves() {
    let mut lab = Lab::default();
    lab.types.structs.push(Struct { params: 1, ..Struct::default() });
    let of = lab.word(WordTy::Of(Term::var(0), true));
    let same = lab.layout(Layout::Struct(StructId(0), [Term::var(0)].into()));
    let next = lab.word(WordTy::Ptr(Mode::Own, same));
    lab.types.structs[0].body =
        Body::Fields(vec![lab.layout(Layout::Cell(next)), lab.layout(Layout::Cell(of))]);
    let verdict = lab.check(
        generic(vec![(7, next)], vec![(0, of)]),
        &code(|a| {
            for _ in 0..200 {
                a.mov(rdi, qword_ptr(rdi))?;
            }
            a.mov(rax, qword_ptr(rdi + 8))?;
            a.ret()
        }),
    );
    accepted(verdict);
    // By value it would be infinitely large.
    let mut lab = Lab::default();
    lab.types.structs.push(Struct { params: 1, ..Struct::default() });
    let same = lab.layout(Layout::Struct(StructId(0), [Term::var(0)].into()));
    lab.types.structs[0].body = Body::Fields(vec![same]);
    rejected(lab.check(Sig::default(), &[0xc3]), Code::IllFormedType);
}
