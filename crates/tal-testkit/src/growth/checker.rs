//! Families of executables for the checker, each of which grows in one dimension.

use super::image::{Image, no_labels, stream};
use super::{Family, Made};
use talcore::arch::Arch;
use talcore::facts::Interval;
use talcore::limits;
use talcore::term::Term;
use talcore::types::{Exists, Layout, LayoutId, Mode, Sig, SigId, Struct, StructId, WordId, WordTy};
use talcore::x86::insn::Width;
use talnote::table::{Node, TypeTable};
use talnote::wire;
use talnote::write::{Import, Name, NameKind};

/// A family of executables.
const fn of(name: &'static str, grows: &'static str, make: fn(Arch, usize) -> Vec<u8>) -> Family {
    Family { name, grows, make: Made::Executable(make) }
}

/// All of them. A member of the number `n` has about `n` bytes.
pub(super) const FAMILIES: &[Family] = &[
    of("functions", "functions of one byte", functions),
    of("entries", "functions of two bytes whose signature is as large as it may be", entries),
    of("code", "one function without labels", code),
    of("padding", "bytes of no function", padding),
    of("labels", "labels that differ in nothing, with as much of everything as there may be", labels),
    of("label-facts", "labels, each with facts of its own", label_facts),
    of("label-variables", "labels, each with variables of its own", label_variables),
    of("label-frames", "labels, each with a frame of its own", label_frames),
    of("label-locations", "labels whose locations lose their variables", label_locations),
    of("edges", "jumps to few labels, with a large frame", edges),
    of("forks", "jumps where much is owned", forks),
    of("stack", "stores into a frame of 1000 words", stack),
    of("bytes-of-stack", "stores of bytes all over a frame", bytes_of_stack),
    of("proofs", "proofs by certificates of as many facts as there may be", proofs),
    of("calls", "calls that bind as many variables as there may be", calls),
    of("substitutions", "loads from a struct of as many arguments as there may be", substitutions),
    of("held", "stores to memory that holds as many words as there may be", held),
    of("choices", "steps without code", choices),
    of("words", "word types", words),
    of("options", "pointers that may be 0, of one type with much that is hidden", options),
    of("arrays", "arrays of one type with much that is hidden", arrays),
    of("nesting", "types that nest as deep as they may", nesting),
    of("structs", "structs that differ in their last field", structs),
    of("facts-of-structs", "structs that differ in the last of their facts", facts_of_structs),
    of("circles", "structs that point to each other in circles", circles),
    of("arguments", "pointers to structs of as many arguments as there may be", arguments),
    of("signatures", "signatures", signatures),
    of("imports", "imports of one function with a large signature", imports),
    of("notes", "notes that say nothing", notes),
    of("objects", "objects of one byte of a type with many empty parts", objects),
    of("sizes", "objects whose size takes long to work out", sizes),
    of("string", "one string", string),
    of("array", "one array of structs", array),
    of("names", "names for messages", names),
];

fn var(v: u32) -> Term {
    Term::var(v)
}

