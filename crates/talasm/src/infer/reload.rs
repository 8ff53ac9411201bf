//! Memory that was tested and is read again: others may have written it in between, so it is another number.

use crate::ir::{Instr, Item, MemOp, Operand, RegOp, Span};
use talcore::verdict::Code;

/// How far back a test is looked for, in items of the body.
const FAR: usize = 64;

/// Whether two operands are the same words of source, but for their widths.
fn same(a: &MemOp, b: &MemOp) -> bool {
    (a.base, a.index, a.disp, a.sym) == (b.base, b.index, b.disp, b.sym)
}

fn memory(i: &Instr) -> Option<&MemOp> {
    i.operands.iter().find_map(|o| if let Operand::Mem(m) = o { Some(m) } else { None })
}

fn writes(i: &Instr, r: u8) -> bool {
    matches!(i.operands.first(), Some(Operand::Reg(RegOp::Gpr(to, _), _)) if *to == r) && !tests(i)
}

fn tests(i: &Instr) -> bool {
    matches!(i.mnemonic.as_str(), "cmp" | "test")
}

/// Where memory was tested that the instruction `item` of a body reads again, or from which one of its registers was loaded
/// after the test.
pub(super) fn tested_before(body: &[Item], item: usize, code: Code) -> Option<Span> {
    let Some(Item::Instr(failed)) = body.get(item) else { return None };
    let place = memory(failed)?;
    // The instructions before one, from the last to the first.
    let before = |n: usize| {
        body[..n].iter().enumerate().rev().take(FAR).filter_map(|(n, item)| match item {
            Item::Instr(i) => Some((n, i)),
            _ => None,
        })
    };
    let (at, read) = match code {
        Code::StoreType => (item, place),
        Code::Bounds => {
            let r = place.index.map(|i| i.0).or(place.base)?;
            let (n, load) = before(item).find(|(_, i)| writes(i, r))?;
            (n, memory(load)?)
        }
        _ => return None,
    };
    let test = |i: &&Instr| tests(i) && memory(i).is_some_and(|m| same(m, read));
    before(at).map(|(_, i)| i).find(test).map(|i| i.span)
}
