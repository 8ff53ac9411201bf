//! Types at the seams: what is imported must be what is exported.

mod common;
use common::*;
use object::{SectionKind, elf};
use talcore::facts::Interval;
use talcore::term::Term;
use talcore::types::{Body, Exists, Layout, LayoutId, Mode, Sig, SigId, Struct, WordId, WordTy};
use tallink::Input;
use talnote::table::TypeTable;
use talnote::write::{
    Arch, Function, Import, Name, NameKind, NoteBuilder, Object, ObjectType, Section, SectionKind as Kind,
};

/// `fn(REG: int(lo..hi)) -> noreturn`.
fn takes(types: &mut TypeTable, register: u8, lo: i128, hi: i128) -> SigId {
    let word = types.word(WordTy::Range(Interval::new(lo, hi)));
    types.sig(Sig { params: vec![(register, word)], noreturn: true, ..Sig::default() })
}

fn section(kind: Kind, size: u64) -> Section {
    Section { kind, size }
}

/// `exit_with`, typed with a signature.
fn exporter(sig: impl Fn(&mut TypeTable) -> SigId) -> Input {
    let (mut o, mut types) = (exit_with(), TypeTable::default());
    let text = o.code.unwrap();
    let sig = sig(&mut types);
    let mut note = NoteBuilder::new(Arch::Amd64);
    note.sections = vec![section(Kind::Code, 13)];
    note.functions = vec![Function { section: 0, offset: 0, size: 13, sig, stream: Vec::new() }];
    o.note(&note, &types, &[text], &[]);
    o.input("exit.o")
}

/// `_start`, which imports `exit_with` with a type.
fn importer(import: impl Fn(&mut TypeTable) -> Import) -> Input {
    let (mut o, mut types) = (hello("hello\n", 7), TypeTable::default());
    let text = o.code.unwrap();
    let exit = o.names["exit_with"];
    let start = types.sig(Sig { start: true, ..Sig::default() });
    let mut note = NoteBuilder::new(Arch::Amd64);
    note.sections = vec![section(Kind::Code, 36)];
    note.functions = vec![Function { section: 0, offset: 0, size: 36, sig: start, stream: Vec::new() }];
    note.imports = vec![import(&mut types)];
    o.note(&note, &types, &[text], &[exit]);
    o.input("hello.o")
}

#[test]
fn equal_types_link() {
    let dir = tempfile::tempdir().unwrap();
    let sig = |t: &mut TypeTable| takes(t, 7, 0, 255);
    // Ids differ between the tables: the types are compared, not the numbers.
    let shifted = |t: &mut TypeTable| {
        takes(t, 3, -1, 1);
        takes(t, 7, 0, 255)
    };
    let out = link(&[importer(|t| Import::Function(sig(t))), exporter(shifted)]);
    assert_eq!(run(dir.path(), &out.image).status.code(), Some(7));
}

/// class: I1 on amd64
#[test]
fn different_signatures_are_shown() {
    let wide = |t: &mut TypeTable| Import::Function(takes(t, 7, 0, 1000));
    let text = errors(&[importer(wide), exporter(|t| takes(t, 7, 0, 255))]);
    for expected in [
        "error[TAL2013]: `exit_with` is imported with another type than it is defined with",
        "--> hello.o",
        ".text+0x20, in `_start`+0x20: imported as fn",
        "::: exit.o",
        ".text+0x0, in `exit_with`+0x0: defined as fn",
        "in rdi, the definition",
    ] {
        assert!(text.contains(expected), "no `{expected}` in:\n{text}");
    }
}