/// `sum of 16 variables, from v on, + c`: as long as a term may be.
fn long(v: u32, c: i128) -> Term {
    let summands: Vec<_> = (0..16u32).map(|i| ((v + i) % 240, 1 + i64::from(i))).collect();
    let mut sorted = summands;
    sorted.sort_unstable();
    Term::from_parts(c, &sorted).expect("a term")
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

fn strukt(types: &mut TypeTable, params: u32, facts: Vec<Term>, fields: Vec<LayoutId>) -> StructId {
    let id = types.declare("s", params);
    types.define(id, Struct::of(params, facts, fields), Vec::new());
    id
}

/// As many variables, facts, and words on the stack as there may be.
fn large(image: &mut Image) -> SigId {
    let int = image.types.word(WordTy::Range(Interval::unsigned(32)));
    let facts = (0..limits::FACTS as u32).map(|i| long(i, 7)).collect();
    let vars = vec![Interval::new(-1000, 1 << 40); 240];
    image.sig(Sig { vars, facts, stack: vec![int; 250], ..Sig::default() })
}

fn plain(image: &mut Image) -> SigId {
    image.sig(Sig::default())
}

fn functions(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = plain(&mut image);
    for _ in 0..n / 9 {
        image.function(sig, &[0xc3], no_labels());
    }
    image.finish()
}

fn entries(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = large(&mut image);
    for _ in 0..n / 10 {
        image.function(sig, &[0x0f, 0x0b], no_labels());
    }
    image.finish()
}

fn code(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = plain(&mut image);
    let mut code = [0xff, 0xc0, 0x01, 0xc8].repeat(n / 4); // inc eax; add eax, ecx
    code.push(0xc3);
    image.function(sig, &code, no_labels());
    image.finish()
}

fn padding(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    image.padding(&vec![0xcc; n]);
    image.finish()
}

/// A function of nothing but traps, each of which has a label with this state.
fn trapped(image: &mut Image, sig: SigId, n: usize, mut state: impl FnMut(usize, &mut Vec<u8>)) {
    let mut states = Vec::new();
    let mut labels = 0;
    while states.len() + 2 * labels < n {
        states.push(2);
        state(labels, &mut states);
        labels += 1;
    }
    let code = [0x0f, 0x0b].repeat(labels + 1);
    image.function(sig, &code, stream(labels, &states, &[]));
}

/// In functions that are as small as the states of labels may be large.
fn labels(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = large(&mut image);
    for _ in 0..(n / 400).max(1) {
        trapped(&mut image, sig, 400, |_, out| out.push(0));
    }
    image.finish()
}

fn label_facts(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = image.sig(Sig { vars: vec![Interval::ALL; 240], ..Sig::default() });
    trapped(&mut image, sig, n, |i, out| {
        out.push(16);
        wire::count(out, if i == 0 { 0 } else { 200 });
        let facts = if i == 0 { 256 } else { 56 };
        wire::count(out, facts);
        (0..facts as u32).for_each(|k| wire::term(out, &long(k, 1 + i as i128)));
    });
    image.finish()
}

fn label_variables(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = plain(&mut image);
    trapped(&mut image, sig, n, |i, out| {
        out.push(1);
        let own = if i % 2 == 0 { 1000 } else { 0 };
        wire::count(out, own);
        (0..own).for_each(|_| out.push(0));
        wire::count(out, 0);
    });
    image.finish()
}

fn label_frames(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = image.sig(Sig { vars: vec![Interval::ALL; 240], ..Sig::default() });
    trapped(&mut image, sig, n, |i, out| {
        out.push(8 | 32);
        wire::count(out, i.min(1) * 900);
        let new = if i == 0 { 1000 } else { 100 };
        wire::count(out, new);
        for k in 0..new as u32 {
            out.push(2);
            wire::term(out, &long(k, i as i128));
        }
        wire::count(out, 0);
    });
    image.finish()
}

/// Memory that was given away keeps its layout, until a label has not the variables any more that it mentions.
fn label_locations(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = plain(&mut image);
    trapped(&mut image, sig, n, |i, out| {
        let most = limits::LOCATIONS;
        out.push(1 | 2 | if i % 2 == 0 { 64 } else { 0 });
        let own = if i % 2 == 0 { 1 } else { 0 };
        wire::count(out, own);
        (0..own).for_each(|_| out.push(0));
        wire::count(out, 0);
        // Each one is `bytes(v0)`.
        wire::count(out, if i % 2 == 0 { 0 } else { most });
        wire::count(out, if i % 2 == 0 { most } else { 0 });
        if i % 2 == 0 {
            (0..most).for_each(|_| out.extend([Mode::Own as u8, 1, 1, 128]));
            wire::count(out, most);
            (0..most).for_each(|l| {
                wire::count(out, l);
                out.push(0);
            });
        }
    });
    image.finish()
}

/// `push rax` 1000 times, then jumps. They are refused when they have cost more than they pay for.
fn edges(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = plain(&mut image);
    let mut code = [0x50].repeat(1000);
    code.extend([0x85, 0xc0]); // test eax, eax
    let mut states = Vec::new();
    let mut labels = 0;
    let mut last = 0;
    while code.len() < n {
        for left in (0..60u8).rev() {
            code.extend([0x74, 2 * left]); // jz to what follows
        }
        let at = code.len();
        wire::count(&mut states, at - last);
        if last == 0 {
            states.push(8);
            wire::count(&mut states, 0);
            wire::count(&mut states, 1000);
            states.extend([1].repeat(1000));
        } else {
            states.push(0);
        }
        (last, labels) = (at, labels + 1);
    }
    code.extend([0x0f, 0x0b]);
    image.function(sig, &code, stream(labels, &states, &[]));
    image.finish()
}

/// Each fork copies the state.
fn forks(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let word = i128::from(arch.word_bytes());
    let lay = image.types.layout(Layout::Bytes(Term::from(64 * word)));
    let own = image.types.word(WordTy::Ptr(Mode::Own, lay));
    let sig = image.sig(Sig { params: vec![(7, own)], noreturn: true, ..Sig::default() });
    let mut code = Vec::new();
    for k in 0..15u8 {
        if arch == Arch::Amd64 {
            code.push(0x48);
        }
        code.extend([0x89, 0x47, k * arch.word_bytes() as u8]); // mov [rdi + k*word], rax
    }
    code.extend([0x85, 0xc0]);
    let start = code.len();
    // jz to the label, which is where the function ends; it is as near as 128 bytes.
    let blocks = n / 122;
    let mut states = Vec::new();
    for block in 0..blocks {
        for left in (0..60u8).rev() {
            code.extend([0x74, 2 * left]);
        }
        wire::count(&mut states, if block == 0 { start + 120 } else { 120 });
        states.push(0);
    }
    code.extend([0x0f, 0x0b]);
    image.function(sig, &code, stream(blocks, &states, &[]));
    image.finish()
}

/// `mov [rsp + 8*k], rax`, all over the frame.
fn stack(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = plain(&mut image);
    let mut code = [0x50].repeat(1000);
    let word = arch.word_bytes();
    for i in 0..n as u32 / 8 {
        if arch == Arch::Amd64 {
            code.push(0x48);
        }
        code.extend([0x89, 0x84, 0x24]);
        code.extend((i * 7 % 1000 * word).to_le_bytes());
    }
    code.extend([0x0f, 0x0b]);
    image.function(sig, &code, no_labels());
    image.finish()
}

/// `mov [rsp + k], al`: pieces of one byte between raw ones, cut out and joined again.
fn bytes_of_stack(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = plain(&mut image);
    let mut code = [0x50].repeat(1000);
    for i in 0..n as u32 / 7 {
        code.extend([0x88, 0x84, 0x24]);
        code.extend((i * 13 % (1000 * arch.word_bytes())).to_le_bytes());
    }
    code.extend([0x0f, 0x0b]);
    image.function(sig, &code, no_labels());
    image.finish()
}

/// Each label has the facts of the one before, which it proves with all of them.
fn proofs(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let facts = limits::CERT_FACTS as u32;
    let sig =
        image.sig(Sig { vars: vec![Interval::new(-1000, 1 << 40); 240], noreturn: true, ..Sig::default() });
    let (mut states, mut answers) = (Vec::new(), Vec::new());
    let mut labels = 0;
    while states.len() + answers.len() + labels < n {
        states.push(1);
        if labels == 0 {
            // No edge leads to it but the one behind a trap.
            states[0] = 2;
            states.push(16);
            wire::count(&mut states, 0);
            wire::count(&mut states, facts as usize);
            (0..facts).for_each(|k| wire::term(&mut states, &long(k, 3)));
        } else {
            states.push(0);
            for goal in 0..facts {
                wire::uleb(&mut answers, u128::from(facts) << 2 | 2);
                answers.push(1);
                for fact in 0..facts {
                    answers.push(fact as u8);
                    answers.push(u8::from(facts - 1 - fact == goal));
                }
            }
        }
        labels += 1;
    }
    let mut code = vec![0x0f, 0x0b];
    code.extend([0x90].repeat(labels));
    code.extend([0x0f, 0x0b]);
    image.function(sig, &code, stream(labels, &states, &answers));
    image.finish()
}

/// `call f`, which returns as many variables and facts as it may.
fn calls(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let result_facts = (0..limits::FACTS as u32).map(|i| long(i, 1)).collect();
    let result_vars = vec![Interval::new(0, 1 << 40); 250];
    let many = image.sig(Sig { result_vars, result_facts, ..Sig::default() });
    let to = image.function(many, &[0x0f, 0x0b], no_labels());
    let sig = plain(&mut image);
    let mut code = vec![0x50]; // push rax: below it the stack was touched
    for _ in 0..n / 5 {
        let next = to + 2 + code.len() as u64 + 5;
        code.push(0xe8);
        code.extend((to.wrapping_sub(next) as u32).to_le_bytes());
    }
    code.extend([0x0f, 0x0b]);
    image.function(sig, &code, no_labels());
    image.finish()
}

/// `mov al, [rdi]`, where rdi points to a struct in a struct in a struct, each of 240 arguments.
fn substitutions(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let types = &mut image.types;
    let args: Box<[Term]> = (0..240).map(|v| long(v, 1)).collect();
    let mut part = types.layout(Layout::Num(Width::B1, Interval::unsigned(8)));
    let plain: Box<[Term]> = (0..240).map(var).collect();
    for i in 0..8 {
        let id = strukt(types, 240, Vec::new(), vec![part]);
        part = types.layout(Layout::Struct(id, if i == 7 { args.clone() } else { plain.clone() }));
    }
    let word = types.word(WordTy::Ptr(Mode::Read, part));
    let vars = vec![Interval::new(0, 1 << 20); 240];
    let sig = image.sig(Sig { vars, params: vec![(7, word)], noreturn: true, ..Sig::default() });
    let mut code = [0x8a, 0x07].repeat(n / 2);
    code.extend([0x0f, 0x0b]);
    image.function(sig, &code, no_labels());
    image.finish()
}

/// `mov [rdi + 8*k], rax`, to owned raw memory.
fn held(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let word = i128::from(arch.word_bytes());
    let lay = image.types.layout(Layout::Bytes(Term::from(100 * word)));
    let own = image.types.word(WordTy::Ptr(Mode::Own, lay));
    let sig = image.sig(Sig { params: vec![(7, own)], noreturn: true, ..Sig::default() });
    let mut code = Vec::new();
    for i in 0..n as u32 / 7 {
        if arch == Arch::Amd64 {
            code.push(0x48);
        }
        code.extend([0x89, 0x87]);
        code.extend((i % 100 * arch.word_bytes()).to_le_bytes());
    }
    code.extend([0x0f, 0x0b]);
    image.function(sig, &code, no_labels());
    image.finish()
}

/// `choose` 250 times before each `nop`.
fn choices(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = plain(&mut image);
    image.types.word(WordTy::Range(Interval::unsigned(8)));
    let nops = n / 1000 + 1;
    let mut out = vec![0];
    wire::count(&mut out, 250 * nops);
    for _ in 0..nops {
        for i in 0..250u8 {
            out.extend([u8::from(i == 0), 2, 0, 0]);
        }
    }
    wire::count(&mut out, 0);
    let mut code = [0x90].repeat(nops + 1);
    code.push(0xc3);
    image.function(sig, &code, out);
    image.finish()
}

fn words(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    for _ in 0..n / 2 {
        fresh_word(&mut image.types, WordTy::Range(Interval::unsigned(8)));
    }
    image.finish()
}

/// A pointer to raw memory that hides as much as it may.
fn hiding(types: &mut TypeTable, mode: Mode, c: i128) -> WordId {
    let lay = fresh_layout(types, Layout::Bytes(var(0)));
    let body = fresh_word(types, WordTy::Ptr(mode, lay));
    let facts = (0..limits::FACTS as u32).map(|i| long(i, if i == 255 { c } else { 1 })).collect();
    let vars = vec![Interval::new(0, 1 << 40); 240].into();
    fresh_word(types, WordTy::Exists(Exists { first: 0, vars, facts, body }))
}

fn options(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let few: Vec<_> = (0..12).map(|c| hiding(&mut image.types, Mode::Own, c)).collect();
    for i in 0..n / 2 {
        fresh_word(&mut image.types, WordTy::Opt(few[i % few.len()]));
    }
    image.finish()
}

fn arrays(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let word = hiding(&mut image.types, Mode::Imm, 0);
    let cell = fresh_layout(&mut image.types, Layout::Cell(word));
    for _ in 0..n / 3 {
        fresh_layout(&mut image.types, Layout::Array(Term::from(1), cell));
    }
    image.finish()
}

fn nesting(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let types = &mut image.types;
    for _ in 0..n / 240 {
        let mut lay = fresh_layout(types, Layout::Bytes(Term::from(8)));
        for _ in 0..limits::NESTING / 2 - 1 {
            let word = fresh_word(types, WordTy::Ptr(Mode::Shared, lay));
            lay = fresh_layout(types, Layout::Cell(word));
        }
    }
    image.finish()
}

fn structs(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let types = &mut image.types;
    let byte = fresh_layout(types, Layout::Bytes(Term::from(8)));
    let word = fresh_word(types, WordTy::Ptr(Mode::Shared, byte));
    let cell = fresh_layout(types, Layout::Cell(word));
    for i in 0..n / 110 {
        let last = fresh_layout(types, Layout::Bytes(var(0).offset(i as i128 % 9).expect("a term")));
        let word = fresh_word(types, WordTy::Ptr(Mode::Shared, last));
        let last = fresh_layout(types, Layout::Cell(word));
        strukt(types, 1, Vec::new(), [vec![cell; 100], vec![last]].concat());
    }
    image.finish()
}

fn facts_of_structs(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let types = &mut image.types;
    let byte = fresh_layout(types, Layout::Bytes(Term::from(8)));
    for i in 0..n / 9000 + 1 {
        let facts = (0..limits::FACTS as u32).map(|k| long(k, if k == 255 { i as i128 % 9 } else { 1 }));
        strukt(types, 240, facts.collect(), vec![byte]);
    }
    image.finish()
}

/// Circles of 100 structs that look alike and differ in one place only.
fn circles(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let types = &mut image.types;
    for circle in 0..n / 1400 + 1 {
        let ids: Vec<_> = (0..100).map(|_| types.declare("s", 0)).collect();
        for (i, id) in ids.iter().enumerate() {
            let next = fresh_layout(types, Layout::Struct(ids[(i + 1) % 100], [].into()));
            let word = fresh_word(types, WordTy::Ptr(Mode::Shared, next));
            let cell = fresh_layout(types, Layout::Cell(word));
            let low = if i == 99 { circle as i128 } else { 0 };
            let last = fresh_layout(types, Layout::Exact(Width::B4, false, Term::from(low)));
            types.define(*id, Struct::of(0, Vec::new(), vec![cell, last]), Vec::new());
        }
    }
    image.finish()
}

fn arguments(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let types = &mut image.types;
    let byte = fresh_layout(types, Layout::Bytes(Term::from(8)));
    let id = strukt(types, 250, Vec::new(), vec![byte]);
    let few: Vec<_> = (0..12)
        .map(|c| {
            let args = (0..250).map(|i| Term::from(if i == 249 { c } else { 1 })).collect();
            fresh_layout(types, Layout::Struct(id, args))
        })
        .collect();
    for i in 0..n / 3 {
        fresh_word(types, WordTy::Ptr(Mode::Shared, few[i % few.len()]));
    }
    image.finish()
}

fn signatures(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    for _ in 0..n / 9000 + 1 {
        large(&mut image);
    }
    image.finish()
}

/// Notes that import one function again and again at a signature that is equal, and another node.
fn imports(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let sig = large(&mut image);
    let at = image.function(sig, &[0x0f, 0x0b], no_labels());
    let other = image.types.types.sig(sig).clone();
    let mut types = TypeTable::default();
    types.word(WordTy::Range(Interval::unsigned(32)));
    let other = types.sig(other);
    let each = 60_000.min(n / 9 + 1);
    image.other_note(&types, &vec![(Import::Function(other), at); each], (n / (each * 9)).max(1));
    image.finish()
}

fn notes(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    image.other_note(&TypeTable::default(), &[], (n / 40).min(limits::NOTES - 1));
    image.finish()
}

fn objects(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let types = &mut image.types;
    let byte = fresh_layout(types, Layout::Num(Width::B1, Interval::new(0, 7)));
    let none = fresh_layout(types, Layout::Array(Term::zero(), byte));
    let part = fresh_layout(types, Layout::Seq([vec![none; 4000], vec![byte]].concat().into()));
    for _ in 0..n / 7 {
        image.object(Mode::Shared, part, &[1]);
    }
    image.finish()
}

/// The size of each part is a long term over what a struct is applied to.
fn sizes(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let types = &mut image.types;
    let byte = fresh_layout(types, Layout::Num(Width::B1, Interval::new(0, 7)));
    let none = fresh_layout(types, Layout::Array(long(0, 0), byte));
    let id = strukt(types, 240, Vec::new(), [vec![none; 4000], vec![byte]].concat());
    let part = fresh_layout(types, Layout::Struct(id, vec![Term::zero(); 240].into()));
    for _ in 0..n / 7 {
        image.object(Mode::Shared, part, &[1]);
    }
    image.finish()
}

fn string(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let lay = image.types.layout(Layout::Cstr(Some(Term::from(n as i128))));
    let mut bytes = vec![b'x'; n];
    bytes.push(0);
    image.object(Mode::Imm, lay, &bytes);
    image.finish()
}

fn array(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let types = &mut image.types;
    let byte = types.layout(Layout::Num(Width::B1, Interval::new(0, 7)));
    let id = strukt(types, 0, Vec::new(), vec![byte, byte]);
    let part = types.layout(Layout::Struct(id, [].into()));
    let lay = types.layout(Layout::Array(Term::from(n as i128 / 2), part));
    image.object(Mode::Shared, lay, &vec![5; n / 2 * 2]);
    image.finish()
}

fn names(arch: Arch, n: usize) -> Vec<u8> {
    let mut image = Image::new(arch);
    let name = |index| Name { kind: NameKind::Function, index, text: "x".into() };
    image.note.names = (0..n as u32 / 2).map(name).collect();
    image.finish()
}
