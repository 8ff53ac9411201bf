//! Conditional assembly and words for both architectures.

use crate::common::{Setup, ok_with};
use talasm::ir::{Instr, Item, Operand, RegOp};
use talcore::arch::Arch;

/// The instructions of the last function, assembled for one architecture.
fn last(text: &str, arch: Arch) -> Vec<Instr> {
    let front = ok_with(text, &Setup { arch, ..Setup::default() });
    let instr = |i: &Item| match i {
        Item::Instr(i) => Some(i.clone()),
        _ => None,
    };
    front.module.functions.last().unwrap().body.iter().filter_map(instr).collect()
}

#[test]
fn registers_have_the_width_of_a_word() {
    let names = ["xax", "xcx", "xdx", "xbx", "xsp", "xbp", "xsi", "XDI"];
    for (n, name) in names.iter().enumerate() {
        let text = format!("fn f()\n  mov [{name} + wordsize], {name}\n  inc xword [{name}]\n  ret\n");
        for (arch, width) in [(Arch::Amd64, 8), (Arch::Ia32, 4)] {
            let body = last(&text, arch);
            assert!(
                matches!(body[0].operands[1], Operand::Reg(RegOp::Gpr(r, w), _) if (r, w) == (n as u8, width))
            );
            assert!(matches!(&body[0].operands[0], Operand::Mem(m) if m.disp == i64::from(width)));
            assert!(matches!(&body[1].operands[0], Operand::Mem(m) if m.size == Some(width)));
        }
    }
}

#[test]
fn lines_are_chosen() {
    let text = "
        if amd64
        fn never()   ; on ia32
          ret
        else
          \" not even words of the language ` \u{e9}
        endif
        fn f()
          \t if ia32 ; a comment
          inc ecx
          if amd64
          inc r8
          else
          inc edx
          endif
          else
          if ia32
          else
          inc r9
          endif
          inc rcx
          endif
        .end: ret";
    for (arch, want, functions) in [
        (Arch::Amd64, vec![RegOp::Gpr(9, 8), RegOp::Gpr(1, 8)], 2),
        (Arch::Ia32, vec![RegOp::Gpr(1, 4), RegOp::Gpr(2, 4)], 1),
    ] {
        // The line that nobody could read is for the other one.
        let text = if arch == Arch::Ia32 { text.replace("\" not", "; not") } else { text.to_string() };
        let body = last(&text, arch);
        let regs: Vec<RegOp> = body
            .iter()
            .filter_map(|i| match i.operands.first() {
                Some(Operand::Reg(r, _)) => Some(*r),
                _ => None,
            })
            .collect();
        assert_eq!(regs, want);
        let front = ok_with(&text, &Setup { arch, ..Setup::default() });
        assert_eq!(front.module.functions.len(), functions);
    }
}

#[test]
fn places_stay_where_they_are() {
    let text = "if ia32\nconst A = 1\nendif\nfn f()\n  ret\n";
    let front = ok_with(text, &Setup::default());
    let span = front.module.functions[0].span;
    assert_eq!(&text[span.start as usize..span.end as usize], "f");
    assert_eq!(front.module.files[0].1, text, "listings and debuggers see the whole source");
}

#[test]
fn fields_may_have_the_names_of_conditions() {
    let text = "struct s {\n  if: u8,\n  else: u8,\n  endif: u8,\n  xword: u8,\n  wordsize: u8\n}\n\
        fn f(rdi: &s)\n  mov al, [rdi + s.xword]\n  ret\n";
    let body = last(text, Arch::Amd64);
    assert!(matches!(&body[0].operands[1], Operand::Mem(m) if m.disp == 3));
}