/// class: I1 on amd64
#[test]
fn each_part_of_a_signature_counts() {
    let base = |t: &mut TypeTable| takes(t, 7, 0, 255);
    let changes: [fn(&mut Sig, &mut TypeTable); 6] = [
        |s, _| s.noreturn = false,
        |s, _| s.preserved = 8,
        |s, _| s.params[0].0 = 6,
        |s, t| s.results.push((0, t.word(WordTy::Range(Interval::new(0, 1))))),
        |s, _| s.vars.push(Interval::new(0, 1)),
        |s, _| s.facts.push(Term::from(1)),
    ];
    for change in changes {
        let changed = |t: &mut TypeTable| {
            let id = base(t);
            let mut sig = t.types.sig(id).clone();
            change(&mut sig, t);
            t.sig(sig)
        };
        let text = errors(&[importer(|t| Import::Function(base(t))), exporter(changed)]);
        assert!(text.contains("TAL2013"), "{text}");
    }
}

/// `exists n {low <= n}. own node(n)`, where a node has a size and an owner of the next one.
fn hidden(types: &mut TypeTable, name: &str, low: i128, first: u32) -> WordId {
    let node = types.declare(name, 1);
    let inside = types.layout(Layout::Struct(node, [Term::var(first)].into()));
    let word = types.word(WordTy::Ptr(Mode::Own, inside));
    let facts = [Term::var(first).offset(-low).unwrap()].into();
    let vars = [Interval::new(0, i64::MAX.into())].into();
    let some = types.word(WordTy::Exists(Exists { first, vars, facts, body: word }));
    let next = types.word(WordTy::Opt(some));
    let size = types.word(WordTy::Int(Term::var(0)));
    let fields = [size, next].map(|w| types.layout(Layout::Cell(w))).to_vec();
    types.define(node, Struct::of(1, Vec::new(), fields), Vec::new());
    some
}

/// class: I1 on amd64
#[test]
fn owners_are_compared() {
    let takes = |low: i128, first: u32, res: bool| {
        move |t: &mut TypeTable| {
            let some = hidden(t, "node", low, first);
            let word = if res { t.word(WordTy::Opt(some)) } else { some };
            t.sig(Sig { params: vec![(7, word)], noreturn: true, ..Sig::default() })
        }
    };
    let import = |low| move |t: &mut TypeTable| Import::Function(takes(low, 0, false)(t));
    let text = errors(&[importer(import(1)), exporter(takes(2, 0, false))]);
    let takes_one = "the import takes exists x {1 <= x}. own struct0(x) in rdi";
    assert!(text.contains(takes_one) && text.contains("exists x {2 <= x}. own struct1(x)"), "{text}");
    let text = errors(&[importer(import(1)), exporter(takes(1, 0, true))]);
    assert!(text.contains("the definition opt exists x {1 <= x}. own struct1(x)"), "{text}");
    link(&[importer(import(1)), exporter(takes(1, 0, false))]);
}

#[test]
fn what_is_given_back_is_compared() {
    let takes = |n: i128| {
        move |t: &mut TypeTable| {
            let cell = |t: &mut TypeTable, n: i128| {
                let word = t.word(WordTy::Int(Term::from(n)));
                t.layout(Layout::Cell(word))
            };
            let (before, after) = (cell(t, 0), cell(t, n));
            let word = t.word(WordTy::Ptr(Mode::Uniq, before));
            t.sig(Sig { params: vec![(7, word)], gives_back: vec![(7, after)], ..Sig::default() })
        }
    };
    let text = errors(&[importer(|t| Import::Function(takes(1)(t))), exporter(takes(2))]);
    assert!(text.contains("the import has int(1) given back in rdi, the definition int(2)"), "{text}");
}

/// class: I1 on amd64
#[test]
fn kinds_differ() {
    let data = |t: &mut TypeTable| Import::Imm(t.layout(Layout::Bytes(Term::from(13))));
    let text = errors(&[importer(data), exporter(|t| takes(t, 7, 0, 255))]);
    assert!(text.contains("TAL2013") && text.contains("imported as imm bytes(13)"), "{text}");
    // Without a note there is no type at all.
    let text = errors(&[importer(|t| Import::Function(takes(t, 7, 0, 255))), exit_with().input("exit.o")]);
    assert!(
        text.contains("defined as something without a type") && text.contains("made by talasm?"),
        "{text}"
    );
    // The entry is no function.
    let start = |t: &mut TypeTable| t.sig(Sig { start: true, ..Sig::default() });
    let text = errors(&[importer(|t| Import::Function(start(t))), exporter(start)]);
    assert!(text.contains("entry is no function"), "{text}");
}

