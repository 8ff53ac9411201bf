use super::*;
use crate::table::TypeTable;
use talcore::types::Struct;
use talcore::x86::insn::Width;

fn linear(konst: i128, summands: &[(Var, i64)]) -> Term {
    Term::from_parts(konst, summands).unwrap()
}

#[test]
fn terms_and_facts_read_like_arithmetic() {
    let types = Types::default();
    let p = Printer::new(&types);
    assert_eq!(p.term(&linear(0, &[])), "0");
    assert_eq!(p.term(&linear(-3, &[(0, 16), (1, -8)])), "16*n - 8*m - 3");
    assert_eq!(p.term(&linear(1, &[(0, -1)])), "-n + 1");
    assert_eq!(p.fact(&linear(0, &[(0, 1)])), "0 <= n");
    assert_eq!(p.fact(&linear(-1, &[(0, 1)])), "1 <= n");
    assert_eq!(p.fact(&linear(4095, &[(0, 1)])), "-4095 <= n");
    assert_eq!(p.fact(&linear(5, &[(0, -1)])), "n <= 5");
    assert_eq!(p.fact(&linear(-1, &[(0, 1), (1, -1)])), "m + 1 <= n");
    assert_eq!(p.fact(&linear(2, &[(0, 1), (1, -1)])), "m <= n + 2");
    assert_eq!(p.fact(&linear(-2, &[(0, 1), (1, 1)])), "2 <= n + m");
    assert_eq!(p.fact(&linear(-2, &[])), "2 <= 0");
    assert_eq!(p.fact(&linear(2, &[(0, -1), (1, -1)])), "n + m <= 2");
}

#[test]
fn signatures_read_like_source() {
    let mut t = TypeTable::default();
    let buffer = t.layout(Layout::Bytes(Term::var(0)));
    let ptr = t.word(WordTy::Ptr(Mode::Mut, buffer));
    let n = t.word(WordTy::Int(Term::var(0)));
    let r = t.word(WordTy::Int(Term::var(1)));
    let sig = t.sig(Sig {
        vars: vec![Interval::new(0, i64::MAX as i128)],
        params: vec![(7, ptr), (2, n)],
        result_vars: vec![Interval::new(0, POS_INF)],
        results: vec![(0, r)],
        result_facts: vec![linear(0, &[(0, 1), (1, -1)])],
        preserved: usually_preserved(64),
        ..Sig::default()
    });
    let printer = Printer::new(&t.types);
    assert_eq!(printer.sig(sig), "fn [n](rdi: &mut [n], rdx: int(n)) -> (rax: int(r)) {0 <= r, r <= n}");
    let names = ["len".to_string(), "got".to_string()];
    let printer = Printer { vars: &names, ..printer };
    assert_eq!(
        printer.sig(sig),
        "fn [len](rdi: &mut [len], rdx: int(len)) -> (rax: int(got)) {0 <= got, got <= len}"
    );
}

#[test]
fn unusual_signatures() {
    let mut t = TypeTable::default();
    let int = t.word(WordTy::Range(Interval::unsigned(64)));
    let sig = t.sig(Sig {
        vars: vec![Interval::ALL, Interval::new(1, 9), Interval::new(NEG_INF, 4)],
        word_vars: 1,
        params: vec![(0, int)],
        stack: vec![int, int],
        noreturn: true,
        ..Sig::default()
    });
    let keeps = t.sig(Sig { preserved: 0b1001, ..Sig::default() });
    let p = Printer::new(&t.types);
    assert_eq!(
        p.sig(sig),
        "fn [n: any, m: 1..9, k: any, a](rax: int, [rsp + 8]: int, [rsp + 16]: int) {k <= 4} noreturn"
    );
    assert_eq!(p.sig(keeps), "fn () preserves(rax, rbx)");
}

