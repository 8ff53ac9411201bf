//! Failures of inference and proof, in words: what is needed, what was known, what breaks it.

use super::Failure;
use super::advice::{self, Scene};
use super::origin::{Origin, Way};
use super::reload::tested_before;
use super::words::{Names, View};
use crate::encode::Encoded;
use crate::encode::image::Image;
use crate::ir::{Item, LabelId, Module, Span};
use crate::problem::Problem;
use crate::prove::counterexample;
use std::rc::Rc;
use talcore::arch::Arch;
use talcore::codes::coded;
use talcore::facts::{Interval, tighten};
use talcore::guide::Ghost;
use talcore::program::Program;
use talcore::state::{STATIC, State, Word};
use talcore::term::Term;
use talcore::verdict::{Code, Reject};
use talnote::print::state::StatePrinter;
use talnote::print::{number, register};

/// A problem with the module as a whole.
pub(super) fn whole(message: String) -> Problem {
    const TOO_LARGE: u16 = 1310;
    Problem::new(TOO_LARGE, Span::default(), message)
}

/// A problem with types or initial data.
pub(super) fn data(module: &Module, image: &Image, r: &Reject) -> Problem {
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

/// A function that was rejected.
pub(super) fn failure(
    program: &Program<'_>,
    (module, structs): (&Module, &[String]),
    encoded: &Encoded,
    image: &Image,
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
            Item::Ghost(_, span) => *span,
        })
    };
    let label_at = |addr: u64| {
        let off = u32::try_from(addr.wrapping_sub(start)).ok()?;
        let id = code.labels.iter().position(|l| *l == off)?;
        Some(module.functions[f].labels.get(id)?.0.clone())
    };
    let mut span = span_at(r.at).unwrap_or(module.functions[f].span);
    if r.code == Code::Ghost
        && let Some(item) = u32::try_from(r.at.wrapping_sub(start)).ok().and_then(|off| code.item_at(off))
    {
        span = step_before(&module.functions[f].body, item as usize, r.reg).unwrap_or(span);
    }
    let scene = Scene::new(program, (module, structs), image, f, failure);
    let title = if r.types().is_some() { "two types are not the same" } else { r.why };
    let mut p = Problem::new(r.code as u16, span, title.to_string()).label(advice::label(&scene));
    match r.target {
        Some(target) if target == r.at => p = p.label("on the way to this label from above"),
        Some(target) => {
            if let Some(target) = span_at(target) {
                p = p.near(target, "for this label");
            }
        }
        None => {}
    }
    if let Some(origin) = &failure.origin {
        let signature = scene.names.signature;
        fn of<'a>(signature: &'a [String], arch: Arch, state: &'a State) -> Names<'a> {
            Names { arch, signature, state, stored: None }
        }
        let word = |way: &Way, r: u8| {
            let names = of(signature, module.arch, &way.state);
            let view = View { program, module, structs, image, names: &names };
            view.word(way.state.regs.get(usize::from(r)).unwrap_or(&Word::Any))
        };
        for (way, known) in ways(origin) {
            let Some(span) = span_at(way.from) else { continue };
            let text = match (origin.reg, known) {
                (Some(r), _) => {
                    format!("on this way {} is {}", register(module.arch, r.into()), word(way, r))
                }
                (None, true) => "on this way that is known".to_string(),
                (None, false) => "on this way it is not".to_string(),
            };
            p = p.near(span, text);
        }
        p = p.help(lost(
            origin,
            r,
            &of(signature, module.arch, &origin.state),
            label_at(origin.label).as_deref(),
        ));
    }
    let item = u32::try_from(r.at.wrapping_sub(start)).ok().and_then(|off| code.item_at(off));
    if let Some(test) = item.and_then(|i| tested_before(&module.functions[f].body, i as usize, r.code)) {
        p = p.near(test, "what is tested here is read again").help(
            "others may write this memory, so each read is another number: load it into a register, test the register, and use that",
        );
    }
    for note in goal(&scene).into_iter().chain(advice::variants(&scene)) {
        p = p.note(note);
    }
    for help in advice::helps(&scene) {
        p = p.help(help);
    }
    p
}

/// Ways that are shown of each kind.
const SHOWN: usize = 2;

/// Some ways to a label that has forgotten something, and whether it is known there.
fn ways(origin: &Origin) -> impl Iterator<Item = (&Way, bool)> {
    let with = origin.with.iter().take(SHOWN).map(|w| (w, true));
    with.chain(origin.without.iter().take(SHOWN).map(|w| (w, false)))
}

/// What to do about a label that has forgotten something.
fn lost(origin: &Origin, r: &Reject, names: &Names<'_>, label: Option<&str>) -> String {
    let label = label.unwrap_or("the label");
    if let Some(reg) = origin.reg {
        let reg = register(names.arch, reg.into());
        return format!(
            "at `{label}` {reg} is known only as what it is on all ways: give it the same kind of value on each, or use another register on one of them"
        );
    }
    if !origin.without.is_empty() {
        return format!(
            "`{label}` knows only what holds on all ways to it: test it behind the label, or on the way where it is not known"
        );
    }
    match r.goal.as_ref().and_then(tighten).and_then(|goal| written(&goal, names)) {
        Some(text) => format!("it holds on all ways to `{label}`: write it there, `{label}: {{{text}}}`"),
        None => {
            format!("it holds on all ways to `{label}`, which does not keep it: test it behind the label")
        }
    }
}

