//! Attacks on the rules, each with a harmless twin: what an attacker who writes every byte of code and
//! annotations could try, straight at the engine.

mod abstracts;
mod addresses;
mod arguments;
mod claims;
mod constants;
mod cursors;
mod foreign;
mod frame;
mod hidden;
mod instances;
mod kept;
mod lab;
mod layouts;
mod numbers;
mod owners;
mod statics;
mod stretches;
mod texts;
mod unions;
mod variables;
mod when;

use iced_x86::code_asm::*;
use lab::{Lab, Label, accepted, code, rejected};
use talcore::arch::Arch;
use talcore::facts::Interval;
use talcore::shapes::Shapes;
use talcore::state::{Loc, Slot, State, Word};
use talcore::term::Term;
use talcore::types::{Layout, Mode, Sig, Struct, StructId, WordId, WordTy};
use talcore::verdict::Code;

/// `fn f[n](rdi: &mut [8], rcx, rdx: any)`
fn buffer(lab: &mut Lab) -> Sig {
    let any = lab.any();
    let p = lab.bytes(Mode::Mut, Term::from(8));
    Sig { params: vec![(1, any), (2, any), (7, p)], ..Sig::default() }
}

/// The product of two numbers near 2^64 does not fit the representation of terms: it is unknown, and
/// not the largest number that there is.
/// class: C6 on amd64
#[test]
fn products_too_large_for_terms() {
    // rcx and rdx are -2 or -1; the low half of their product is 1, 2 or 4.
    let product = |add: i32| {
        code(|a| {
            a.and(ecx, 1)?;
            a.sub(rcx, 2)?;
            a.and(edx, 1)?;
            a.sub(rdx, 2)?;
            a.mov(rax, rcx)?;
            a.mul(rdx)?;
            a.add(rax, add)?;
            a.mov(byte_ptr(rdi + rax), 0)?;
            a.ret()
        })
    };
    let mut lab = Lab::default();
    let sig = buffer(&mut lab);
    rejected(lab.check(sig, &product(1)), Code::Bounds);
    let small = code(|a| {
        a.and(ecx, 1)?;
        a.and(edx, 1)?;
        a.mov(rax, rcx)?;
        a.mul(rdx)?;
        a.add(rax, 1)?;
        a.mov(byte_ptr(rdi + rax), 0)?;
        a.ret()
    });
    let mut lab = Lab::default();
    let sig = buffer(&mut lab);
    accepted(lab.check(sig, &small));
}

/// `cmpxchg` may leave memory as it was: afterwards nothing is known of the cell.
/// class: B4 on amd64
#[test]
fn compare_and_exchange_may_not_store() {
    let attack = |exchange: bool| {
        code(|a| {
            a.push(rdx)?;
            a.mov(ecx, 7)?;
            if exchange {
                a.cmpxchg(qword_ptr(rsp), rcx)?;
            } else {
                a.mov(qword_ptr(rsp), rcx)?;
            }
            a.pop(rsi)?;
            a.mov(byte_ptr(rdi + rsi), 0)?;
            a.ret()
        })
    };
    for (exchange, safe) in [(true, false), (false, true)] {
        let mut lab = Lab::default();
        let sig = buffer(&mut lab);
        let verdict = lab.check(sig, &attack(exchange));
        if safe { accepted(verdict) } else { rejected(verdict, Code::Bounds) }
    }
}

/// A function that does not return cannot end in one that does: `start` may have jumped to it, and
/// then no return address lies on the stack.
/// class: D4 on amd64
#[test]
fn noreturn_ends_in_noreturn() {
    for (ends, safe) in [(false, false), (true, true)] {
        let mut lab = Lab::default();
        let target = lab.other(Sig { noreturn: ends, ..Sig::default() });
        let jump = code(|a| a.jmp(target));
        let verdict = lab.check(Sig { noreturn: true, ..Sig::default() }, &jump);
        if safe { accepted(verdict) } else { rejected(verdict, Code::TailCall) }
    }
}

