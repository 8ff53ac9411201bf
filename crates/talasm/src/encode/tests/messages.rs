//! What the encoder says about mistakes.

use super::build::*;
use crate::encode::encode;
use crate::ir::*;
use crate::problem::Problem;

fn mistake(item: Item) -> Problem {
    encode(&module(vec![vec![item]])).expect_err("a mistake").remove(0)
}

#[test]
fn unknown_and_forbidden_instructions() {
    let p = mistake(instr("mvo", vec![r64(0), imm(1)]));
    assert_eq!((p.code, p.message.as_str()), (1301, "there is no instruction `mvo`"));
    assert_eq!(p.helps, ["did you mean `mov`?"]);
    let p = mistake(instr("fsin", vec![]));
    assert_eq!(p.message, "`fsin` is not on the list of allowed instructions");
    let p = mistake(instr("syscall", vec![]));
    assert!(p.helps[0].contains("sys NAME"));
}

#[test]
fn unknown_sizes_are_asked_for() {
    let p = mistake(instr("mov", vec![mem(None, Some(0), None, 0), imm(1)]));
    assert_eq!((p.code, p.message.as_str()), (1303, "the size of this operand of `mov` is not known"));
    assert_eq!(
        p.helps,
        ["write the size before the bracket: one of `byte`, `word`, `dword`, `qword`, as in `byte [...]`"]
    );
    let p = mistake(instr("movzx", vec![reg(0, 4), mem(None, Some(0), None, 0)]));
    assert_eq!(p.code, 1303);
    // A register tells the size, a count does not.
    assert!(encode(&module(vec![vec![instr("mov", vec![mem(None, Some(0), None, 0), reg(1, 2)])]])).is_ok());
    assert_eq!(mistake(instr("shl", vec![mem(None, Some(0), None, 0), reg(1, 1)])).code, 1303);
}

#[test]
fn wrong_operands_name_the_right_ones() {
    let p = mistake(instr("mov", vec![r64(0), reg(1, 4)]));
    assert_eq!((p.code, p.message.as_str()), (1302, "`mov` does not take these operands"));
    assert!(p.helps[0].contains("mov r/m64, r64"), "{}", p.helps[0]);
    let p = mistake(instr("inc", vec![]));
    assert_eq!(p.message, "`inc` takes 1 operand, not 0");
    let p = mistake(instr("cdq", vec![r64(0)]));
    assert_eq!(p.message, "`cdq` takes no operands");
    let p = mistake(instr("add", vec![mem(Some(8), Some(0), None, 0), mem(Some(8), Some(1), None, 0)]));
    assert_eq!(p.notes, ["at most one operand may be memory"]);
    let p = mistake(instr("bts", vec![mem(Some(8), Some(0), None, 0), r64(1)]));
    assert_eq!(p.code, 1302);
}

#[test]
fn constants_that_do_not_fit() {
    let p = mistake(instr("add", vec![r64(3), imm(1 << 40)]));
    assert_eq!(
        (p.code, p.message.as_str()),
        (1304, "1099511627776 does not fit the sign-extended 32-bit constant of `add`")
    );
    assert!(p.helps[0].contains("register first"));
    let p = mistake(instr("mov", vec![reg(0, 1), imm(300)]));
    assert_eq!(p.message, "300 does not fit the 8-bit constant of `mov`");
    let p = mistake(instr("mov", vec![reg(0, 8), imm(1 << 64)]));
    assert_eq!(p.message, "18446744073709551616 does not fit the 64-bit constant of `mov`");
}

#[test]
fn addresses_that_do_not_exist() {
    let lea = |m| mistake(instr("lea", vec![r64(0), m]));
    assert_eq!(lea(mem(None, Some(4), Some((4, 1)), 0)).message, "the stack pointer cannot be an index");
    assert_eq!(lea(mem(None, Some(0), Some((1, 3)), 0)).message, "an index cannot be multiplied by 3");
    assert_eq!(
        lea(mem(None, Some(0), None, 1 << 31)).message,
        "the displacement 2147483648 does not fit in 32 bits"
    );
}

#[test]
fn prefixes_where_they_mean_something() {
    assert_eq!(mistake(instr("lock add", vec![r64(0), r64(1)])).code, 1307);
    assert_eq!(mistake(instr("rep add", vec![r64(0), r64(1)])).code, 1307);
    assert_eq!(mistake(instr("repne movsb", vec![])).code, 1307);
    assert_eq!(mistake(instr("rep lodsb", vec![])).code, 1307);
}

#[test]
fn high_bytes_and_rex() {
    let high = Operand::Reg(RegOp::High(0), S);
    assert_eq!(mistake(instr("mov", vec![high, reg(8, 1)])).code, 1306);
}

#[test]
fn several_mistakes_in_one_run() {
    let body = vec![instr("mvo", vec![]), instr("ret", vec![]), instr("inc", vec![imm(1)])];
    assert_eq!(encode(&module(vec![body])).unwrap_err().len(), 2);
}
