//! What was decoded is encoded again: by iced-x86 from its own reading, and by talasm from ours.
//!
//! iced remembers the form, so its bytes must be the same, but for the order of prefixes. talasm chooses among forms that
//! say the same: its bytes are the same, or shorter, or of the same length, and mean the same; encoded once more they stay.

use iced_x86::{Decoder, DecoderOptions, Encoder};
use talasm::ir::{
    Function, Instr, Item, MemOp, Module, Operand as Source, Place, Prefix, RegOp, Span, SymId, Symbol,
};
use talcore::arch::Arch;
use talcore::x86::decode::decode;
use talcore::x86::insn::{Arg, Insn, Op, Rep};

use crate::oracle::{IP, Operand, Reading, ours};

/// Instructions that talasm gets at once.
const FULL: usize = 1 << 14;

/// How instructions come back from talasm.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Counts {
    /// As they were.
    pub(crate) same: u64,
    /// In another form that means the same, and is not longer.
    pub(crate) other: u64,
    /// Not at all: talasm has no mnemonic for them, or writes them with a label or a symbol only.
    pub(crate) none: u64,
}

/// Instructions that wait for talasm.
pub(crate) struct Batch {
    arch: Arch,
    encoder: Encoder,
    waiting: Vec<(Vec<u8>, Insn)>,
    counts: Counts,
}