/// A label that gives two names to one exclusive object: a call could then borrow it twice.
/// class: F2 on amd64
#[test]
fn exclusive_memory_has_one_name_at_a_label() {
    // rdi: &uniq [8]; both rdi and rsi point to it.
    let calls = |second: bool| {
        code(|a| {
            a.mov(rsi, rdi)?;
            a.nop()?;
            if second {
                a.mov(byte_ptr(rsi), 1)?;
            }
            a.mov(byte_ptr(rdi), 1)?;
            a.ret()
        })
    };
    let two: fn(&State) -> State = |entry| {
        let mut label = entry.clone();
        label.locs.push(label.locs[0].clone());
        label.regs[6] = Word::Ptr(1, Term::zero());
        label
    };
    let one: fn(&State) -> State = |entry| {
        let mut label = entry.clone();
        label.regs[6] = Word::Ptr(0, Term::zero());
        label
    };
    for (mode, label, safe) in [(Mode::Uniq, two, false), (Mode::Uniq, one, true), (Mode::Mut, two, true)] {
        let mut lab = Lab::default();
        let p = lab.bytes(mode, Term::from(8));
        lab.labels.push((3, label));
        let verdict = lab.check(Sig { params: vec![(7, p)], ..Sig::default() }, &calls(true));
        if safe { accepted(verdict) } else { rejected(verdict, Code::LabelType) }
    }
}

/// A label that turns a pointer into an untested one of a weaker mode, beside the pointer itself.
/// class: F2 on amd64
#[test]
fn labels_do_not_weaken_modes() {
    let body = code(|a| {
        a.nop()?;
        a.ret()
    });
    for (have, want, safe) in [
        (Mode::Uniq, Mode::Frozen, false),
        (Mode::Uniq, Mode::Uniq, false),
        (Mode::Shared, Mode::Mut, false),
        (Mode::Mut, Mode::Mut, true),
    ] {
        let mut lab = Lab::default();
        let target = lab.bytes(want, Term::from(8));
        lab.word(WordTy::Opt(target));
        let p = lab.bytes(have, Term::from(8));
        // The label says `opt` of the first word type.
        lab.labels.push((0, |entry| {
            let mut label = entry.clone();
            let v = label.facts.fresh(Interval::unsigned(56));
            label.regs[6] = Word::Opt(v, WordId(1), None);
            label
        }));
        let moved = [&[0x48, 0x89, 0xfe], &body[..]].concat(); // mov rsi, rdi
        lab.labels[0].0 = 3;
        let verdict = lab.check(Sig { params: vec![(7, p)], ..Sig::default() }, &moved);
        if safe { accepted(verdict) } else { rejected(verdict, Code::LabelType) }
    }
    for (mode, safe) in [(Mode::Uniq, false), (Mode::Mut, true)] {
        let mut lab = Lab::default();
        let p = lab.bytes(mode, Term::from(8));
        let p = lab.word(WordTy::Opt(p));
        let verdict = lab.check(Sig { params: vec![(7, p)], ..Sig::default() }, &[0xc3]);
        if safe { accepted(verdict) } else { rejected(verdict, Code::IllFormedType) }
    }
}

/// Numbers at the edge of what the checker counts with: a verdict, not a panic.
/// class: E2, J6 on amd64
#[test]
fn extreme_numbers() {
    let leap = code(|a| {
        a.mov(rax, i64::MIN)?;
        a.add(rsp, rax)?;
        a.ret()
    });
    rejected(Lab::default().check(Sig::default(), &leap), Code::StackPointer);
    // After the branch that is always taken everything is provable, and nothing happens.
    let dead = |width: bool| {
        code(|a| {
            let mut end = a.create_label();
            a.push(rax)?;
            a.mov(rax, i64::MAX - 2)?;
            a.xor(ecx, ecx)?;
            a.test(ecx, ecx)?;
            a.je(end)?;
            if width {
                a.mov(dword_ptr(rsp + rax + 8), ecx)?;
            }
            a.set_label(&mut end)?;
            a.pop(rax)?;
            a.ret()
        })
    };
    for width in [true, false] {
        let mut lab = Lab::default();
        let body = dead(width);
        lab.labels.push((body.len() as u64 - 2, |entry| {
            let mut label = entry.clone();
            label.frame.push(Slot { off: -8, size: 8, word: None });
            label.depth = -8;
            label.touched = -8;
            label
        }));
        accepted(lab.check(Sig::default(), &body));
    }
}

