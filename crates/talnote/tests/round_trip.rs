//! What is written is what the trusted reader reads.

use talcore::facts::{Interval, NEG_INF, POS_INF};
use talcore::note::{self, NoteImportKind, NoteObject};
use talcore::term::Term;
use talcore::types::{Kept, Layout, LayoutId, Mode, Sig, Struct, Types, WordTy};
use talcore::x86::insn::Width;
use talnote::table::TypeTable;
use talnote::write::*;

fn linear(konst: i128, summands: &[(u32, i64)]) -> Term {
    Term::from_parts(konst, summands).unwrap()
}

/// A table with every kind of node and interval.
fn table() -> TypeTable {
    let mut t = TypeTable::default();
    let node = t.declare("node", 2);
    let large = 1i128 << 100;
    let intervals = [
        Interval::ALL,
        Interval::new(0, i64::MAX as i128),
        Interval::unsigned(64),
        Interval::unsigned(8),
        Interval::unsigned(16),
        Interval::unsigned(32),
        Interval::unsigned(1),
        Interval::new(-5, 5),
        Interval::new(-large, large),
        Interval::new(3, POS_INF),
        Interval::new(NEG_INF, -3),
        Interval::new(0, 99),
    ];
    for i in intervals {
        t.word(WordTy::Range(i));
    }
    let n = linear(-7, &[(0, 1), (3, -1 << 40)]);
    let int = t.word(WordTy::Int(n.clone()));
    let bytes = t.layout(Layout::Bytes(n.clone()));
    let string = t.layout(Layout::Cstr(None));
    t.layout(Layout::Cstr(Some(n.clone())));
    let cell = t.layout(Layout::Cell(int));
    for width in [Width::B1, Width::B2, Width::B4, Width::B8] {
        t.layout(Layout::Num(width, Interval::new(-1, 1)));
    }
    for mode in Mode::ALL {
        t.word(WordTy::Ptr(mode, bytes));
    }
    let imm = t.word(WordTy::Ptr(Mode::Imm, string));
    let opt = t.word(WordTy::Opt(imm));
    t.layout(Layout::Array(n.clone(), cell));
    t.layout(Layout::NullTerm(Some(n.clone()), opt));
    t.layout(Layout::NullTerm(None, imm));
    let applied = t.layout(Layout::Struct(node, [n.clone(), Term::zero()].into()));
    t.layout(Layout::Seq([bytes, cell].into()));
    let var = t.word(WordTy::Var(1));
    t.word(WordTy::During(n.clone(), opt));
    let sig = t.sig(Sig {
        vars: vec![Interval::ALL, Interval::unsigned(8)],
        word_vars: 2,
        stretches: vec![0],
        params: vec![(0, int), (15, var)],
        stack: vec![opt],
        facts: vec![linear(1, &[(0, 1)])],
        result_vars: vec![Interval::new(0, 1)],
        results: vec![(0, imm)],
        result_facts: vec![linear(0, &[(0, 1), (2, -1)])],
        gives_back: vec![(7, bytes)],
        uses: vec![STATIC],
        kept: vec![Kept { param: 7, layout: bytes, result: 0, range: Interval::new(0, 3) }],
        preserved: 0xf028,
        noreturn: true,
        start: false,
    });
    t.word(WordTy::Fn(sig));
    let body = Struct::of(2, vec![linear(0, &[(1, 2)])], vec![cell, applied]);
    t.define(node, body, vec!["value".into(), "next".into()]);
    t
}

/// The address of an owned static.
const STATIC: u64 = 0x90_0000;

#[test]
fn everything_comes_back() {
    let t = table();
    let sig = talcore::types::SigId(0);
    let layout = LayoutId(0);
    let mut b = NoteBuilder::new(Arch::Amd64);
    b.sections = vec![
        Section { kind: SectionKind::Code, size: 1000 },
        Section { kind: SectionKind::Rodata, size: 1 << 20 },
    ];
    b.objects = vec![
        Object { section: 1, offset: 8, mode: Mode::Imm, ty: ObjectType::Layout(layout) },
        Object {
            section: 1,
            offset: 16,
            mode: Mode::Imm,
            ty: ObjectType::Table { function: 1, entries: 300 },
        },
    ];
    b.functions = vec![
        Function { section: 0, offset: 0, size: 500, sig, stream: (0..200).collect() },
        Function { section: 0, offset: 512, size: 1, sig, stream: vec![] },
    ];
    b.imports =
        vec![Import::Function(sig), Import::Imm(layout), Import::Shared(layout), Import::Owned(layout)];
    b.statics = [(STATIC, b.objects.len() as u32 + 3)].into();
    b.roles = vec![
        Role { kind: RoleKind::Gate, section: 1, offset: 0 },
        Role { kind: RoleKind::Stub, section: 0, offset: 900 },
        Role { kind: RoleKind::Restorer, section: 0, offset: 910 },
    ];
    b.names = vec![Name { kind: NameKind::Function, index: 1, text: "größer".into() }];

    let mut encoded = b.encode(&t).unwrap();
    let bases = [0x40_0000u64, 0x50_0000, 0x60_0000, 0x70_0000, 0x80_0000, STATIC];
    assert_eq!(encoded.words.len(), bases.len());
    for (&(at, _), base) in encoded.words.iter().zip(bases) {
        encoded.bytes[at..at + 8].copy_from_slice(&base.to_le_bytes());
    }
    let size = u32::from_le_bytes(encoded.bytes[4..8].try_into().unwrap()) as usize;
    let desc = &encoded.bytes[16..16 + size];
    let mut types = Types::default();
    let note = note::read(desc, 0, &mut types).expect("the note reads back");

    assert_eq!(types.words, t.types.words);
    assert_eq!(types.layouts, t.types.layouts);
    assert_eq!(types.structs, t.types.structs);
    assert_eq!(types.sigs, t.types.sigs);
    let sections: Vec<_> = note.sections.iter().map(|s| (s.base, s.kind, s.size)).collect();
    assert_eq!(sections, [(0x40_0000, 0, 1000), (0x50_0000, 1, 1 << 20)]);
    assert!(matches!(note.objects[0], NoteObject::Data(0x50_0008, Mode::Imm, l) if l == layout));
    assert!(matches!(note.objects[1], NoteObject::Table(0x50_0010, 1, 300)));
    let functions: Vec<_> = note.functions.iter().map(|f| (f.addr, f.size, f.sig)).collect();
    assert_eq!(functions, [(0x40_0000, 500, sig), (0x40_0200, 1, sig)]);
    assert_eq!(desc[note.functions[0].stream.clone()], b.functions[0].stream);
    let imports: Vec<_> = note.imports.iter().map(|i| (i.addr, i.kind)).collect();
    assert_eq!(
        imports,
        [
            (0x60_0000, NoteImportKind::Function(sig)),
            (0x70_0000, NoteImportKind::Imm(layout)),
            (0x80_0000, NoteImportKind::Shared(layout)),
            (STATIC, NoteImportKind::Owned(layout)),
        ]
    );
    let roles: Vec<u64> = note.roles.iter().map(|r| r.1).collect();
    assert_eq!(roles, [0x50_0000, 0x40_0000 + 900, 0x40_0000 + 910]);
    assert_eq!((note.names[0].kind, note.names[0].index, note.names[0].text), (1, 1, "größer"));
}
