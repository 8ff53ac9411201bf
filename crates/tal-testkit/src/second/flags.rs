//! docs/types.md, "Facts and certificates" and "Strings, arrays with an end, and 0": what a condition teaches.

use super::lin::Lin;
use super::state::{Flags, Word};
use super::types::Ty;
use super::{Judge, Stop, todo};
use talcore::x86::insn::Cond;

impl Judge<'_> {
    /// Learns that a condition holds.
    pub(super) fn learn(&mut self, cond: Cond) -> Result<(), Stop> {
        match self.s.flags.clone() {
            Flags::Unknown => {}
            // The sign is that of the difference, which may have wrapped around.
            Flags::Compared(a, b, bits) if matches!(cond, Cond::S | Cond::Ns) => {
                let cond = if cond == Cond::S { Cond::L } else { Cond::Ge };
                self.compared(cond, &a.minus(&b), &Lin::default(), bits);
            }
            Flags::Compared(a, b, bits) => self.compared(cond, &a, &b, bits),
            Flags::Result(t, bits) => match cond {
                Cond::E | Cond::Ne => self.compared(cond, &t, &Lin::default(), bits),
                Cond::S => self.compared(Cond::L, &t, &Lin::default(), bits),
                Cond::Ns => self.compared(Cond::Ge, &t, &Lin::default(), bits),
                _ => {}
            },
            Flags::Logic(t, bits) => match cond {
                Cond::E | Cond::Ne | Cond::Be | Cond::A | Cond::L | Cond::Ge | Cond::Le | Cond::G => {
                    self.compared(cond, &t, &Lin::default(), bits);
                }
                Cond::S => self.compared(Cond::L, &t, &Lin::default(), bits),
                Cond::Ns => self.compared(Cond::Ge, &t, &Lin::default(), bits),
                _ => {}
            },
        }
        self.refine()
    }

    fn compared(&mut self, cond: Cond, a: &Lin, b: &Lin, bits: u32) {
        let bytes = i128::from(bits / 8);
        for sign in [false, true] {
            let fits = match cond {
                Cond::B | Cond::Ae | Cond::Be | Cond::A => !sign,
                Cond::L | Cond::Ge | Cond::Le | Cond::G | Cond::S | Cond::Ns => sign,
                Cond::E | Cond::Ne => true,
                _ => false,
            };
            if !fits {
                continue;
            }
            let equal = matches!(cond, Cond::E | Cond::Ne);
            let (Some(a), Some(b)) =
                (self.one_period(a, bytes, sign, equal), self.one_period(b, bytes, sign, equal))
            else {
                continue;
            };
            let (less, more) = (b.minus(&a), a.minus(&b));
            let known = &mut self.s.known;
            match cond {
                Cond::B | Cond::L => known.assume(&less.add(-1)),
                Cond::Be | Cond::Le => known.assume(&less),
                Cond::Ae | Cond::Ge => known.assume(&more),
                Cond::A | Cond::G => known.assume(&more.add(-1)),
                Cond::E => {
                    known.assume_equal(&a, &b);
                    return;
                }
                Cond::Ne => {
                    if known.proves(&more) {
                        known.assume(&more.add(-1));
                    } else if known.proves(&less) {
                        known.assume(&less.add(-1));
                    } else {
                        continue;
                    }
                    return;
                }
                _ => {}
            }
        }
        self.sign_bit(cond, a, b, bits);
        // Without knowing the numbers: a difference that is less than a period away from 0.
        let d = a.minus(b).modulo(bits);
        if cond == Cond::E && !d.m.is_empty() {
            let period = 1i128 << bits;
            if self.s.known.within(&d, 1 - period, period - 1) {
                self.s.known.assume_equal(&d, &Lin::default());
            }
        }
    }

    /// A number of a width; where it may lie one period beside the range, which one it is is a new variable.
    fn one_period(&mut self, t: &Lin, bytes: i128, sign: bool, equal: bool) -> Option<Lin> {
        if let Some(t) = self.low(t, bytes, sign) {
            return Some(t);
        }
        if equal {
            return None;
        }
        let (lo, hi) = super::memory::bounds(bytes, sign);
        let period = hi - lo + 1;
        let low = t.modulo(8 * bytes as u32);
        let interval = self.s.known.interval(&low);
        let (a, b) = (interval.lo?, interval.hi?);
        let (first, last) = ((a - lo).div_euclid(period), (b - lo).div_euclid(period));
        if last - first > 1 {
            return None;
        }
        let q = Lin::var(self.s.known.fresh(super::know::Range::new(-last, -first)));
        let r = low.plus_times(&q, period);
        self.s.known.assume(&r.add(-lo));
        self.s.known.assume(&r.times(-1).add(hi));
        Some(r)
    }

    /// What a comparison with a sign teaches of a number without one: it is below a constant that is at least 0, or its
    /// highest bit is set.
    fn sign_bit(&mut self, cond: Cond, a: &Lin, b: &Lin, bits: u32) {
        let bytes = i128::from(bits / 8);
        let Some(c) = self.low(b, bytes, true).and_then(|b| b.constant()) else { return };
        if self.low(a, bytes, true).is_some() {
            return;
        }
        let Some(u) = self.low(a, bytes, false) else { return };
        let half = 1i128 << (bits - 1);
        let known = &mut self.s.known;
        match cond {
            Cond::Ge | Cond::G if c >= -1 => {
                let least = if cond == Cond::G { c + 1 } else { c };
                if least >= 0 {
                    known.assume(&u.add(-least));
                    known.assume(&u.times(-1).add(half - 1));
                }
            }
            Cond::L if c <= 0 => {
                known.assume(&u.add(-half));
                known.assume(&u.times(-1).add(2 * half + c - 1));
            }
            Cond::Le if c < 0 => {
                known.assume(&u.add(-half));
                known.assume(&u.times(-1).add(2 * half + c));
            }
            _ => {}
        }
    }

    /// Untested words whose values are told by now become pointers or numbers, all copies at once.
    pub(super) fn refine(&mut self) -> Result<(), Stop> {
        loop {
            let untested = |w: &Word| match w {
                Word::Opt(v, ty) => Some((*v, ty.clone())),
                _ => None,
            };
            let all: Vec<_> = self.s.words().filter_map(|w| untested(w)).collect();
            let mut done = true;
            for (v, ty) in all {
                let r = self.s.known.range(v);
                let (Some(lo), Some(hi)) = (r.lo, r.hi) else { continue };
                let (number, pointer) = match self.w.ty(&ty)? {
                    Ty::Opt(_) => (lo == 0 && hi == 0, lo > 0),
                    Ty::Res(_) => {
                        let first = self.w.period() - 4095;
                        (lo >= first, hi < first)
                    }
                    _ => return todo("an untested word of another type"),
                };
                if lo > hi || (!number && !pointer) {
                    continue;
                }
                let new = if number {
                    Word::Int(Lin::var(v))
                } else {
                    let inner = self.w.tested(&ty)?;
                    let new = self.w.word_of(&mut self.s, &inner, None)?;
                    if let Word::Ptr(l, _) = &new {
                        let size = self.w.size(&self.s.locs[*l].lay).ok();
                        self.s.locs[*l].addr = Some(v);
                        if let Some(size) = size {
                            let last = self.w.last();
                            self.s.known.assume(&Lin::of(last).minus(&Lin::var(v)).minus(&size));
                        }
                    }
                    new
                };
                for word in self.s.words() {
                    if matches!(word, Word::Opt(w, _) if *w == v) {
                        *word = new.clone();
                    }
                }
                done = false;
                break;
            }
            if done {
                return Ok(());
            }
        }
    }
}
