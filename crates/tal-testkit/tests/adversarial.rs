//! J: files that are made to cost the checker more than they weigh. Each is refused, or accepted, soon: for every one
//! of them a careless checker would run for ever, fill the memory, or overflow its stack.

use tal_testkit::forge::crafted;
use tal_testkit::toolchain::{Refusal, check};
use talcore::facts::Interval;
use talcore::term::Term;
use talcore::types::{Exists, Layout, LayoutId, Mode, Sig, SigId, Struct, WordId, WordTy};
use talcore::verdict::Code;
use talcore::x86::insn::Width;
use talnote::table::{Node, TypeTable};
use talnote::write::{Import, NoteBuilder};

const PROGRAM: &str = "arch amd64
pub fn _start: start
        xor     edi, edi
        call    g
        sys     exit_group
fn g(rdi: int) -> (rax: int)
        mov     rax, rdi
        ret
";

/// The verdict about a program with another note.
fn judge(
    text: &str,
    change: impl FnOnce(&mut TypeTable, &mut NoteBuilder, &mut Vec<u64>),
) -> Result<(), Refusal> {
    let image = crafted(text, change).unwrap_or_else(|r| panic!("{}", r.text));
    check(&image).map(|_| ())
}

/// The forger's tools do no harm by themselves.
#[test]
fn unchanged() {
    judge(PROGRAM, |_, _, _| {}).unwrap_or_else(|r| panic!("{}", r.text));
}

#[track_caller]
fn refused(codes: &[Code], change: impl FnOnce(&mut TypeTable, &mut NoteBuilder, &mut Vec<u64>)) {
    let refusal = judge(PROGRAM, change).expect_err("is accepted");
    let expected = codes.iter().any(|c| refusal.codes[0].0 == *c as u16);
    assert!(expected, "not {codes:?}: {}", refusal.text);
}

/// A layout of 2^n leaves from n nodes: each is twice the one before.
fn doubled(types: &mut TypeTable, first: LayoutId, n: usize) -> LayoutId {
    (0..n).fold(first, |l, _| types.layout(Layout::Seq([l, l].into())))
}

/// J1: `x = (x', x')`, n times.
/// class: J1 on amd64
#[test]
fn doubling() {
    for n in [20, 60, 63, 64, 200] {
        refused(&[Code::IllFormedType, Code::Note], |types, _, _| {
            let byte = types.layout(Layout::Num(Width::B1, Interval::unsigned(8)));
            doubled(types, byte, n);
        });
        refused(&[Code::IllFormedType, Code::Limit, Code::Note], |types, _, _| {
            let one = types.layout(Layout::Bytes(Term::from(1 << 40)));
            (0..n).fold(one, |l, _| types.layout(Layout::Array(Term::from(1 << 40), l)));
        });
    }
}

/// J1: structs, each of which contains the one before twice.
/// class: J1 on amd64
#[test]
fn doubling_structs() {
    for n in [62, 1000] {
        refused(&[Code::IllFormedType], |types, _, _| {
            let mut field = types.layout(Layout::Bytes(Term::from(8)));
            for i in 0..n {
                let id = types.declare(&format!("s{i}"), 0);
                let body = Struct::of(0, vec![], vec![field, field]);
                types.define(id, body, vec!["a".into(), "b".into()]);
                field = types.layout(Layout::Struct(id, [].into()));
            }
        });
    }
}

/// G3: structs that contain themselves, also in a circle.
/// class: G3 on amd64
#[test]
fn endless_structs() {
    for n in [1, 2, 5000] {
        refused(&[Code::IllFormedType], |types, _, _| {
            let ids: Vec<_> = (0..n).map(|i| types.declare(&format!("s{i}"), 0)).collect();
            for i in 0..n {
                let next = types.layout(Layout::Struct(ids[(i + 1) % n], [].into()));
                types.define(ids[i], Struct::of(0, vec![], vec![next]), vec!["a".into()]);
            }
        });
    }
}

/// J2: word types, layouts and signatures that nest 100 000 deep.
/// class: J2 on amd64
#[test]
fn nesting() {
    const DEEP: usize = 100_000;
    refused(&[Code::IllFormedType, Code::Note], |types, _, _| {
        let first = types.layout(Layout::Bytes(Term::from(8)));
        (0..DEEP).fold(first, |l, _| types.layout(Layout::Seq([l].into())));
    });
    refused(&[Code::IllFormedType, Code::Note], |types, _, _| {
        let first = types.layout(Layout::Bytes(Term::from(8)));
        (0..DEEP).fold(first, |l, _| {
            let word = types.word(WordTy::Ptr(Mode::Shared, l));
            types.layout(Layout::Cell(word))
        });
    });
    refused(&[Code::IllFormedType, Code::Note], |types, _, _| {
        let first = types.layout(Layout::Bytes(Term::from(8)));
        let first = types.word(WordTy::Ptr(Mode::Shared, first));
        (0..DEEP).fold(first, |w, _| types.word(WordTy::Opt(w)));
    });
    refused(&[Code::IllFormedType, Code::Note], |types, _, _| {
        let first = types.layout(Layout::Bytes(Term::from(8)));
        (0..DEEP).fold(first, |body, _| hiding(types, body));
    });
}