/// A fact as one writes it behind a label: registers that tell its variables, under new names, and the fact.
fn written(goal: &Term, names: &Names<'_>) -> Option<String> {
    let mut signature = names.signature.to_vec();
    let first = signature.len();
    signature.resize(names.state.facts.var_count().max(first), String::new());
    let mut letters = ('i'..='z').map(String::from).filter(|l| !names.signature.contains(l));
    let mut parts = Vec::new();
    for &(v, _) in goal.summands().iter().filter(|s| s.0 as usize >= first) {
        let r = names.state.regs.iter().position(|w| matches!(w, Word::Int(t) if t.as_var() == Some(v)))?;
        let letter = letters.next()?;
        parts.push(format!("{}: int({letter})", register(names.arch, r)));
        *signature.get_mut(v as usize)? = letter;
    }
    parts.push(Names { signature: &signature, ..*names }.fact(goal));
    Some(parts.join(", "))
}

/// The step without machine code that was taken before an instruction and failed, about this register if one is known.
fn step_before(body: &[Item], item: usize, reg: Option<u8>) -> Option<Span> {
    let before =
        body.get(..item)?.iter().rev().take_while(|i| !matches!(i, Item::Instr(_) | Item::Sys { .. }));
    let steps =
        before.filter_map(|i| if let Item::Ghost(ghost, span) = i { Some((ghost, *span)) } else { None });
    let about = |ghost: &Ghost| match ghost {
        Ghost::Split(r) | Ghost::Cursor(r) | Ghost::Advance(r) | Ghost::End(r) => reg == Some(r.0),
        Ghost::Join(a, b) => reg == Some(a.0) || reg == Some(b.0),
        Ghost::Lend(r, _) => reg == Some(r.0),
        Ghost::Choose(..) | Ghost::Restore(_) => reg.is_none(),
    };
    let mut steps = steps.peekable();
    let last = steps.peek().map(|s| s.1);
    steps.find(|s| about(s.0)).map(|s| s.1).or(last)
}

/// What is not the same, if it is types, or numbers of which nothing is known: no example tells more of these.
fn types(scene: &Scene<'_>) -> Option<String> {
    let (is, wanted) = scene.reject.equal.as_ref()?;
    let unknown = |t: &Term| t.as_var().is_some_and(|v| scene.state().facts.interval(v) == Interval::ALL);
    let kind = |t: &Term| coded(t).is_some() || unknown(t);
    if !kind(is) || !kind(wanted) {
        return None;
    }
    let name = |t: &Term| match coded(t) {
        Some(id) => scene.view().printer().word(id),
        None => scene.names.term(t),
    };
    Some(format!("needed is `{}` where there is `{}`", name(wanted), name(is)))
}

/// What was needed and what was known; an example that shows the gap.
fn goal(scene: &Scene<'_>) -> Vec<String> {
    let Some(goal) = &scene.reject.goal else { return Vec::new() };
    if let Some(text) = types(scene) {
        return vec![text];
    }
    let goal = tighten(goal).unwrap_or_else(|| goal.clone());
    let (names, facts) = (&scene.names, &scene.state().facts);
    if let Some(c) = goal.as_const() {
        let bytes = ["too small", "past the end", "behind"].iter().any(|w| scene.reject.why.contains(w));
        return vec![match bytes && c < 0 {
            true => format!("it is too short by {} byte{}", -c, if c == -1 { "" } else { "s" }),
            false => format!("needed: {}, which is false whatever the input is", names.fact(&goal)),
        }];
    }
    let mut notes = Vec::new();
    let whole = names.register(&goal);
    notes.push(match &whole {
        Some((_, text)) => format!("needed: {text}"),
        None => format!("needed: {}", names.fact(&goal)),
    });
    let mut known: Vec<String> = match &whole {
        Some((r, _)) => vec![names.range(register(names.arch, *r), scene.interval(*r))],
        None => {
            goal.summands().iter().map(|(v, _)| names.range(&names.var(*v), facts.interval(*v))).collect()
        }
    };
    if whole.is_none() {
        let about =
            facts.list().iter().filter(|t| t.summands().iter().any(|(v, _)| goal.coefficient(*v) != 0));
        known.extend(about.map(|t| names.fact(t)).take(8));
    }
    notes.push(format!("known: {}", known.join(", ")));
    if let Some(example) = counterexample(facts, &goal) {
        let list: Vec<String> = match &whole {
            Some((r, _)) => {
                scene.value(*r, &example).map(|c| format!("{} = {}", register(names.arch, *r), number(c)))
            }
            None => None,
        }
        .map_or_else(
            || example.iter().map(|(v, c)| format!("{} = {}", names.var(*v), number(*c))).collect(),
            |text| vec![text],
        );
        notes.push(format!("for example {} breaks it", list.join(", ")));
    }
    notes
}

/// The states at labels, for the listing.
pub(super) fn states(
    program: &Program<'_>,
    (module, structs): (&Module, &[String]),
    encoded: &Encoded,
    f: usize,
    image: &Image,
    labels: &[(u64, Rc<State>)],
) -> Vec<(LabelId, String)> {
    let mut out = Vec::new();
    for (id, &at) in encoded.functions[f].labels.iter().enumerate() {
        let Ok(i) = labels.binary_search_by_key(&u64::from(at), |l| l.0) else { continue };
        let state = &labels[i].1;
        let names =
            Names { arch: module.arch, signature: &module.functions[f].var_names, state, stored: None };
        let view = View { program, module, structs, image, names: &names };
        let object = |o: u32| view.static_name(STATIC + o).unwrap_or("?").to_string();
        let printer = StatePrinter {
            types: &program.types,
            structs,
            word_bits: program.arch.word_bits(),
            sig_names: names.signature,
            sig_vars: names.signature.len(),
            object: &object,
        };
        out.push((LabelId(id as u32), printer.lines(state).join(", ")));
    }
    out
}
