//! Attacks on unions: labels that claim to know tags, definitions that tell no variants apart, and data of none.

use crate::lab::{Lab, Label, accepted, code, rejected};
use iced_x86::code_asm::*;
use talcore::eq::same_layout;
use talcore::facts::Interval;
use talcore::state::{Held, Lay, Tag, Word};
use talcore::term::Term;
use talcore::types::{Body, Layout, LayoutId, Mode, Sig, Struct, StructId, WordId, WordTy};
use talcore::verdict::{Code, Reject};
use talcore::x86::insn::Width;

/// The layout of [`value`], and that of 16 raw bytes.
const VALUE: LayoutId = LayoutId(0);
const RAW: LayoutId = LayoutId(1);

/// `struct number { kind: int(0), value: int }`, `struct text { kind: int(1), at: imm bytes(16) }`,
/// `union value: kind { number, text }`: pointers to it of a mode, and to 16 unchanging bytes.
fn value(lab: &mut Lab, mode: Mode) -> (WordId, WordId) {
    for _ in 0..3 {
        lab.types.structs.push(Struct::default());
    }
    lab.layout(Layout::Struct(StructId(0), [].into()));
    let raw = lab.layout(Layout::Bytes(Term::from(16)));
    let variants = vec![
        lab.layout(Layout::Struct(StructId(1), [].into())),
        lab.layout(Layout::Struct(StructId(2), [].into())),
    ];
    let at = lab.word(WordTy::Ptr(Mode::Imm, raw));
    let any = lab.any();
    for (i, word) in [(1, any), (2, at)] {
        let tag = lab.word(WordTy::Int(Term::from(i as i128 - 1)));
        let fields = vec![lab.layout(Layout::Cell(tag)), lab.layout(Layout::Cell(word))];
        lab.types.structs[i].body = Body::Fields(fields);
    }
    lab.types.structs[0].body = Body::Union { tag: 0, variants };
    (lab.word(WordTy::Ptr(mode, VALUE)), at)
}

fn known(value: i128) -> Vec<Tag> {
    vec![Tag { off: Term::zero(), value: Term::from(value) }]
}

/// `fn f(rdi: mode value)`, which reads the tag if asked to, and where a label follows, at 10, that sees a text.
fn read(mode: Mode, test: bool, label: Label) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let (pointer, _) = value(&mut lab, mode);
    let body = code(|a| {
        let mut out = a.create_label();
        if test {
            a.cmp(qword_ptr(rdi), 1)?; // 4 bytes
            a.jne(out)?; // 2 bytes
        } else {
            (0..6).try_for_each(|_| a.nop())?;
        }
        (0..4).try_for_each(|_| a.nop())?;
        a.mov(rax, qword_ptr(rdi + 8))?; // at 10
        a.mov(rax, qword_ptr(rax))?;
        a.set_label(&mut out)?;
        a.ret()
    });
    lab.labels.push((10, label));
    if test {
        lab.labels.push((17, |entry| {
            let mut label = entry.clone();
            label.regs = Default::default();
            label
        }));
    }
    lab.check(Sig { params: vec![(7, pointer)], ..Sig::default() }, &body)
}

/// What a label says of a tag was read on every edge, and is what was read.
/// class: F4 on amd64
#[test]
fn tags_that_nobody_read() {
    let text: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].tags = known(1);
        label
    };
    for mode in [Mode::Own, Mode::Uniq, Mode::Shared, Mode::Imm, Mode::Mut, Mode::Read, Mode::Frozen] {
        accepted(read(mode, true, text));
        rejected(read(mode, false, text), Code::LabelType);
        // Nothing is known of it behind a label that does not say it.
        rejected(read(mode, true, |entry| entry.clone()), Code::Variant);
    }
    let other: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].tags = known(0);
        label
    };
    rejected(read(Mode::Read, true, other), Code::LabelFact);
    // A tag is a number, and not one that is congruent to it.
    let wraps: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].tags = known(1 + (1 << 64));
        label
    };
    rejected(read(Mode::Read, true, wraps), Code::LabelFact);
    let elsewhere: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].tags = vec![Tag { off: Term::from(8), value: Term::from(1) }];
        label
    };
    rejected(read(Mode::Read, true, elsewhere), Code::LabelType);
    let dead: Label = |entry| {
        let mut label = entry.clone();
        label.locs[0].tags = known(1);
        label.locs[0].live = false;
        label.regs = Default::default();
        label
    };
    rejected(read(Mode::Own, true, dead), Code::LabelType);
    // A value that some number makes true, which nothing binds to it.
    let any: Label = |entry| {
        let mut label = entry.clone();
        let v = label.facts.fresh(Interval::new(1, 1));
        label.locs[0].tags = vec![Tag { off: Term::zero(), value: Term::var(v) }];
        label
    };
    accepted(read(Mode::Read, true, any));
    rejected(read(Mode::Read, false, any), Code::LabelType);
}

