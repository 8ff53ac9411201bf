//! Attacks on functions that are used as less general ones, and on parts of arrays that are lent.

use crate::lab::{Lab, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::facts::Interval;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode, Sig, SigId, WordId, WordTy};
use talcore::verdict::{Code, Reject};

type Verdict = Result<(), Box<Reject>>;

/// A signature with so many variables, which changes all registers.
fn plain(vars: usize, params: Vec<(u8, WordId)>, results: Vec<(u8, WordId)>) -> Sig {
    Sig { vars: vec![Interval::ALL; vars], params, results, ..Sig::default() }
}

fn int(lab: &mut Lab, t: Term) -> WordId {
    lab.word(WordTy::Int(t))
}

/// `fn f(rdi: given)` calls `fn g(rdi: wanted)`, where both are functions: `wanted` has `known` variables that stand for
/// `rsi: int(t)` of the caller.
fn passes(mut lab: Lab, given: Sig, wanted: Sig, known: usize) -> Verdict {
    let mut id = |sig: Sig| {
        lab.types.sigs.push(sig);
        SigId(lab.types.sigs.len() as u32 - 1)
    };
    let (given, wanted) = (id(given), id(wanted));
    let given = lab.word(WordTy::Fn(given));
    let wanted = match known {
        0 => lab.word(WordTy::Fn(wanted)),
        n => lab.word(WordTy::FnAt(wanted, (0..n as u32).map(Term::var).collect())),
    };
    let number = int(&mut lab, Term::var(0));
    let target = lab.other(plain(known.max(1), vec![(6, number), (7, wanted)], vec![]));
    let body = code(|a| {
        a.call(target)?;
        a.ret()
    });
    lab.check(plain(1, vec![(6, number), (7, given)], vec![]), &body)
}

/// A word that is only handed through: words that are copied as often as one likes, words that own memory once.
/// class: G9 on amd64
#[test]
fn words_that_own_memory_are_handed_back_once() {
    for (mode, into, back, safe) in [
        (Mode::Own, 1, 1, true),
        (Mode::Own, 1, 0, true),
        (Mode::Own, 1, 2, false),
        (Mode::Own, 2, 1, false),
        (Mode::Shared, 1, 2, true),
        (Mode::Shared, 2, 1, false),
        (Mode::Shared, 0, 1, false),
    ] {
        let mut lab = Lab::default();
        let ty = lab.bytes(mode, Term::from(16));
        let var = lab.word(WordTy::Var(0));
        let of = |word: WordId| {
            let params = [1, 2].into_iter().take(into).map(|r| (r, word)).collect();
            plain(0, params, [0, 8].into_iter().take(back).map(|r| (r, word)).collect())
        };
        let (given, wanted) = (Sig { word_vars: 1, ..of(var) }, of(ty));
        let verdict = passes(lab, given, wanted, 0);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgType) }
    }
}

/// What a function hands through has one type, and one that it changes is not handed through.
/// class: D5 on amd64
#[test]
fn words_are_handed_through_as_what_they_are() {
    for (result, safe) in [(0, true), (1, false)] {
        let mut lab = Lab::default();
        let types = [lab.bytes(Mode::Shared, Term::from(16)), lab.bytes(Mode::Shared, Term::from(32))];
        let var = lab.word(WordTy::Var(0));
        let given = Sig { word_vars: 1, ..plain(0, vec![(1, var)], vec![(0, var)]) };
        let verdict = passes(lab, given, plain(0, vec![(1, types[0])], vec![(0, types[result])]), 0);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgType) }
    }
    // The other way round: a function that wants memory is none for any word.
    let mut lab = Lab::default();
    let ty = lab.bytes(Mode::Shared, Term::from(16));
    let var = lab.word(WordTy::Var(0));
    let wanted = Sig { word_vars: 1, ..plain(0, vec![(1, var)], vec![]) };
    rejected(passes(lab, plain(0, vec![(1, ty)], vec![]), wanted, 0), Code::ArgType);
}

