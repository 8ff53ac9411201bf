//! Members of archives take part when they are needed, and only then.

mod common;
use common::*;
use object::read::elf::ElfFile64;
use object::{LittleEndian, Object as _};
use tallink::{Input, Options};

/// A function that jumps to another one.
fn jump(name: &str, to: &str) -> Vec<u8> {
    let mut o = Obj::new();
    let text = o.text(&[0xe9, 0, 0, 0, 0]);
    o.function(name, text, 0, 5);
    let to = o.undefined(to);
    o.reloc(text, 1, object::elf::R_X86_64_PLT32, to, -4);
    o.bytes()
}

fn start(to: &str) -> Input {
    input("start.o", jump("_start", to))
}

fn has(image: &[u8], name: &str) -> bool {
    ElfFile64::<LittleEndian>::parse(image).unwrap().symbol_by_name(name).is_some()
}

#[test]
fn members_are_taken_on_demand() {
    let members =
        [("b.o", jump("b", "c")), ("other.o", jump("other", "nowhere")), ("c.o", exit_named("c").bytes())];
    let index = [("b", 0), ("other", 1), ("c", 2)];
    for symbols in [&index[..], &[]] {
        let inputs = [start("b"), input("lib.a", archive(&members, symbols))];
        let out = link_with(&inputs, &Options { map: true, ..Options::default() });
        assert!(has(&out.image, "b") && has(&out.image, "c") && !has(&out.image, "other"));
        let map = out.map.unwrap();
        assert!(map.contains("lib.a(b.o)  because start.o uses `b`"), "{map}");
        assert!(map.contains("lib.a(c.o)  because lib.a(b.o) uses `c`"), "{map}");
    }
}

#[test]
fn archives_are_searched_from_left_to_right() {
    let lib = || input("lib.a", archive(&[("b.o", exit_named("b").bytes())], &[("b", 0)]));
    link(&[start("b"), lib()]);
    assert!(errors(&[lib(), start("b")]).contains("`b` is used and nowhere defined"));
    // The first archive wins.
    let other = input("other.a", archive(&[("b.o", exit_named("b").bytes())], &[]));
    let out = link_with(&[start("b"), other, lib()], &Options { map: true, ..Options::default() });
    assert!(out.map.unwrap().contains("other.a(b.o)"));
}

#[test]
fn groups_are_searched_again() {
    let one = || input("one.a", archive(&[("b.o", jump("b", "c")), ("d.o", exit_named("d").bytes())], &[]));
    let two = || input("two.a", archive(&[("c.o", jump("c", "d"))], &[("c", 0)]));
    assert!(errors(&[start("b"), two(), one()]).contains("`c` is used"));
    assert!(errors(&[start("b"), one(), two()]).contains("`d` is used"));
    let inputs = [start("b"), Input::GroupStart, two(), one(), Input::GroupEnd];
    assert!(has(&link(&inputs).image, "d"));
}

#[test]
fn weak_uses_take_nothing() {
    let mut o = exit_named("_start");
    let maybe = o.undefined("maybe");
    o.weak(maybe);
    let lib = input("lib.a", archive(&[("m.o", exit_named("maybe").bytes())], &[("maybe", 0)]));
    assert!(!has(&link(&[o.input("a.o"), lib]).image, "maybe"));
}

/// class: J5 on amd64
#[test]
fn an_index_that_lies_does_no_harm() {
    let members = [("b.o", exit_named("x").bytes())];
    let text = errors(&[start("b"), input("lib.a", archive(&members, &[("b", 0)]))]);
    assert!(text.contains("`b` is used and nowhere defined"), "{text}");
    let mut bytes = archive(&members, &[("b", 0)]);
    bytes[8 + 60 + 4..8 + 60 + 8].copy_from_slice(&0x00ff_ffffu32.to_be_bytes());
    assert!(errors(&[start("b"), input("lib.a", bytes)]).contains("TAL2003"));
    // A member that contains its own archive is no object.
    let nested = archive(&[("inner.a", archive(&members, &[]))], &[("b", 0)]);
    assert!(errors(&[start("b"), input("lib.a", nested)]).contains("lib.a(inner.a)"));
}

#[test]
fn a_gate_in_an_archive_is_used() {
    let gate = archive(&[("gate.o", tallink::gate::object_bytes(&tallink::arch::AMD64).to_vec())], &[]);
    let inputs = [exit_named("_start").input("a.o"), input("libgate.a", gate)];
    let out = link_with(&inputs, &Options { map: true, ..Options::default() });
    let map = out.map.unwrap();
    assert!(map.contains("libgate.a(gate.o)") && !map.contains("<gate>"), "{map}");
}