/// `fn f(rdi: own value, r8: imm bytes(16))`: a number becomes a text before a label at 18; then what the label knows
/// is used as a text, or as a number.
fn change(store: bool, text: bool, label: Label) -> Result<(), Box<Reject>> {
    let mut lab = Lab::default();
    let (pointer, at) = value(&mut lab, Mode::Own);
    let body = code(|a| {
        let mut out = a.create_label();
        a.cmp(qword_ptr(rdi), 0)?; // 4 bytes
        a.jne(out)?; // 2 bytes
        a.mov(qword_ptr(rdi), 1)?; // 7 bytes
        if store {
            a.mov(qword_ptr(rdi + 8), r8)?; // 4 bytes
        } else {
            (0..4).try_for_each(|_| a.nop())?;
        }
        a.nop()?;
        a.mov(rax, qword_ptr(rdi + 8))?; // at 18
        if text {
            a.mov(rax, qword_ptr(rax))?;
        } else {
            a.nop()?;
        }
        a.set_label(&mut out)?;
        a.ret()
    });
    lab.labels.push((18, label));
    lab.labels.push((if text { 25 } else { 23 }, |entry| {
        let mut label = entry.clone();
        label.regs = Default::default();
        label.locs[0].live = false;
        label
    }));
    lab.check(Sig { params: vec![(7, pointer), (8, at)], ..Sig::default() }, &body)
}

/// A tag that was written is no tag of what the layout says; once it is packed, nothing is known of it.
/// class: F4 on amd64
#[test]
fn tags_that_were_written() {
    let packed: Label = |entry| entry.clone();
    rejected(change(true, true, packed), Code::Variant);
    rejected(change(false, true, packed), Code::LabelType);
    // The old tag of the new value; the new tag, which is not known but held.
    for (text, claim) in
        [(false, (|e| with(e, known(0), vec![])) as Label), (true, |e| with(e, known(1), vec![]))]
    {
        rejected(change(true, text, claim), Code::LabelType);
    }
    // The value below the written words stays what it was.
    let held: Label = |entry| {
        let words = vec![(0, Word::Int(Term::from(1))), (8, entry.regs[8].clone())];
        with(entry, known(0), words)
    };
    accepted(change(true, true, held));
    // Only the tag: the word beside it is still a number, and only as such it may be read.
    let tag: Label = |entry| with(entry, known(0), vec![(0, Word::Int(Term::from(1)))]);
    accepted(change(false, false, tag));
    rejected(change(false, true, tag), Code::NotPointer);
    let forged: Label = |entry| with(entry, known(1), vec![(0, Word::Int(Term::from(1)))]);
    rejected(change(false, true, forged), Code::LabelFact);
    rejected(change(true, true, forged), Code::LabelFact);
    let unknown: Label = |entry| with(entry, vec![], vec![(0, Word::Int(Term::from(1)))]);
    rejected(change(false, true, unknown), Code::Variant);
    // As raw bytes it has no variant, whatever the label knows.
    let raw: Label = |entry| {
        let mut label = with(entry, known(0), vec![]);
        label.locs[0].lay = Lay { id: RAW, env: Some([].into()) };
        label
    };
    accepted(change(true, false, raw));
    rejected(change(true, true, raw), Code::NotPointer);
}

fn with(entry: &talcore::state::State, tags: Vec<Tag>, cells: Vec<(i128, Word)>) -> talcore::state::State {
    let mut label = entry.clone();
    label.locs[0].tags = tags;
    let held = |(off, word)| Held { off: Term::from(off), width: Width::B8, word };
    label.locs[0].cells = cells.into_iter().map(held).collect();
    label
}