/// Types with more paths than bytes are measured once.
#[test]
fn types_with_many_paths() {
    let mut lab = Lab::default();
    let mut layout = lab.layout(Layout::Bytes(Term::from(8)));
    let mut word = WordId(0);
    for _ in 0..40 {
        word = lab.word(WordTy::Ptr(Mode::Imm, layout));
        let cell = lab.layout(Layout::Cell(word));
        layout = lab.layout(Layout::Seq([cell, cell, cell].into()));
    }
    let sig = Sig { params: vec![(7, word)], ..Sig::default() };
    accepted(lab.check(sig, &[0xc3]));
}

/// A few bytes for each label, which stand for a thousand words: the checker does not hold them all.
/// class: J3 on amd64
#[test]
fn labels_that_are_larger_than_they_look() {
    let stream = |labels: u32| {
        // The first label: 1000 words of the frame, of which nothing is known.
        let mut s = vec![];
        leb(&mut s, labels);
        s.extend([0, 8, 0]);
        leb(&mut s, 1000);
        s.extend([1; 1000]);
        for _ in 1..labels {
            s.extend([1, 0]); // the same state
        }
        s.extend([0, 0]);
        s
    };
    // A jump over code that nothing reaches; the labels claim that something does.
    let body = [&[0xeb, 0x00][..], &[0x90; 2_000], &[0x0f, 0x0b]].concat();
    let verdict =
        |labels| Lab::default().check_stream(Sig::default(), &body, &stream(labels)).map_err(|r| r.code);
    assert_eq!(verdict(2_000), Err(Code::Limit));
    assert_eq!(verdict(100), Err(Code::LabelStack)); // read, and refused for what it says
}

/// A variable whose number is the largest one.
/// class: G2 on amd64, ia32
#[test]
fn variables_that_cannot_be() {
    for arch in [Arch::Amd64, Arch::Ia32] {
        let lab = || Lab { arch, ..Lab::default() };
        let verdict = |stream: &[u8]| lab().check_stream(Sig::default(), &[0xc3], stream);
        let largest: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x0f];
        // Forms of int(the variable) and int(the variable + 1), pointers and untested words.
        for word in [
            &[&[2, 17], largest, &[0]].concat()[..],
            &[&[2, 1, 1], largest, &[1]].concat(),
            &[&[2, 19], largest, &[0]].concat(),
            &[0xff],
            &[0x80],
            &[&[3], largest, &[64]].concat(),
            &[32],
            &[&[6], largest, &[0, 0]].concat(),
        ] {
            // One label at offset 0, register rax.
            rejected(verdict(&[&[1, 0, 4, 1], word, &[0, 0]].concat()), Code::Stream);
        }
        let known = [1, 0, 5, 1, 0xc0, 0, 1, 0x80, 0, 0]; // rax: int of a new variable
        accepted(verdict(&known));
        // It is forgotten at the next label, but rax still speaks of it.
        let forgotten = [2, 0, 5, 1, 0xc0, 0, 1, 0x80, 1, 1, 0, 0, 0, 0];
        let code = [0x90, 0xc3];
        rejected(lab().check_stream(Sig::default(), &code, &forgotten), Code::Stream);
        let kept = [2, 0, 5, 1, 0xc0, 0, 1, 0x80, 1, 0, 0, 0];
        accepted(lab().check_stream(Sig::default(), &code, &kept));
    }
}

/// A location of a label that is a struct brings its arguments, which the stream only names: a few bytes stand for
/// hundreds of terms.
/// class: J3 on amd64
#[test]
fn arguments_of_structs_count_as_parts_of_labels() {
    let verdict = |locations: u32| {
        let mut lab = Lab::default();
        let pointer = lab.bytes(Mode::Imm, Term::from(1));
        let fields = vec![lab.layout(Layout::Cell(pointer))];
        lab.types.structs.push(Struct::of(256, vec![], fields));
        lab.layout(Layout::Struct(StructId(0), (0..256).map(Term::var).collect()));
        let many = lab.layout(Layout::Struct(StructId(0), vec![Term::var(0); 256].into()));
        // Eight variables; then locations of mode own, each of which has their sum for every argument.
        let mut s = vec![1, 0, 3, 8];
        s.extend([0xc0; 8]);
        s.extend([0, 0]);
        leb(&mut s, locations);
        for _ in 0..locations {
            s.extend([0, (many.index() + Shapes::default().common().len()) as u8, 1, 8, 0]);
            s.extend((0..8).flat_map(|v| [v, 1]));
        }
        s.extend([0, 0]);
        lab.check_stream(Sig::default(), &[0xc3], &s).map_err(|r| r.why)
    };
    assert_eq!(verdict(200), Err("the states of the labels are too large together"));
    assert_eq!(verdict(20), Err("nothing says what an index variable stands for")); // read
}

