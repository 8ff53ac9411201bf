//! The link map, word for word.

mod common;
use common::*;
use tallink::Options;

#[test]
fn map() {
    let lib = archive(&[("exit.o", exit_with().bytes())], &[("exit_with", 0)]);
    let inputs = [hello("hello\n", 7).input("hello.o"), input("lib.a", lib)];
    let map = link_with(&inputs, &Options { map: true, ..Options::default() }).map.unwrap();
    let expected = "\
Inputs

  hello.o
  lib.a(exit.o)  because hello.o uses `exit_with`
  <gate>

Segments

  address    in file at size there in memory  access
  0x00400000 0x00000000 0x000001a8 0x000001a8 read
  0x00401000 0x00001000 0x00000060 0x00000060 read, execute

Sections

  address    size       input, symbol

  0x00400158 0x00000040 .note.tal
  0x00400158 0x00000040   <gate>:(.note.tal)

  0x00400198 0x00000010 .rodata
  0x00400198 0x00000006   hello.o:(.rodata)
  0x00400198 0x00000006     message
  0x004001a0 0x00000008   <gate>:(.rodata.tal_gate)
  0x004001a0 0x00000008     __tal_gate

  0x00401000 0x00000060 .text
  0x00401000 0x00000024   hello.o:(.text)
  0x00401000 0x00000024     _start
  0x00401028 0x0000000d   lib.a(exit.o):(.text)
  0x00401028 0x0000000d     exit_with
  0x00401040 0x00000020   <gate>:(.text.tal_stub)
  0x00401040 0x00000003     __tal_stub
  0x00401050 0x00000007     __tal_restorer
";
    assert_eq!(map, expected);
}