/// A union of one variant or two: `(width, range)` of the tags and bytes behind them.
fn union(parts: &[(Width, i128, i128, i128)], tag: u64) -> Result<(), &'static str> {
    let mut lab = Lab::default();
    lab.types.structs.push(Struct::default());
    let mut variants = Vec::new();
    for (i, (width, lo, hi, rest)) in parts.iter().enumerate() {
        let cell = lab.layout(Layout::Num(*width, Interval::new(*lo, *hi)));
        let rest = lab.layout(Layout::Bytes(Term::from(*rest)));
        lab.types.structs.push(Struct::of(0, vec![], vec![cell, rest]));
        variants.push(lab.layout(Layout::Struct(StructId(i as u32 + 1), [].into())));
    }
    lab.types.structs[0].body = Body::Union { tag, variants };
    lab.check(Sig::default(), &[0xc3]).map_err(|r| r.why)
}

/// Variants that could be taken for each other make no union.
/// class: F4 on amd64
#[test]
fn definitions_tell_variants_apart() {
    let (b, w) = (Width::B1, Width::B2);
    assert_eq!(union(&[(b, 0, 0, 7), (b, 1, 9, 7)], 0), Ok(()));
    let sizes = Err("the variants of a union have different sizes");
    assert_eq!(union(&[(b, 0, 0, 7), (b, 1, 9, 6)], 0), sizes);
    assert_eq!(union(&[(b, 0, 1, 7), (b, 1, 9, 7)], 0), Err("two variants of a union have the same tag"));
    assert_eq!(union(&[(b, 0, 9, 7), (b, 3, 3, 7)], 0), Err("two variants of a union have the same tag"));
    let widths = Err("the tags of a union's variants have different widths");
    assert_eq!(union(&[(b, 0, 0, 7), (w, 1, 9, 6)], 0), widths);
    let signed = Err("the tag of a variant has no values, or some with a sign");
    assert_eq!(union(&[(b, -1, -1, 7), (b, 1, 9, 7)], 0), signed);
    assert_eq!(union(&[(b, 0, 255, 7)], 0), Err("a variant of which any bytes are a value"));
    assert_eq!(union(&[], 0), Err("a union without variants"));
    let none = Err("a variant of a union has no number where the tag is");
    assert_eq!(union(&[(b, 0, 0, 7)], 1), none);
    assert_eq!(union(&[(b, 0, 0, 7)], 8), Err("the tag of a union lies behind the end of a variant"));
    assert_eq!(union(&[(w, 0, 0, 6)], 1), none);
    assert!(union(&[(b, 0, 0, 7)], u64::MAX).is_err());
}

/// A union of itself, of another union's tag, and of sizes that are equal only for some arguments.
/// class: G3 on amd64
#[test]
fn definitions_end() {
    let mut lab = Lab::default();
    lab.types.structs.push(Struct::default());
    let me = lab.layout(Layout::Struct(StructId(0), [].into()));
    lab.types.structs[0].body = Body::Union { tag: 0, variants: vec![me] };
    rejected(lab.check(Sig::default(), &[0xc3]), Code::IllFormedType);

    let mut lab = Lab::default();
    value(&mut lab, Mode::Own);
    lab.types
        .structs
        .push(Struct { body: Body::Union { tag: 0, variants: vec![VALUE] }, ..Struct::default() });
    rejected(lab.check(Sig::default(), &[0xc3]), Code::IllFormedType);

    let mut lab = Lab::default();
    for _ in 0..3 {
        lab.types.structs.push(Struct { params: 1, ..Struct::default() });
    }
    let mut variants = Vec::new();
    for (i, rest) in [(1, Term::var(0)), (2, Term::from(8))] {
        let tag = lab.word(WordTy::Int(Term::from(i)));
        let fields = vec![lab.layout(Layout::Cell(tag)), lab.layout(Layout::Bytes(rest))];
        lab.types.structs[i as usize].body = Body::Fields(fields);
        variants.push(lab.layout(Layout::Struct(StructId(i as u32), [Term::var(0)].into())));
    }
    lab.types.structs[0].body = Body::Union { tag: 0, variants };
    rejected(lab.check(Sig::default(), &[0xc3]), Code::IllFormedType);
}