/// `exists k. body`.
fn hiding(types: &mut TypeTable, body: LayoutId) -> LayoutId {
    let (vars, facts) = ([Interval::ALL].into(), [].into());
    types.layout(Layout::Exists(Box::new(Exists { first: 0, vars, facts, body })))
}

/// J2: layouts that hide sizes and consist of one another twice, so that they have 2^30 cells.
/// class: J2 on amd64
#[test]
fn doubled_layouts() {
    refused(&[Code::IllFormedType], |types, _, _| {
        let word = types.word(WordTy::Int(Term::var(0)));
        let first = types.layout(Layout::Cell(word));
        (0..30).fold(first, |part, _| {
            let both = types.layout(Layout::Seq([part, part].into()));
            hiding(types, both)
        });
    });
}

/// J2: a signature whose parameter is a function whose parameter is a function, and so on; new nodes each time.
fn nested_signature(types: &mut TypeTable, deep: usize, last: i128) -> SigId {
    let int = fresh_word(types, WordTy::Range(Interval::new(0, last)));
    let first = fresh_sig(types, Sig { params: vec![(7, int)], ..Sig::default() });
    (0..deep).fold(first, |s, _| {
        let word = fresh_word(types, WordTy::Fn(s));
        fresh_sig(types, Sig { params: vec![(7, word)], ..Sig::default() })
    })
}

fn fresh_word(types: &mut TypeTable, word: WordTy) -> WordId {
    let id = WordId(types.types.words.len() as u32);
    types.types.words.push(word);
    types.order.push(Node::Word(id));
    id
}

fn fresh_layout(types: &mut TypeTable, layout: Layout) -> LayoutId {
    let id = LayoutId(types.types.layouts.len() as u32);
    types.types.layouts.push(layout);
    types.order.push(Node::Layout(id));
    id
}

fn fresh_sig(types: &mut TypeTable, sig: Sig) -> SigId {
    let id = SigId(types.types.sigs.len() as u32);
    types.types.sigs.push(sig);
    types.order.push(Node::Sig(id));
    id
}

/// Imports the second function of the note at a signature.
fn import(note: &mut NoteBuilder, words: &mut Vec<u64>, sig: SigId) {
    note.imports.push(Import::Function(sig));
    words.push(words[0] + note.functions[1].offset);
}

/// class: J2 on amd64
#[test]
fn nested_signatures() {
    refused(&[Code::Note, Code::IllFormedType], |types, _, _| {
        nested_signature(types, 100_000, 5);
    });
    // They are compared where a function is imported.
    let compare = |last| {
        judge(PROGRAM_OF_THREE, |types, note, words| {
            note.functions[1].sig = nested_signature(types, 25, 5);
            note.functions[2].sig = note.functions[1].sig;
            let other = nested_signature(types, 25, last);
            import(note, words, other);
        })
    };
    compare(5).unwrap_or_else(|r| panic!("{}", r.text));
    assert_eq!(compare(6).expect_err("is accepted").codes[0].0, Code::ImportType as u16);
}

/// A program with a function that nobody calls.
const PROGRAM_OF_TWO: &str = "arch amd64
pub fn _start: start
        xor     edi, edi
        sys     exit_group
fn g(rdi: int)
        ret
";

/// A program with another one, which calls the first.
const PROGRAM_OF_THREE: &str = "arch amd64
pub fn _start: start
        xor     edi, edi
        sys     exit_group
fn g(rdi: int)
        ret
fn f(rdi: int)
        jmp     g
";

/// J1: a pointer to what holds two pointers to what holds two pointers, and so on: 2^n paths through n nodes, of
/// constant size; new nodes each time.
fn pointers(types: &mut TypeTable, n: usize) -> LayoutId {
    let first = fresh_layout(types, Layout::Bytes(Term::from(8)));
    (0..n).fold(first, |l, _| {
        let word = fresh_word(types, WordTy::Ptr(Mode::Shared, l));
        let cell = fresh_layout(types, Layout::Cell(word));
        fresh_layout(types, Layout::Seq([cell, cell].into()))
    })
}

