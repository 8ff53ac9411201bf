//! Attacks on memory that the caller keeps if a result says so.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::state::Word;
use talcore::term::Term;
use talcore::types::{Kept, Layout, Mode, Sig, WordId};
use talcore::verdict::{Code, Reject};

/// `fn (rdi: own bytes(64)) -> (rax: int) {rdi -> own bytes(64) when rax in range}`.
fn keeps(lab: &mut Lab, range: Interval) -> (Sig, WordId) {
    let own = lab.bytes(Mode::Own, Term::from(64));
    let layout = lab.layout(Layout::Bytes(Term::from(64)));
    let any = lab.any();
    let kept = vec![Kept { param: 7, layout, result: 0, range }];
    (Sig { params: vec![(7, own)], results: vec![(0, any)], kept, preserved: 1 << 3, ..Sig::default() }, own)
}

const ZERO: Interval = Interval { lo: 0, hi: 0 };

/// Calls such a function with its own argument, which rbx points to afterwards, and uses that behind the label.
fn caller(test: bool, label: Option<Label>) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let (sig, own) = keeps(&mut lab, ZERO);
    let target = lab.other(sig);
    let body = code(|a| {
        let mut end = a.create_label();
        a.mov(rbx, rdi)?; // 3 bytes
        a.call(target)?; // 5 bytes
        if test {
            a.test(rax, rax)?; // 3 bytes
            a.jne(end)?; // 2 bytes
        } else {
            (0..5).try_for_each(|_| a.nop())?;
        }
        a.mov(byte_ptr(rbx), 1)?; // at 13
        a.set_label(&mut end)?;
        a.nop()?;
        a.ret()
    });
    if let Some(label) = label {
        lab.labels.push((13, label));
    }
    if test {
        lab.labels.push((16, |entry| {
            let mut label = entry.clone();
            label.locs[0].live = false;
            label.regs = Default::default();
            label
        }));
    }
    lab.check(Sig { params: vec![(7, own)], ..Sig::default() }, &body)
}

fn only_rbx(entry: &talcore::state::State) -> talcore::state::State {
    let mut label = entry.clone();
    label.regs = Default::default();
    label.regs[3] = Word::Ptr(0, Term::zero());
    label
}

/// A label does not bring memory back.
/// class: F1 on amd64
#[test]
fn a_label_cannot_answer_the_question() {
    accepted(caller(true, None));
    accepted(caller(true, Some(only_rbx)));
    rejected(caller(false, None), Code::NotPointer);
    rejected(caller(false, Some(only_rbx)), Code::NotPointer);
    // Nor by mentioning it without having it.
    let dead: Label = |entry| {
        let mut label = only_rbx(entry);
        label.locs[0].live = false;
        label
    };
    rejected(caller(false, Some(dead)), Code::NotPointer);
    rejected(caller(true, Some(dead)), Code::NotPointer);
}

/// What a result says is its word, whatever the term is.
/// class: F1 on amd64
#[test]
fn a_result_is_read_as_a_word() {
    let errors = Interval::new((1 << 64) - 4095, (1 << 64) - 1);
    for (value, free, safe) in
        [(-1, true, false), (-1, false, true), (-4095, true, false), (-4096, true, true), (5, true, true)]
    {
        let mut lab = Lab::default();
        let (sig, own) = keeps(&mut lab, errors);
        let target = lab.other(Sig { params: vec![(7, own)], ..Sig::default() });
        let body = code(|a| {
            if free {
                a.call(target)?;
            }
            a.mov(rax, i64::from(value))?;
            a.ret()
        });
        let verdict = lab.check(Sig { preserved: 0, ..sig }, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::NotPointer) }
    }
}

/// A function whose promise is another one's gives no more than that.
/// class: F1 on amd64
#[test]
fn a_promise_is_passed_on_as_it_is() {
    for (range, safe) in [(ZERO, true), (Interval::new(0, 1), false)] {
        let mut lab = Lab::default();
        let (sig, _) = keeps(&mut lab, ZERO);
        let target = lab.other(sig.clone());
        let body = code(|a| {
            a.call(target)?;
            a.ret()
        });
        let mut promise = Sig { preserved: 0, ..sig };
        promise.kept[0].range = range;
        let verdict = lab.check(promise, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::NotPointer) }
    }
}

/// A signature that promises what cannot be told is none.
/// class: G8 on amd64
#[test]
fn signatures_say_what_they_mean() {
    let check = |change: fn(&mut Kept)| {
        let mut lab = Lab::default();
        let (mut sig, _) = keeps(&mut lab, ZERO);
        change(&mut sig.kept[0]);
        lab.check(sig, &code(|a| a.ud2()))
    };
    accepted(check(|_| {}));
    rejected(check(|k| k.param = 6), Code::IllFormedType);
    rejected(check(|k| k.result = 2), Code::IllFormedType);
    rejected(check(|k| k.range = Interval::ALL), Code::IllFormedType);
    rejected(check(|k| k.range = Interval::new(-1, -1)), Code::IllFormedType);
}