/// Types that share their parts exponentially often are looked at once each.
/// class: J1 on amd64
#[test]
fn sharing_stays_linear() {
    let mut lab = Lab::default();
    let mut inner = lab.layout(Layout::Bytes(Term::from(0)));
    for i in 0..30 {
        let mut variants = Vec::new();
        for v in 0..2 {
            let tag = lab.layout(Layout::Num(Width::B8, Interval::new(v, v)));
            lab.types.structs.push(Struct::of(0, vec![], vec![tag, inner]));
            variants.push(lab.layout(Layout::Struct(StructId(3 * i + v as u32), [].into())));
        }
        lab.types.structs.push(Struct { body: Body::Union { tag: 0, variants }, ..Struct::default() });
        inner = lab.layout(Layout::Struct(StructId(3 * i + 2), [].into()));
    }
    lab.shared(inner, 240);
    // The data of each variant is looked at once too: the tag says which it is.
    accepted(lab.check_data());
}

/// Data whose tag is that of no variant, or whose variant cannot be 0.
/// class: F4 on amd64
#[test]
fn data_is_of_the_variant_that_its_tag_says() {
    for (tag, at, fine) in [(0, true, false), (0, false, true), (1, false, false)] {
        let mut lab = Lab::default();
        value(&mut lab, Mode::Shared);
        let pointer = lab.word(WordTy::Ptr(Mode::Imm, RAW));
        let any = lab.any();
        let word = lab.layout(Layout::Cell(if at { pointer } else { any }));
        let tag = lab.word(WordTy::Int(Term::from(tag)));
        let tag = lab.layout(Layout::Cell(tag));
        lab.types.structs[1].body = Body::Fields(vec![tag, word]);
        lab.types.structs[0].body = Body::Union { tag: 0, variants: vec![LayoutId(2)] };
        lab.shared(VALUE, 16);
        let verdict = lab.check_data();
        if fine { accepted(verdict) } else { rejected(verdict, Code::Data) }
    }
}

/// A union is not its only variant, nor one with another tag.
#[test]
fn unions_are_equal_by_all_that_they_say() {
    let mut lab = Lab::default();
    let cell = |lab: &mut Lab, n| lab.layout(Layout::Num(Width::B8, Interval::new(n, n)));
    let fields = vec![cell(&mut lab, 1), cell(&mut lab, 2)];
    let of = |lab: &mut Lab, body| {
        lab.types.structs.push(Struct { body, ..Struct::default() });
        let id = StructId(lab.types.structs.len() as u32 - 1);
        lab.layout(Layout::Struct(id, [].into()))
    };
    let inner = of(&mut lab, Body::Fields(fields));
    let variants = vec![inner];
    let all = [
        of(&mut lab, Body::Fields(variants.clone())),
        of(&mut lab, Body::Union { tag: 0, variants: variants.clone() }),
        of(&mut lab, Body::Union { tag: 8, variants: variants.clone() }),
        of(&mut lab, Body::Union { tag: 0, variants: vec![inner, inner] }),
    ];
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate() {
            assert_eq!(same_layout(&lab.types, *a, *b, &mut 1000), i == j);
        }
    }
    let twin = of(&mut lab, Body::Union { tag: 8, variants });
    assert!(same_layout(&lab.types, all[2], twin, &mut 1000));
}

/// Streams whose tags speak of what there is not.
/// class: F4 on amd64
#[test]
fn streams_of_tags() {
    let stream = |tags: &[u8]| {
        let mut lab = Lab::default();
        let (pointer, _) = value(&mut lab, Mode::Read);
        let sig = Sig { params: vec![(7, pointer)], ..Sig::default() };
        // One label, at 0.
        lab.check_stream(sig, &[0xc3], &[&[1, 0, 32, 1][..], tags, &[0, 0]].concat())
    };
    accepted(stream(&[0]));
    rejected(stream(&[1, 0, 64, 64]), Code::LabelType); // location 0, offset 0, value 0
    for bad in [
        &[1, 2, 64, 64][..], // no such location
        &[1, 1, 64, 64],     // no such static
        &[1, 0, 64, 128],    // no such variable
        &[1, 0, 128, 64],
        &[1, 0xff, 0xff, 0xff, 0xff, 0x0f, 64, 64],
        &[2, 0, 64, 64], // cut off
        &[0xff, 0xff, 0x03],
    ] {
        rejected(stream(bad), Code::Stream);
    }
    // Many of them are no more than a state has room for.
    let many = [&[200, 1][..], &[0, 64, 64].repeat(200)].concat();
    rejected(stream(&many), Code::LabelType);
}