/// class: J1 on amd64
#[test]
fn paths_through_pointers() {
    refused(&[Code::Note, Code::IllFormedType], |types, _, _| {
        pointers(types, 5000);
    });
    let function = |types: &mut TypeTable| {
        let layout = pointers(types, 15);
        let word = fresh_word(types, WordTy::Ptr(Mode::Mut, layout));
        fresh_sig(types, Sig { params: vec![(7, word)], ..Sig::default() })
    };
    // Compared with each other at an import: each pair of nodes once.
    let equal = judge(PROGRAM_OF_TWO, |types, note, words| {
        note.functions[1].sig = function(types);
        let other = function(types);
        import(note, words, other);
    });
    equal.unwrap_or_else(|r| panic!("{}", r.text));
    // Matched at a call: path by path, so it costs more than it pays for.
    let matched = judge(PROGRAM_OF_THREE, |types, note, _| {
        note.functions[1].sig = function(types);
        note.functions[2].sig = function(types);
    });
    assert_eq!(matched.expect_err("is accepted").codes[0].0, Code::Fuel as u16);
}

/// J4: facts and sizes with the largest coefficients.
/// class: J4 on amd64
#[test]
fn large_coefficients() {
    let term = |c: i128, k: i64| Term::from_parts(c, &[(0, k)]).expect("a term");
    for (c, k) in [(i128::MAX / 2, i64::MAX), (i128::MIN / 2, i64::MIN + 1), (0, i64::MAX)] {
        refused(
            &[Code::IllFormedType, Code::Limit, Code::Note, Code::ArgFact, Code::ArgType],
            |types, note, _| {
                let layout = types.layout(Layout::Bytes(term(c, k)));
                let word = types.word(WordTy::Ptr(Mode::Read, layout));
                let int = types.word(WordTy::Int(term(c, k)));
                let sig = Sig {
                    vars: vec![Interval::ALL],
                    params: vec![(6, word), (7, int)],
                    facts: vec![term(c, k), term(-c, -k)],
                    ..types.types.sig(note.functions[1].sig).clone()
                };
                note.functions[1].sig = types.sig(sig);
            },
        );
    }
    // A small one is accepted: `fn g[v: any](rdi: int(v))`.
    let accepted = judge(PROGRAM, |types, note, _| {
        let int = types.word(WordTy::Int(term(0, 1)));
        let sig = Sig {
            vars: vec![Interval::ALL],
            params: vec![(7, int)],
            ..types.types.sig(note.functions[1].sig).clone()
        };
        note.functions[1].sig = types.sig(sig);
    });
    accepted.unwrap_or_else(|r| panic!("{}", r.text));
}

/// J3: more of everything than a state can hold.
/// class: J3 on amd64
#[test]
fn crowded_states() {
    // Each stack argument is a location.
    let crowded = |n: usize| {
        refused(&[Code::Limit, Code::ArgType, Code::IllFormedType, Code::Note], move |types, note, _| {
            let layout = types.layout(Layout::Bytes(Term::from(8)));
            let word = types.word(WordTy::Ptr(Mode::Read, layout));
            let sig = Sig { stack: vec![word; n], ..types.types.sig(note.functions[1].sig).clone() };
            note.functions[1].sig = types.sig(sig);
        });
    };
    crowded(255);
    crowded(257);
    crowded(100_000);
    // Variables and facts.
    for n in [256, 257, 60_000] {
        refused(
            &[Code::IllFormedType, Code::ArgFact, Code::ArgType, Code::Limit, Code::Note],
            |types, note, _| {
                let facts = (0..n).map(|i| Term::from_parts(0, &[(i as u32, 1)]).expect("a term")).collect();
                let vars = vec![Interval::ALL; n];
                let sig = Sig { vars, facts, ..types.types.sig(note.functions[1].sig).clone() };
                note.functions[1].sig = types.sig(sig);
            },
        );
    }
}

/// The frame has an end.
/// class: E4, J3 on amd64
#[test]
fn large_frames() {
    let page = "        sub     rsp, 65536\n        mov     qword [rsp], 0\n";
    let program = |pages: usize| {
        let body = page.repeat(pages);
        let size = 65536 * pages;
        format!("arch amd64\npub fn f()\n{body}        add     rsp, {size}\n        ret\n")
    };
    tal_testkit::toolchain::build(&program(255)).unwrap_or_else(|r| panic!("{}", r.text));
    let refusal = tal_testkit::toolchain::build(&program(257)).expect_err("is accepted");
    assert_eq!(refusal.codes[0].0, Code::Limit as u16, "{}", refusal.text);
}

/// The accumulation of a thousand unknown numbers: at the limit a term becomes a new variable.
#[test]
fn long_sums() {
    let adds = "        add     rax, [cell]\n".repeat(1000);
    let program = format!(
        "arch amd64\nbss cell: u64\npub fn f() -> (rax: int)\n        xor     eax, eax\n{adds}        ret\n"
    );
    tal_testkit::toolchain::build(&program).unwrap_or_else(|r| panic!("{}", r.text));
}
