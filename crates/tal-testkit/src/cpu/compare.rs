//! Whether what a state says is true of registers and memory, and how it is shown.

use super::tracee::{CODE, DATA, STACK};
use super::{OFFSET, Round};
use talcore::arch::Arch;
use talcore::state::Word;
use talcore::term::Term;

impl Round<'_> {
    /// The instructions so far, the registers before and behind the last one, and what is known of variables.
    pub(super) fn told(&self) -> String {
        let mut lines = Vec::new();
        for bytes in &self.history {
            let mut decoder = iced_x86::Decoder::with_ip(self.arch.word_bits(), bytes, CODE + OFFSET, 0);
            let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
            lines.push(format!("    {}  {}", hex.join(" "), decoder.decode()));
        }
        for (when, words, registers) in
            [("before", &self.before.0, &self.before.1), ("behind", &self.engine.state.regs, &self.registers)]
        {
            let n = if self.arch == Arch::Amd64 { 16 } else { 8 };
            let words = words.iter().zip(registers.general).take(n).enumerate();
            let words = words.map(|(r, (w, is))| format!("r{r} = {is:#x}: {}", word_text(w)));
            lines.push(format!("{when} the last one: {}", words.collect::<Vec<_>>().join(", ")));
        }
        lines.push(self.facts_text());
        lines.join("\n")
    }

    /// What is known of variables, for messages.
    fn facts_text(&self) -> String {
        let facts = &self.engine.state.facts;
        let vars = facts.intervals().iter().enumerate().map(|(v, i)| {
            let is = self.truth.value(&Term::var(v as u32)).map_or(String::new(), |x| format!(" = {x}"));
            format!("x{v}{is} in {}..{}", i.lo, i.hi)
        });
        vars.chain(facts.list().iter().map(|f| format!("{} >= 0", term_text(f))))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Whether what the state says is true of the registers and the memory.
    pub(super) fn compare(&mut self) -> Result<(), String> {
        let state = &self.engine.state;
        let n = if self.arch == Arch::Amd64 { 16 } else { 8 };
        if self.registers.general[4] != self.top.wrapping_add_signed(state.depth) {
            return Err(format!("rsp is {:#x} at depth {}", self.registers.general[4], state.depth));
        }
        self.truth.resize(state.facts.var_count());
        for loc in &state.locs {
            if let Some(v) = loc.addr {
                self.truth.set(v, self.base.into());
            }
        }
        for &(object, v) in &state.static_addrs {
            // The value of rsp at the entry; there are no static objects.
            if object == u32::MAX {
                self.truth.set(v, self.top.into());
            }
        }
        let bits = self.arch.word_bits();
        let mut words: Vec<(String, &Word, u64, u32)> = Vec::new();
        for r in (0..n).filter(|r| *r != 4) {
            words.push((format!("r{r}"), &state.regs[r], self.registers.general[r], bits));
        }
        let read = |memory: &[u8], at: u64, size: u32| {
            let mut word = [0; 8];
            word[..size as usize].copy_from_slice(&memory[at as usize..][..size as usize]);
            u64::from_le_bytes(word)
        };
        for slot in &state.frame {
            if let Some(word) = &slot.word {
                let is = read(&self.stack, self.top.wrapping_add_signed(slot.off) - STACK, slot.size as u32);
                words.push((
                    format!("the word at {} in the frame", slot.off),
                    word,
                    is,
                    slot.size as u32 * 8,
                ));
            }
        }
        for cell in state.locs.iter().flat_map(|l| &l.cells) {
            if !matches!(cell.word, Word::Any)
                && let Some(off) = self.truth.value(&cell.off)
            {
                let is = read(&self.data, self.base + off as u64 - DATA, cell.width.bytes());
                words.push((format!("the word at {off} in the object"), &cell.word, is, cell.width.bits()));
            }
        }
        loop {
            let before = words.len();
            let mut open = Vec::new();
            for (place, word, is, bits) in words {
                let (t, at) = match word {
                    Word::Int(t) => (t, 0),
                    Word::Ptr(_, t) => (t, self.base),
                    Word::Sp(t) => (t, self.top),
                    Word::Fn(sig) if *sig == self.callee.sig => (&Term::zero(), self.callee.at),
                    Word::Any => continue,
                    other => return Err(format!("{place}: {other:?} comes from nowhere")),
                };
                let found = self.truth.congruent(t, is.wrapping_sub(at), bits, &state.facts);
                if !found.map_err(|e| format!("{place} {e}"))? {
                    open.push((place, word, is, bits));
                }
            }
            words = open;
            if words.len() == before || words.is_empty() {
                break;
            }
        }
        self.truth.check(&state.facts)
    }
}

fn term_text(t: &Term) -> String {
    let summands = t.summands();
    let sum = summands.iter().map(|(v, c)| format!("{c}*x{v} + ")).collect::<String>();
    format!("{sum}{}", t.konst())
}

fn word_text(word: &Word) -> String {
    match word {
        Word::Any => String::from("any"),
        Word::Int(t) => term_text(t),
        Word::Ptr(_, t) => format!("ptr({})", term_text(t)),
        Word::Sp(t) => format!("sp({})", term_text(t)),
        other => format!("{other:?}"),
    }
}