/// What a variable stands for is told by the parameters, and is what the function may have.
/// class: D5 on amd64
#[test]
fn variables_stand_for_what_parameters_say() {
    // fn [n: 0..hi](rcx: int(n)) as fn [k: 0..10](rcx: int(2*k)); `also`: with a result that is n, or k.
    for (hi, also, safe) in [
        (20, None, true),
        (19, None, false),
        (20, Some(Term::var(0).scale(2)), true),
        (20, Some(Some(Term::var(0))), false),
    ] {
        let mut lab = Lab::default();
        let n = int(&mut lab, Term::var(0));
        let twice = int(&mut lab, Term::var(0).scale(2).unwrap());
        let back = also.map(|t| (int(&mut lab, t.unwrap()), n));
        let of = |range, word, result: Option<WordId>| Sig {
            vars: vec![range],
            word_vars: 0,
            ..plain(0, vec![(1, word)], result.into_iter().map(|w| (0, w)).collect())
        };
        let given = of(Interval::new(0, hi), n, back.map(|b| b.1));
        let verdict = passes(lab, given, of(Interval::new(0, 10), twice, back.map(|b| b.0)), 0);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgType) }
    }
    // fn [n, m](rcx: int(n)) -> (rax: int(m)) returns what nobody can choose.
    let mut lab = Lab::default();
    let (n, m) = (int(&mut lab, Term::var(0)), int(&mut lab, Term::var(1)));
    let given = plain(2, vec![(1, n)], vec![(0, m)]);
    let wanted = Sig { result_vars: vec![Interval::ALL], ..plain(1, vec![(1, n)], vec![(0, m)]) };
    rejected(passes(lab, given, wanted, 0), Code::ArgType);
}

/// What the first variables of a function type stand for lies in their intervals, also where it is seen as another type
/// that asks for less: whoever calls it as that one proves no more.
/// class: D5 on amd64
#[test]
fn known_variables_keep_their_intervals() {
    for (most, safe) in [(10, true), (9, false)] {
        let mut lab = Lab::default();
        let n = int(&mut lab, Term::var(0));
        let of = |range| Sig { vars: vec![range], ..plain(0, vec![(1, n)], vec![]) };
        let mut id = |sig: Sig| {
            lab.types.sigs.push(sig);
            SigId(lab.types.sigs.len() as u32 - 1)
        };
        let (given, wanted) = (id(of(Interval::new(0, most))), id(of(Interval::ALL)));
        let given = lab.word(WordTy::FnAt(given, [Term::var(0)].into()));
        let wanted = lab.word(WordTy::FnAt(wanted, [Term::var(0)].into()));
        let target = lab.other(plain(1, vec![(6, n), (7, wanted)], vec![]));
        let body = code(|a| {
            a.call(target)?;
            a.ret()
        });
        let sig = Sig { vars: vec![Interval::new(0, 10)], ..plain(0, vec![(6, n), (7, given)], vec![]) };
        let verdict = lab.check(sig, &body);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgType) }
    }
}

/// `fn [s: stretch, n](rcx: ref s bytes(n))`, of whose variables the first `listed` last.
fn reader(lab: &mut Lab, vars: usize, stretch: u32, size: Term, listed: bool) -> Sig {
    let pointer = lab.bytes(Mode::Frozen, size);
    let word = lab.word(WordTy::During(Term::var(stretch), pointer));
    let stretches = if listed { vec![stretch] } else { vec![] };
    Sig { stretches, ..plain(vars, vec![(1, word)], vec![]) }
}

/// A function that reads memory of a stretch is none of a type that does not say that the stretch lasts, and a stretch is
/// the same one at all places.
/// class: D5 on amd64
#[test]
fn stretches_of_an_instance_last() {
    for (listed, safe) in [(true, true), (false, false)] {
        let mut lab = Lab::default();
        let given = reader(&mut lab, 2, 0, Term::var(1), true);
        let wanted = reader(&mut lab, 1, 0, Term::from(8), listed);
        let verdict = passes(lab, given, wanted, 0);
        if safe { accepted(verdict) } else { rejected(verdict, Code::ArgType) }
    }
    // Two pointers of one stretch are not two of two, though each lasts.
    let mut lab = Lab::default();
    let pointer = lab.bytes(Mode::Frozen, Term::from(8));
    let (s, t) =
        (lab.word(WordTy::During(Term::var(0), pointer)), lab.word(WordTy::During(Term::var(1), pointer)));
    let given = Sig { stretches: vec![0], ..plain(1, vec![(1, s), (2, s)], vec![]) };
    let wanted = Sig { stretches: vec![0, 1], ..plain(2, vec![(1, s), (2, t)], vec![]) };
    rejected(passes(lab, given, wanted, 0), Code::ArgType);
}

