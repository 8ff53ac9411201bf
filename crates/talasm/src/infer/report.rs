//! Failures of inference and proof, in words: what is needed, what was known, what breaks it.

use super::Failure;
use super::terms::own_facts;
use crate::encode::Encoded;
use crate::encode::image::Image;
use crate::ir::{Item, LabelId, Module, Span};
use crate::problem::Problem;
use crate::prove::counterexample;
use std::rc::Rc;
use talcore::program::Program;
use talcore::state::{STATIC, State, Word};
use talcore::term::{Term, Var};
use talcore::types::SigId;
use talcore::verdict::{Code, Reject};
use talnote::print::{Printer, number};
use talnote::table::TypeTable;

/// A problem with the module as a whole.
pub(super) fn whole(message: String) -> Problem {
    const TOO_LARGE: u16 = 1310;
    Problem::new(TOO_LARGE, Span::default(), message)
}

/// A problem with types or initial data.
pub(super) fn data(
    module: &Module,
    encoded: &Encoded,
    image: &Image,
    types: &TypeTable,
    r: &Reject,
) -> Problem {
    let _ = (encoded, types);
    let object = module.objects.iter().find(|o| {
        let at = image.symbol(o.sym);
        (at..at + o.size.max(1)).contains(&r.at)
    });
    let span = object.map_or(Span::default(), |o| o.span);
    let mut p = Problem::new(r.code as u16, span, r.why);
    if let Some(o) = object {
        let name = &module.symbols[o.sym.0 as usize].name;
        p = p.label(format!("in `{name}`, at byte {}", r.at - image.symbol(o.sym)));
    }
    p
}

const REGISTERS: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// Names for the variables of a state: those of the signature, else where the value is.
struct Names<'a> {
    signature: &'a [String],
    state: &'a State,
}

impl Names<'_> {
    fn var(&self, v: Var) -> String {
        if let Some(name) = self.signature.get(v as usize) {
            return name.clone();
        }
        let holds = |w: &Word| matches!(w, Word::Int(t) if t.as_var() == Some(v));
        if let Some(r) = self.state.regs.iter().position(holds) {
            return REGISTERS[r].to_string();
        }
        if let Some(slot) = self.state.frame.iter().find(|s| s.word.as_ref().is_some_and(holds)) {
            return format!("[rsp + {}]", slot.off - self.state.depth);
        }
        format!("x{v}")
    }

    fn term(&self, t: &Term) -> String {
        let mut out = String::new();
        for &(v, c) in t.summands() {
            let name = self.var(v);
            let sign = if c < 0 { "-" } else { "+" };
            match (out.is_empty(), c < 0) {
                (true, true) => out.push('-'),
                (true, false) => {}
                _ => out.push_str(&format!(" {sign} ")),
            }
            match c.unsigned_abs() {
                1 => out.push_str(&name),
                k => out.push_str(&format!("{k}*{name}")),
            }
        }
        match t.konst() {
            0 if !out.is_empty() => {}
            c if out.is_empty() => out = number(c),
            c if c < 0 => out.push_str(&format!(" - {}", number(-c))),
            c => out.push_str(&format!(" + {}", number(c))),
        }
        out
    }

    /// `e >= 0` with everything on the side where it is positive.
    fn fact(&self, t: &Term) -> String {
        let positive: Vec<_> = t.summands().iter().copied().filter(|s| s.1 > 0).collect();
        let negative: Vec<_> = t.summands().iter().map(|s| (s.0, -s.1)).filter(|s| s.1 > 0).collect();
        let (left, right) = if t.konst() >= 0 { (0, t.konst()) } else { (-t.konst(), 0) };
        let small = Term::from_parts(left, &negative).unwrap_or_default();
        let large = Term::from_parts(right, &positive).unwrap_or_default();
        format!("{} <= {}", self.term(&small), self.term(&large))
    }
}

/// A function that was rejected.
pub(super) fn failure(
    program: &Program<'_>,
    module: &Module,
    encoded: &Encoded,
    image: &Image,
    types: &TypeTable,
    f: usize,
    failure: &Failure,
) -> Problem {
    let r = &failure.reject;
    let code = &encoded.functions[f];
    let start = image.text_base() + u64::from(code.start);
    let span_at = |addr: u64| {
        let off = u32::try_from(addr.wrapping_sub(start)).ok()?;
        // Behind the last instruction: where control falls off.
        let off = if off == code.size { code.insns.last()?.offset } else { off };
        let item = module.functions[f].body.get(code.item_at(off)? as usize)?;
        Some(match item {
            Item::Instr(i) => i.span,
            Item::Sys { span, .. } => *span,
            Item::Label(l) => module.functions[f].labels.get(l.0 as usize)?.1,
            Item::Annotation(a) => a.span,
        })
    };
    let span = span_at(r.at).unwrap_or(module.functions[f].span);
    let names = Names { signature: variables(module, f), state: &failure.state };
    let mut p = Problem::new(r.code as u16, span, r.why.to_string());
    let mut what = String::new();
    if let Some(reg) = r.reg {
        what = format!(
            "{} is {}",
            REGISTERS[usize::from(reg) & 15],
            word(&names, program, types, &failure.state, reg)
        );
    }
    if !what.is_empty() {
        p = p.label(what);
    }
    if let Some(target) = r.target.and_then(span_at) {
        p = p.near(target, "for this label");
    }
    if let Some(goal) = &r.goal {
        p = p.note(format!("needed: {}", names.fact(goal)));
        let facts = &failure.state.facts;
        let about: Vec<String> = facts
            .list()
            .iter()
            .filter(|t| t.summands().iter().any(|(v, _)| goal.coefficient(*v) != 0))
            .map(|t| names.fact(t))
            .take(8)
            .collect();
        let mut bounds: Vec<String> = goal
            .summands()
            .iter()
            .map(|(v, _)| {
                let i = facts.interval(*v);
                let end =
                    |c: i128| if c == i128::MIN || c == i128::MAX { "∞".to_string() } else { number(c) };
                format!("{} in {}..{}", names.var(*v), end(i.lo), end(i.hi))
            })
            .collect();
        bounds.extend(about);
        if !bounds.is_empty() {
            p = p.note(format!("known: {}", bounds.join(", ")));
        }
        if goal.as_const().is_some() {
            p = p.note("that is false whatever the input is");
        } else if let Some(example) = counterexample(facts, goal) {
            let list: Vec<String> =
                example.iter().map(|(v, c)| format!("{} = {}", names.var(*v), number(*c))).collect();
            p = p.note(format!("for example {} breaks it", list.join(", ")));
        }
    }
    match help(r.code) {
        Some(text) => p.help(text),
        None => p,
    }
}