#[test]
fn layouts_and_words_read_like_source() {
    let mut t = TypeTable::default();
    let int = t.word(WordTy::Range(Interval::unsigned(64)));
    let cell = t.layout(Layout::Cell(int));
    let array = t.layout(Layout::Array(linear(4, &[]), cell));
    let string = t.layout(Layout::Cstr(None));
    let known = t.layout(Layout::Cstr(Some(Term::var(0))));
    let imm = t.word(WordTy::Ptr(Mode::Imm, string));
    let opt = t.word(WordTy::Opt(imm));
    let env = t.layout(Layout::NullTerm(None, imm));
    let byte = t.layout(Layout::Num(Width::B1, Interval::unsigned(8)));
    let small = t.layout(Layout::Num(Width::B4, Interval::new(-1, 5)));
    let frozen = t.word(WordTy::Ptr(Mode::Frozen, known));
    let raw = t.layout(Layout::Bytes(linear(8, &[])));
    let owned = t.word(WordTy::Ptr(Mode::Own, raw));
    let node = t.declare("node", 1);
    let applied = t.layout(Layout::Struct(node, [linear(1, &[(0, 1)])].into()));
    let body = Struct::of(1, vec![Term::var(0)], vec![byte, applied]);
    t.define(node, body, vec!["tag".into(), "rest".into()]);
    let names = t.struct_names.clone();
    let p = Printer { structs: &names, ..Printer::new(&t.types) };
    assert_eq!(p.layout(array), "[4]int");
    assert_eq!(p.word(opt), "opt imm cstr");
    assert_eq!(p.layout(env), "nullterm imm cstr");
    assert_eq!(p.layout(byte), "u8");
    assert_eq!(p.layout(small), "i32(-1..5)");
    assert_eq!(p.word(frozen), "&cstr(n)");
    assert_eq!(p.word(owned), "own bytes(8)");
    assert_eq!(p.strukt(node, &t.field_names[0]), "struct node(n) {0 <= n} { tag: u8, rest: node(n + 1) }");
}

#[test]
fn hostile_types_print_in_bounded_space() {
    let mut types = Types::default();
    types.layouts.push(Layout::Cstr(None));
    for i in 0..200 {
        types.layouts.push(Layout::Seq(vec![LayoutId(i); 8].into()));
    }
    let text = Printer::new(&types).layout(LayoutId(200));
    assert!(text.len() < 4 * LIMIT, "{}", text.len());
    assert_eq!(Printer::new(&types).layout(LayoutId(999)), "?");
}

#[test]
fn large_numbers_read_as_powers() {
    assert_eq!(number(4095), "4095");
    assert_eq!(number(-(1 << 47)), "-1<<47");
    assert_eq!(number((1 << 47) - 1), "(1<<47)-1");
    assert_eq!(number(i128::MAX), i128::MAX.to_string());
}

#[test]
fn existentials_capture_no_names() {
    let mut t = TypeTable::default();
    let z = t.declare("z", 2);
    let inner = t.layout(Layout::Bytes(linear(0, &[(0, 1), (1, 1), (2, 1)])));
    let inner = t.word(WordTy::Ptr(Mode::Own, inner));
    let vars: Box<[Interval]> = [Interval::new(0, i64::MAX.into())].into();
    let inner = WordTy::Exists(Exists { first: 2, vars: vars.clone(), facts: [].into(), body: inner });
    let inner = t.word(inner);
    let cell = t.layout(Layout::Cell(inner));
    let array = t.layout(Layout::Array(Term::var(1), cell));
    let pointer = t.word(WordTy::Ptr(Mode::Own, array));
    let facts = [linear(0, &[(0, -1), (1, 1)])].into();
    let outer = t.word(WordTy::Exists(Exists { first: 1, vars, facts, body: pointer }));
    let args = t.layout(Layout::Struct(z, [Term::var(0), Term::var(0)].into()));
    let args = t.word(WordTy::Ptr(Mode::Own, args));
    let n = Interval::new(0, i64::MAX.into());
    let params = vec![(6, args), (7, outer)];
    let sig = t.sig(Sig { vars: vec![n], params, preserved: usually_preserved(64), ..Sig::default() });
    let names = ["x".to_string()];
    let p = Printer { structs: &t.struct_names, vars: &names, ..Printer::new(&t.types) };
    assert_eq!(
        p.sig(sig),
        "fn [x](rdi: exists y {x <= y}. own [y]exists w. own bytes(x + y + w), rsi: own z(x, x))"
    );
}
