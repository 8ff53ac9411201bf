//! docs/types.md, "Modes" and "Functions"; docs/owned-memory.md, "Existentials", "Untested words", "For ever": whether a word
//! has a wanted type. What owns memory is given away by that.

use super::fit::{Binding, PATTERN};
use super::lin::Lin;
use super::state::{Loc, Word};
use super::types::{Env, Lay, LayNode, Node, Ty, TyNode};
use super::{Judge, Stop, todo};
use talcore::types::{Mode, WordTy};

impl Judge<'_> {
    /// Hidden variables of a wanted type, which are to be found.
    pub(super) fn patterns(
        &mut self,
        env: &Env,
        first: u32,
        vars: &[talcore::facts::Interval],
        b: &mut Binding,
    ) -> Env {
        let mut env = (**env).clone();
        for (i, range) in (first..).zip(vars) {
            b.ranges.insert(self.pattern, super::know::Range::read(range));
            env.insert(i, Lin::var(self.pattern));
            self.pattern += 1;
        }
        env.into()
    }

    /// Whether what was found for hidden variables is in their ranges, and their facts are true.
    pub(super) fn proved(&mut self, b: &Binding, env: &Env, facts: &[talcore::term::Term]) -> bool {
        let ranges = b.ranges.iter().all(|(v, r)| {
            let Some(t) = b.found.get(v) else { return false };
            r.lo.is_none_or(|lo| self.s.known.proves(&t.add(-lo)))
                && r.hi.is_none_or(|hi| self.s.known.proves(&t.times(-1).add(hi)))
        });
        ranges && facts.iter().all(|f| self.s.known.proves(&b.apply(&self.w.term(f, env))))
    }

    /// Whether a word has a type.
    pub(super) fn fits(&mut self, word: &Word, ty: &TyNode, b: &mut Binding) -> Result<bool, Stop> {
        Ok(match self.w.ty(ty)? {
            Ty::Int(p) => {
                let t = self.number(word)?;
                self.w.unify(&self.s.known, b, &p, &t, true)
            }
            Ty::Range(r) => {
                let (Some(lo), Some(hi)) = (r.lo, r.hi) else { return todo("a range without an end") };
                if hi - lo >= self.w.period() - 1 {
                    return Ok(true);
                }
                let t = self.number(word)?;
                self.is_in(&t, self.w.word, lo, hi)
            }
            Ty::Ptr(mode, lay) => self.points(word, mode, &lay, b)?,
            Ty::Opt(inner) => match word {
                Word::Opt(v, have) => {
                    if self.value_is(*v, 0, 0) {
                        return Ok(true);
                    }
                    self.untested(*v, have, ty, b)?
                }
                Word::Int(t) if self.w.congruent(&self.s.known, t, &Lin::default()) => true,
                _ => self.fits(word, &inner, b)?,
            },
            Ty::Res(inner) => match word {
                Word::Opt(v, have) => self.untested(*v, have, ty, b)?,
                Word::Int(t) if self.is_in(t, self.w.word, -4095, -1) => true,
                _ => self.fits(word, &inner, b)?,
            },
            Ty::Exists(at) => match self.w.program.types.word(at.id) {
                WordTy::Exists(e) => {
                    if let Word::Opt(..) = word {
                        return Ok(false);
                    }
                    let mut inner = Binding { found: b.found.clone(), ..Binding::default() };
                    let env = self.patterns(&at.env, e.first, &e.vars, &mut inner);
                    if !self.fits(word, &Node { id: e.body, env: env.clone() }, &mut inner)? {
                        return Ok(false);
                    }
                    self.w.settle(&self.s.known, &mut inner)? && self.proved(&inner, &env, &e.facts)
                }
                _ => return todo("no existential"),
            },
            Ty::Fn(sig) => match word {
                Word::Fn(have) => {
                    if !self.w.same_sig(*have, sig)? {
                        return todo("a function that may be more general than the type");
                    }
                    true
                }
                _ => false,
            },
            Ty::Var(v) => *word == Word::Var(v),
            Ty::Of(..) => return todo("a type that is a variable"),
            Ty::FnAt(..) => return todo("a function type of the surroundings"),
            Ty::During(..) => return todo("a stretch"),
            Ty::When(..) => return todo("a word that is there sometimes"),
        })
    }

    /// Whether the value of an untested word lies in a range.
    pub(super) fn value_is(&self, v: u32, lo: i128, hi: i128) -> bool {
        self.s.known.within(&Lin::var(v), lo, hi)
    }

    /// Whether an untested word is one of a wanted type.
    fn untested(&mut self, v: u32, have: &TyNode, want: &TyNode, b: &mut Binding) -> Result<bool, Stop> {
        let (a, p) = (self.w.tested(have)?, self.w.tested(want)?);
        let kinds = matches!(
            (self.w.ty(have)?, self.w.ty(want)?),
            (Ty::Opt(_), Ty::Opt(_)) | (Ty::Res(_), Ty::Res(_))
        );
        if !kinds {
            return Ok(false);
        }
        let owns = self.w.owns_word(have);
        let same = match (self.w.ty(&a)?, self.w.ty(&p)?) {
            (Ty::Ptr(m, have), Ty::Ptr(n, want)) if m != n => {
                if m == Mode::Own {
                    return todo("an untested owner that is lent");
                }
                m.gives(n) && {
                    let have = self.w.lay(&have);
                    self.w.reaches(&self.s.known, b, &have, &Lin::default(), &self.w.lay(&want))?
                }
            }
            (Ty::Ptr(m, have), Ty::Ptr(n, want)) => {
                let (have, want) = (self.w.lay(&have), self.w.lay(&want));
                m == n
                    && if m.borrow() || matches!(m, Mode::Shared | Mode::Imm) {
                        self.w.reaches(&self.s.known, b, &have, &Lin::default(), &want)?
                    } else {
                        self.w.same_lay(&self.s.known, b, &have, &want)?
                    }
            }
            _ => self.w.same_ty(&self.s.known, b, &a, &p)?,
        };
        if !same && owns {
            return todo("an untested owner of another layout");
        }
        if same && owns {
            for word in self.s.words() {
                if matches!(word, Word::Opt(w, _) if *w == v) {
                    *word = Word::Int(Lin::var(v));
                }
            }
        }
        Ok(same)
    }

    /// Whether a word is a pointer of a mode to a layout.
    fn points(&mut self, word: &Word, mode: Mode, lay: &LayNode, b: &mut Binding) -> Result<bool, Stop> {
        let want = self.w.lay(lay);
        match word {
            Word::Ptr(l, off) => {
                let loc = self.s.locs[*l].clone();
                if !loc.live {
                    return Ok(false);
                }
                match (loc.mode, mode) {
                    (Mode::Own, Mode::Own) => Ok(off.constant() == Some(0) && self.pack(*l, &want, b, true)?),
                    (Mode::Own, Mode::Shared)
                        if matches!((&loc.lay, &want), (Lay::Foreign(_), Lay::Bytes(_))) =>
                    {
                        todo("a mapped file that is shared for ever")
                    }
                    (Mode::Own, Mode::Shared | Mode::Imm) => {
                        if off.constant() != Some(0) || !self.pack(*l, &want, b, false)? {
                            return Ok(false);
                        }
                        let want = self.w.settle(&self.s.known, b)?.then(|| self.applied(&want, b)).flatten();
                        let Some(want) = want else { return todo("memory that is shared for ever") };
                        let addr = self.s.locs[*l].addr;
                        self.s.locs.push(Loc { mode, lay: want, addr, held: Vec::new(), live: true });
                        let new = self.s.locs.len() - 1;
                        self.s.locs[*l].live = false;
                        self.for_ever.push(new);
                        for word in self.s.words() {
                            if let Word::Ptr(old, _) = word
                                && *old == *l
                            {
                                *old = new;
                            }
                        }
                        Ok(true)
                    }
                    (_, Mode::Own | Mode::Uniq) => Ok(false),
                    (Mode::Own | Mode::Uniq, _) => todo("exclusive memory as another mode"),
                    (have, want_mode) if !have.gives(want_mode) => Ok(false),
                    _ => self.w.reaches(&self.s.known, b, &loc.lay, off, &want),
                }
            }
            Word::Static(i, off) => {
                if self.owned_static(*i).is_some() {
                    return todo("the address of an owned static");
                }
                let (have, lay) = self.object(*i)?;
                Ok(have.gives(mode) && self.w.reaches(&self.s.known, b, &lay, off, &want)?)
            }
            Word::Opt(..) | Word::Frame(_) => Ok(false),
            _ => Ok(false),
        }
    }

    /// A wanted layout with what its variables stand for.
    fn applied(&self, want: &Lay, b: &Binding) -> Option<Lay> {
        let node = |n: &LayNode| Node {
            id: n.id,
            env: n
                .env
                .iter()
                .map(|(v, t)| (*v, b.apply(t)))
                .collect::<std::collections::BTreeMap<_, _>>()
                .into(),
        };
        let word = |n: &TyNode| Node {
            id: n.id,
            env: n
                .env
                .iter()
                .map(|(v, t)| (*v, b.apply(t)))
                .collect::<std::collections::BTreeMap<_, _>>()
                .into(),
        };
        Some(match want {
            Lay::Bytes(n) => Lay::Bytes(b.apply(n)),
            Lay::Cstr(Some(n)) => Lay::Cstr(Some(b.apply(n))),
            Lay::Cell(w) => Lay::Cell(word(w)),
            Lay::Num(..) => want.clone(),
            Lay::Exact(w, s, t) => Lay::Exact(*w, *s, b.apply(t)),
            Lay::Array(n, e) => Lay::Array(b.apply(n), node(e)),
            Lay::Struct(s, args) => Lay::Struct(*s, args.iter().map(|t| b.apply(t)).collect()),
            Lay::Seq(parts) => Lay::Seq(parts.iter().map(node).collect()),
            _ => return None,
        })
    }

    /// A layout as it is once all pattern variables are found.
    pub(super) fn filled(&self, want: &Lay, b: &Binding) -> Result<Lay, Stop> {
        self.applied(want, b).map_or_else(|| todo("a layout that cannot be filled in"), Ok)
    }

    /// Memory is given away: its location ends, and all words that point there are numbers.
    pub(super) fn end(&mut self, l: usize) -> Result<(), Stop> {
        let address = self.address(l)?;
        self.s.locs[l].live = false;
        self.s.locs[l].held.clear();
        for word in self.s.words() {
            if let Word::Ptr(at, off) = word
                && *at == l
            {
                *word = Word::Int(address.plus(off));
            }
        }
        Ok(())
    }

    /// Whether a pattern variable is left in a term.
    pub(super) fn open(t: &Lin) -> bool {
        t.m.keys().any(|v| *v >= PATTERN)
    }
}