/// A step without machine code is taken, or the stream is wrong: not inside an instruction, and where code is reached.
/// class: A21 on amd64, ia32
#[test]
fn steps_that_would_not_be_taken() {
    let verdict = |arch: Arch, code: &[u8], at: u8| {
        let mut lab = Lab { arch, ..Lab::default() };
        let own = lab.bytes(Mode::Own, Term::from(64));
        let sig = Sig { params: vec![(7, own)], ..Sig::default() };
        lab.check_stream(sig, code, &[0, 1, at, 0, 7, 0]) // split rdi
    };
    let moves = [0x48, 0x89, 0xf8, 0xc3, 0x0f, 0x0b]; // mov rax, rdi; ret; ud2
    accepted(verdict(Arch::Amd64, &moves, 0));
    accepted(verdict(Arch::Amd64, &moves, 3));
    for at in [1, 2, 4, 5] {
        rejected(verdict(Arch::Amd64, &moves, at), Code::Stream);
    }
    // The same without REX.
    accepted(verdict(Arch::Ia32, &moves[1..], 0));
    accepted(verdict(Arch::Ia32, &moves[1..], 2));
    for at in [1, 3, 4] {
        rejected(verdict(Arch::Ia32, &moves[1..], at), Code::Stream);
    }
}

fn leb(to: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        to.push(n as u8 | 0x80);
        n >>= 7;
    }
    to.push(n as u8);
}

/// Parts of negative size: the others lie behind the end of the object.
/// class: G4 on amd64, ia32
#[test]
fn objects_with_negative_parts() {
    for arch in [Arch::Amd64, Arch::Ia32] {
        for (sizes, safe) in [
            (vec![1 << 60, 1 << 60, -(1 << 61) + 1], false),
            (vec![-1, 2], false),
            (vec![2, -1], false),
            (vec![0, 1], true),
        ] {
            let mut lab = Lab { arch, ..Lab::default() };
            let pointer = lab.bytes(Mode::Shared, Term::from(8));
            let word = lab.word(WordTy::Opt(pointer));
            let cell = lab.layout(Layout::Cell(word));
            let parts: Vec<_> =
                sizes.iter().map(|n| lab.layout(Layout::Array(Term::from(*n), cell))).collect();
            let whole = lab.layout(Layout::Seq(parts.into()));
            lab.shared(whole, arch.word_bytes().into());
            let verdict = lab.check_data();
            if safe { accepted(verdict) } else { rejected(verdict, Code::Data) }
        }
    }
}

/// The variable for an address, made while a branch was followed, goes with what the branch taught: its
/// number means something else afterwards.
#[test]
fn addresses_are_forgotten_with_their_variables() {
    let attack = |label_names_the_address: bool| {
        let body = code(|a| {
            let mut end = a.create_label();
            a.test(rsi, rsi)?;
            a.je(end)?;
            a.movzx(eax, byte_ptr(rdi))?; // a variable in 0 .. 255
            a.mov(rcx, rdi)?;
            a.neg(rcx)?;
            a.neg(rcx)?; // the address as a number
            a.mov(byte_ptr(rdi + rcx), 1)?;
            a.set_label(&mut end)?;
            a.ret()
        });
        let mut lab = Lab::default();
        let any = lab.any();
        let p = lab.bytes(Mode::Mut, Term::from(256));
        let at = body.len() as u64 - 1;
        let named: Label = |entry| {
            let mut label = entry.clone();
            let v = label.facts.fresh(Interval::new(1, u64::MAX.into()));
            label.locs.push(Loc { addr: Some(v), ..label.locs[0].clone() });
            label.regs = Default::default();
            label.regs[7] = Word::Ptr(1, Term::zero());
            label
        };
        let plain: Label = |entry| State { regs: Default::default(), ..entry.clone() };
        lab.labels.push((at, if label_names_the_address { named } else { plain }));
        lab.check(Sig { params: vec![(6, any), (7, p)], ..Sig::default() }, &body)
    };
    rejected(attack(true), Code::Bounds);
    rejected(attack(false), Code::Bounds);
}