impl Batch {
    pub(crate) fn new(arch: Arch) -> Batch {
        Batch {
            arch,
            encoder: Encoder::new(arch.word_bits()),
            waiting: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// One accepted instruction.
    pub(crate) fn push(&mut self, used: &[u8], insn: &Insn) {
        self.iced(used, insn);
        if source(insn).is_none() {
            self.counts.none += 1;
            return;
        }
        self.waiting.push((used.to_vec(), *insn));
        if self.waiting.len() == FULL {
            self.talasm();
        }
    }

    pub(crate) fn finish(mut self) -> Counts {
        self.talasm();
        self.counts
    }

    fn iced(&mut self, used: &[u8], insn: &Insn) {
        // The longest `nop`: a prefix that is repeated is not remembered.
        if insn.op == Op::Nop && used.len() >= 10 {
            return;
        }
        let decoded = Decoder::with_ip(self.arch.word_bits(), used, IP, DecoderOptions::NONE).decode();
        let done = self.encoder.encode(&decoded, IP);
        let bytes = self.encoder.take_buffer();
        assert!(done.is_ok() && ordered(&bytes) == ordered(used), "iced again: {used:02x?}: {bytes:02x?}");
    }

    fn talasm(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let insns: Vec<Insn> = waiting.iter().map(|w| w.1).collect();
        // Those that came back otherwise.
        let mut others: Vec<(Vec<u8>, Insn)> = Vec::new();
        for ((used, insn), bytes) in waiting.iter().zip(encode(self.arch, &insns)) {
            match bytes {
                None => self.counts.none += 1,
                Some(bytes) if ordered(&bytes) == ordered(used) => self.counts.same += 1,
                Some(bytes) => {
                    self.counts.other += 1;
                    let back = decode(self.arch, &bytes, IP);
                    let back =
                        back.unwrap_or_else(|e| panic!("talasm again: {used:02x?}: {bytes:02x?}: {e:?}"));
                    assert!(
                        bytes.len() <= used.len() && same_meaning(ours(insn), ours(&back)),
                        "talasm again: {used:02x?}: {bytes:02x?}\n{insn:?}\n{back:?}"
                    );
                    others.push((bytes, back));
                }
            }
        }
        let insns: Vec<Insn> = others.iter().map(|w| w.1).collect();
        for ((used, _), bytes) in others.iter().zip(encode(self.arch, &insns)) {
            assert_eq!(bytes.as_ref(), Some(used), "talasm, for the second time");
        }
    }
}

/// The bytes, with the prefixes before them in a fixed order.
fn ordered(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let prefixes = bytes.iter().take_while(|b| matches!(b, 0x66 | 0xF0 | 0xF2 | 0xF3)).count();
    bytes[..prefixes].sort_unstable();
    bytes
}

/// Whether two readings are of instructions that do the same.
fn same_meaning(one: Reading, other: Reading) -> bool {
    let plain = |mut r: Reading| {
        // The order of what is exchanged or compared bit by bit means nothing.
        if matches!(r.op, Op::Xchg | Op::Test) {
            r.operands.sort_by_key(|o| format!("{o:?}"));
        }
        for operand in &mut r.operands {
            // Once a register is a base, and twice a register is its sum with itself.
            *operand = match *operand {
                Operand::Mem(None, Some(one), 1, disp, rip) => Operand::Mem(Some(one), None, 0, disp, rip),
                Operand::Mem(None, Some(two), 2, disp, rip) => {
                    Operand::Mem(Some(two), Some(two), 1, disp, rip)
                }
                other => other,
            };
        }
        // A constant of 32 bits for the lower half clears the upper one.
        if let (Op::Mov, [Operand::General(n, 8), Operand::Imm(x)]) = (r.op, &r.operands[..])
            && u32::try_from(*x).is_ok()
        {
            r.operands = vec![Operand::General(*n, 4), Operand::Imm(*x)];
        }
        r.len = 0;
        r
    };
    plain(one) == plain(other)
}

/// What talasm makes of each.
fn encode(arch: Arch, insns: &[Insn]) -> Vec<Option<Vec<u8>>> {
    let mut all = vec![None; insns.len()];
    let mut body: Vec<(usize, Instr)> =
        insns.iter().enumerate().filter_map(|(i, insn)| Some((i, source(insn)?))).collect();
    // Problems are told by their place.
    for (i, instr) in &mut body {
        let span = Span { start: *i as u32, ..Span::default() };
        instr.span = span;
        for operand in &mut instr.operands {
            match operand {
                Source::Reg(_, s) | Source::Imm(_, s) => *s = span,
                Source::Mem(m) => m.span = span,
                _ => {}
            }
        }
    }
    loop {
        let name =
            Symbol { name: "f".into(), global: false, place: Place::Function(0), span: Span::default() };
        let items = body.iter().map(|(_, instr)| Item::Instr(instr.clone())).collect();
        let function = Function {
            sym: SymId(0),
            sig: 0,
            var_names: Vec::new(),
            labels: Vec::new(),
            body: items,
            span: Span::default(),
        };
        let module = Module { arch, symbols: vec![name], functions: vec![function], ..Module::default() };
        match talasm::encode::encode(&module) {
            Ok(encoded) => {
                let function = &encoded.functions[0];
                let ends = function.insns.iter().skip(1).map(|i| i.offset).chain([function.size]);
                for ((at, end), (i, _)) in function.insns.iter().zip(ends).zip(&body) {
                    all[*i] = Some(encoded.text[at.offset as usize..end as usize].to_vec());
                }
                return all;
            }
            // Those without a mnemonic: the others once more.
            Err(problems) => {
                let bad: Vec<u32> = problems.iter().map(|p| p.span.start).collect();
                let before = body.len();
                body.retain(|(i, _)| !bad.contains(&(*i as u32)));
                assert!(body.len() < before, "{:?}", problems[0].message);
            }
        }
    }
}

/// An instruction as talasm would read it; `None` where it takes a label or a symbol.
fn source(insn: &Insn) -> Option<Instr> {
    const CONDITIONS: [&str; 16] =
        ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"];
    let reading = ours(insn);
    let span = Span::default();
    let mnemonic = match insn.op {
        Op::Syscall => return None,
        Op::Nop if insn.len > 1 => return None,
        Op::Movs | Op::Stos | Op::Lods | Op::Cmps | Op::Scas => {
            format!("{}{}", reading.name, ["b", "w", "d", "q"][insn.width as usize])
        }
        _ => reading.name.replace("cc", CONDITIONS[insn.cond as usize]),
    };
    let mut operands = Vec::new();
    for operand in &reading.operands {
        operands.push(match *operand {
            Operand::General(n, bytes) => Source::Reg(RegOp::Gpr(n, bytes as u8), span),
            Operand::High(n) => Source::Reg(RegOp::High(n), span),
            Operand::Xmm(n) => Source::Reg(RegOp::Xmm(n), span),
            Operand::Imm(_) => Source::Imm(insn.imm.into(), span),
            Operand::Rel(_) | Operand::Mem(.., true) => return None,
            Operand::Mem(base, index, scale, disp, false) => Source::Mem(MemOp {
                size: reading.memory.map(|bytes| bytes as u8),
                base,
                index: index.map(|i| (i, scale)),
                disp,
                sym: None,
                span,
            }),
        });
    }
    debug_assert!(!insn.args.contains(&Arg::Rel));
    let prefix = match (insn.lock, insn.rep) {
        (true, _) => Some(Prefix::Lock),
        (_, Rep::Rep) => Some(Prefix::Rep),
        (_, Rep::Repne) => Some(Prefix::Repne),
        _ => None,
    };
    Some(Instr { prefix, mnemonic, operands, span })
}