/// An object with `pair: pair`, a struct of two fields with these widths, in a mode.
fn object_pair(
    name: &str,
    mode: Mode,
    fields: impl Fn(&mut TypeTable) -> Vec<LayoutId>,
    defines: bool,
) -> Input {
    let mut o = if defines { Obj::new() } else { exit_named("_start") };
    let mut types = TypeTable::default();
    let layout = pair(&mut types, fields);
    let mut note = NoteBuilder::new(Arch::Amd64);
    note.names = vec![Name { kind: NameKind::Struct, index: 0, text: "pair".into() }];
    let (sections, imports) = if defines {
        // The mode of an object is that of its section.
        let (place, kind, of_note) = match mode {
            Mode::Imm => (".rodata", SectionKind::ReadOnlyData, Kind::Rodata),
            _ => (".data", SectionKind::Data, Kind::Data),
        };
        let data = o.section(place, kind, &[0; 16]);
        o.data("pair", data, 0, 16);
        note.sections = vec![section(of_note, 16)];
        note.objects = vec![Object { section: 0, offset: 0, mode, ty: ObjectType::Layout(layout) }];
        (vec![data], vec![])
    } else {
        let pair = o.undefined("pair");
        let data = o.section(".data", SectionKind::Data, &[0; 8]);
        o.reloc(data, 0, elf::R_X86_64_64, pair, 0);
        note.imports = vec![match mode {
            Mode::Imm => Import::Imm(layout),
            _ => Import::Shared(layout),
        }];
        (vec![], vec![pair])
    };
    o.note(&note, &types, &sections, &imports);
    o.input(name)
}

fn pair(types: &mut TypeTable, fields: impl Fn(&mut TypeTable) -> Vec<LayoutId>) -> LayoutId {
    let id = types.declare("pair", 0);
    let fields = fields(types);
    types.define(id, Struct::of(0, Vec::new(), fields), vec!["a".into(), "b".into()]);
    types.layout(Layout::Struct(id, Box::new([])))
}

fn bytes(types: &mut TypeTable, sizes: &[i128]) -> Vec<LayoutId> {
    sizes.iter().map(|&n| types.layout(Layout::Bytes(Term::from(n)))).collect()
}

/// class: G7 on amd64
#[test]
fn structs_are_compared_by_definition() {
    let eights = |t: &mut TypeTable| bytes(t, &[8, 8]);
    link(&[object_pair("a.o", Mode::Shared, eights, false), object_pair("b.o", Mode::Shared, eights, true)]);
    let other = |t: &mut TypeTable| bytes(t, &[4, 12]);
    let text = errors(&[
        object_pair("a.o", Mode::Shared, eights, false),
        object_pair("b.o", Mode::Shared, other, true),
    ]);
    for expected in ["TAL2013", "imported as ref pair", "different structs", "bytes(12)"] {
        assert!(text.contains(expected), "no `{expected}` in:\n{text}");
    }
}

/// class: I1 on amd64
#[test]
fn modes_count() {
    let eights = |t: &mut TypeTable| bytes(t, &[8, 8]);
    let text = errors(&[
        object_pair("a.o", Mode::Shared, eights, false),
        object_pair("b.o", Mode::Imm, eights, true),
    ]);
    assert!(text.contains("imported as ref pair") && text.contains("defined as imm pair"), "{text}");
}