fn variables(module: &Module, f: usize) -> &[String] {
    &module.functions[f].var_names
}

fn help(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::Bounds => {
            "test the index against the bound on every path to this access, with an unsigned comparison"
        }
        Code::LabelFact => {
            "what holds at a label must hold on every edge to it; a label can be annotated by hand: `.name: {rcx: int(i), i <= n}`"
        }
        Code::ArgFact => "a test before the call, or a fact in this function's signature, would prove it",
        Code::ResultFact => "promise less in the signature, or test the value before the return",
        Code::Preserved => "save it with `push` at the start and restore it with `pop` before the return",
        Code::ProbeDebt => "touch the new memory first, for example `mov qword [rsp], 0`",
        Code::NotPointer => {
            "only what was given as a pointer, or was loaded from a cell of pointer type, can be dereferenced"
        }
        Code::NoReturn => "write `ud2` behind the call",
        Code::FallsOff => "end the function with `ret`, `jmp` or a call that does not return and `ud2`",
        _ => return None,
    })
}

/// A word for people.
fn word(names: &Names<'_>, program: &Program<'_>, types: &TypeTable, s: &State, reg: u8) -> String {
    if reg == 4 {
        return "the stack pointer".to_string();
    }
    show(names, program, types, s, &s.regs[usize::from(reg) & 15])
}

fn show(names: &Names<'_>, program: &Program<'_>, types: &TypeTable, s: &State, w: &Word) -> String {
    let _ = types;
    match w {
        Word::Any => "a word about which nothing is known".to_string(),
        Word::Int(t) => format!("int({})", names.term(t)),
        Word::Ptr(l, e) => {
            let what = match l.checked_sub(STATIC) {
                Some(o) => program
                    .objects
                    .get(o as usize)
                    .map_or(String::new(), |o| format!("a static object of {} bytes", o.size)),
                None => s
                    .locs
                    .get(*l as usize)
                    .map_or(String::new(), |l| format!("a location of mode {:?}", l.mode)),
            };
            match e.as_const() {
                Some(0) => format!("a pointer to {what}"),
                _ => format!("a pointer to {what}, at offset {}", names.term(e)),
            }
        }
        Word::Sp(e) => format!(
            "an address in the frame, rsp + {}",
            names.term(&e.offset(-i128::from(s.depth)).unwrap_or_default())
        ),
        Word::Opt(..) => "a pointer that may be 0".to_string(),
        Word::Fn(SigId(_)) => "a code pointer".to_string(),
        Word::Entry(r) => format!("what the caller had in {}", REGISTERS[usize::from(*r) & 15]),
        Word::Var(_) => "a word of a type variable".to_string(),
    }
}

/// The states at labels, for the listing.
pub(super) fn states(
    program: &Program<'_>,
    module: &Module,
    encoded: &Encoded,
    f: usize,
    types: &TypeTable,
    labels: &[(u64, Rc<State>)],
) -> Vec<(LabelId, String)> {
    let entry = labels.first().map(|l| l.1.clone());
    let mut out = Vec::new();
    for (id, &at) in encoded.functions[f].labels.iter().enumerate() {
        let Ok(i) = labels.binary_search_by_key(&u64::from(at), |l| l.0) else { continue };
        let state = &labels[i].1;
        let names = Names { signature: variables(module, f), state };
        let mut parts: Vec<String> = Vec::new();
        for (r, w) in state.regs.iter().enumerate().filter(|(_, w)| !matches!(w, Word::Any | Word::Entry(_)))
        {
            parts.push(format!("{}: {}", REGISTERS[r], show(&names, program, types, state, w)));
        }
        if let Some(entry) = &entry {
            let _ = entry;
        }
        let facts = own_facts(&State::default(), &state.facts);
        parts.extend(facts.iter().map(|t| names.fact(t)));
        out.push((LabelId(id as u32), parts.join(", ")));
    }
    out
}

/// Prints a signature for messages.
#[allow(dead_code)]
pub(super) fn signature(types: &TypeTable, sig: SigId) -> String {
    Printer::new(&types.types).sig(sig)
}
