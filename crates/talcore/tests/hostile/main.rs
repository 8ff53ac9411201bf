//! Attacks on the rules, each with a harmless twin: what an attacker who writes every byte of code and
//! annotations could try, straight at the engine.

mod lab;

use iced_x86::code_asm::*;
use lab::{Lab, accepted, code, rejected};
use talcore::term::Term;
use talcore::types::{Mode, Sig};
use talcore::verdict::Code;

/// `fn f[n](rdi: &mut [8], rcx, rdx: any)`
fn buffer(lab: &mut Lab) -> Sig {
    let any = lab.any();
    let p = lab.bytes(Mode::Mut, Term::from(8));
    Sig { params: vec![(1, any), (2, any), (7, p)], ..Sig::default() }
}

/// The product of two numbers near 2^64 does not fit the representation of terms: it is unknown, and
/// not the largest number that there is.
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