#[test]
fn damaged_notes_have_a_place() {
    let plain = || {
        let o = exit_named("_start");
        let text = o.code.unwrap();
        let mut note = NoteBuilder::new(Arch::Amd64);
        note.sections = vec![section(Kind::Code, 13)];
        (o, note, text)
    };
    let types = TypeTable::default();
    // An address word without a relocation.
    let (mut o, note, _) = plain();
    let encoded = note.encode(&types).unwrap();
    let id = o.section(".note.tal", SectionKind::Note, &encoded.bytes);
    o.out.section_mut(id).flags =
        object::SectionFlags::Elf { sh_type: elf::SHT_NOTE, sh_flags: elf::SHF_ALLOC };
    let text = errors(&[o.input("a.o")]);
    assert!(
        text.contains("TAL2012") && text.contains("has no relocation") && text.contains(".note.tal+0x18"),
        "{text}"
    );
    // Another architecture, a cut, another owner.
    type Damage = fn(&mut [u8]);
    let damages: [(&str, Damage); 4] = [
        ("breaks off or contradicts", |b| b[24 + 8] = 0x7f),
        ("another owner", |b| b[12] = b'X'),
        ("unknown type 0x101", |b| b[8] = 1),
        ("truncated", |b| b[4] = 0xff),
    ];
    for (message, damage) in damages {
        let (mut o, note, text) = plain();
        let id = o.note(&note, &types, &[text], &[]);
        damage(o.out.section_mut(id).data_mut());
        let text = errors(&[o.input("a.o")]);
        assert!(
            text.contains("TAL2012") && text.contains(message) && text.contains(".note.tal+0x"),
            "{text}"
        );
    }
    let (mut o, note, text) = plain();
    o.note(&note, &types, &[text], &[]);
    link(&[o.input("a.o")]);
}

/// An object whose note speaks of the abstract type `counter`: exports it, under its own name or that of others, or
/// imports it.
fn speaks(name: &str, exports: bool, own_name: bool, params: u32) -> Input {
    let (mut o, mut types) = (exit_named(name), TypeTable::default());
    let text = o.code.unwrap();
    let id = types.declare("counter", params);
    let cell = types.layout(Layout::Bytes(Term::from(8)));
    let body = if exports { Body::Fields(vec![cell]) } else { Body::Hidden };
    types.define(id, Struct { params, body, brand: Some(0), ..Struct::default() }, Vec::new());
    let sig = types.sig(Sig { start: name == "_start", noreturn: true, ..Sig::default() });
    let mut note = NoteBuilder::new(Arch::Amd64);
    note.sections = vec![section(Kind::Code, 13)];
    note.functions = vec![Function { section: 0, offset: 0, size: 13, sig, stream: vec![0, 0, 0] }];
    note.imports = vec![if exports { Import::Exported(id) } else { Import::Abstract(id) }];
    let encoded = note.encode(&types).unwrap();
    let at = o.section(".note.tal", SectionKind::Note, &encoded.bytes);
    o.out.section_mut(at).flags =
        object::SectionFlags::Elf { sh_type: elf::SHT_NOTE, sh_flags: elf::SHF_ALLOC };
    let symbol = match own_name {
        true => o.data("__tal_type_counter", at, 16, 0),
        false => o.undefined("__tal_type_counter"),
    };
    let base = o.out.section_symbol(text);
    for ((place, _), symbol) in encoded.words.iter().zip([base, symbol]) {
        o.reloc(at, *place as u64, elf::R_X86_64_64, symbol, 0);
    }
    o.input(&format!("{name}.o"))
}

/// class: G7 on amd64
#[test]
fn abstract_types_have_one_exporter() {
    let exporter = |params| speaks("types", true, true, params);
    link(&[speaks("_start", false, false, 1), exporter(1)]);
    for (input, expected) in [
        (speaks("_start", false, false, 0), "imported as an abstract type without parameters"),
        (speaks("_start", true, false, 1), "under a name that is not its own"),
        (speaks("_start", true, true, 1), "the abstract type `counter` is defined more than once"),
    ] {
        let text = errors(&[input, exporter(1)]);
        assert!(text.contains(expected), "no `{expected}` in:\n{text}");
    }
    let text = errors(&[speaks("_start", false, false, 1)]);
    assert!(text.contains("the abstract type `counter` is used and nowhere defined"), "{text}");
}