/// A stretch of the surroundings that nothing tells: whatever the guide says it is, the call proves that it lasts.
/// class: D5 on amd64
#[test]
fn a_stretch_of_the_surroundings_is_one_that_lasts() {
    for witness in [Term::zero(), Term::var(0), Term::var(70)] {
        let mut lab = Lab { witnesses: vec![witness], ..Lab::default() };
        let given = reader(&mut lab, 2, 0, Term::var(1), true);
        let wanted = reader(&mut lab, 1, 0, Term::from(8), true);
        let mut id = |sig: Sig| {
            lab.types.sigs.push(sig);
            SigId(lab.types.sigs.len() as u32 - 1)
        };
        let (given, wanted) = (id(given), id(wanted));
        let given = lab.word(WordTy::Fn(given));
        let wanted = lab.word(WordTy::FnAt(wanted, [Term::var(0)].into()));
        let target = lab.other(Sig { stretches: vec![0], ..plain(1, vec![(7, wanted)], vec![]) });
        let body = code(|a| {
            a.call(target)?;
            a.ret()
        });
        let number = int(&mut lab, Term::var(0));
        assert!(lab.check(plain(1, vec![(6, number), (7, given)], vec![]), &body).is_err());
    }
}

/// `fn f(rdi: &uniq [8]opt own bytes(16))` lends words from the number `at` on to `fn g[n](rdi: &uniq [n]T => [n]T')`.
fn lends(
    at: i32,
    count: i32,
    elem: fn(&mut Lab) -> LayoutId,
    back: Option<fn(&mut Lab) -> LayoutId>,
) -> Verdict {
    let mut lab = Lab::default();
    let (elem, mine) = (elem(&mut lab), owners(&mut lab));
    let array = |lab: &mut Lab, n: Term, e: LayoutId| lab.layout(Layout::Array(n, e));
    let wanted = array(&mut lab, Term::var(0), elem);
    let given = array(&mut lab, Term::from(8), mine);
    let back = back.map(|back| {
        let elem = back(&mut lab);
        (7, array(&mut lab, Term::var(0), elem))
    });
    let wanted = lab.word(WordTy::Ptr(Mode::Uniq, wanted));
    let given = lab.word(WordTy::Ptr(Mode::Uniq, given));
    let n = int(&mut lab, Term::var(0));
    let gives_back = back.into_iter().collect();
    let target = lab.other(Sig { gives_back, ..plain(1, vec![(6, n), (7, wanted)], vec![]) });
    let body = code(|a| {
        a.add(rdi, at)?;
        a.mov(rsi, i64::from(count))?;
        a.call(target)?;
        a.ret()
    });
    lab.check(plain(0, vec![(7, given)], vec![]), &body)
}

fn owners(lab: &mut Lab) -> LayoutId {
    let own = lab.bytes(Mode::Own, Term::from(16));
    let word = lab.word(WordTy::Opt(own));
    lab.layout(Layout::Cell(word))
}

fn larger(lab: &mut Lab) -> LayoutId {
    let own = lab.bytes(Mode::Own, Term::from(32));
    let word = lab.word(WordTy::Opt(own));
    lab.layout(Layout::Cell(word))
}

/// Part of an array is lent between two of its elements, inside of it, and as what it is.
/// class: F2 on amd64
#[test]
fn parts_of_arrays_are_lent_as_they_are() {
    for (at, count) in [(0, 8), (0, 3), (8, 7), (16, 1), (64, 0)] {
        accepted(lends(at, count, owners, None));
    }
    for (at, count) in [(0, 9), (8, 8), (-8, 1), (4, 1), (64, 1), (72, 0), (0, -1), (8, -1)] {
        assert!(lends(at, count, owners, None).is_err(), "{count} words {at} bytes into it");
    }
    for (at, count) in [(0, 8), (0, 3), (8, 7)] {
        assert!(lends(at, count, larger, None).is_err());
        assert!(lends(at, count, larger, Some(owners)).is_err());
    }
    // What comes back as something else is the whole object, which is something else then.
    assert!(lends(8, 7, owners, Some(larger)).is_err());
    assert!(lends(0, 8, owners, Some(larger)).is_err());
}
