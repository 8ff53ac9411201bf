//! Writes archives of objects, as `ar rcs` does, with the index of symbols.

use object::{Object as _, ObjectSymbol as _};

/// An archive of these members: names of at most 15 bytes, and objects.
pub fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let defined = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let Ok(file) = object::File::parse(bytes) else { return Vec::new() };
        let global = file.symbols().filter(|s| s.is_global() && s.is_definition());
        global.filter_map(|s| s.name_bytes().ok().map(<[u8]>::to_vec)).collect()
    };
    let symbols: Vec<Vec<Vec<u8>>> = members.iter().map(|(_, bytes)| defined(bytes)).collect();
    let count: usize = symbols.iter().map(Vec::len).sum();
    let names: Vec<u8> = symbols.iter().flatten().flat_map(|name| [&name[..], b"\0"].concat()).collect();
    let index = 4 + 4 * count + names.len();
    // Where each member's header lies, behind that of the index.
    let mut at = 8 + 60 + index.next_multiple_of(2);
    let mut places = Vec::new();
    for ((_, bytes), symbols) in members.iter().zip(&symbols) {
        places.extend(symbols.iter().flat_map(|_| (at as u32).to_be_bytes()));
        at += 60 + bytes.len().next_multiple_of(2);
    }
    let mut out = b"!<arch>\n".to_vec();
    member(&mut out, "/", &[&(count as u32).to_be_bytes()[..], &places, &names].concat());
    for (name, bytes) in members {
        member(&mut out, &format!("{name}/"), bytes);
    }
    out
}

fn member(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    out.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, bytes.len()).bytes());
    out.extend(bytes);
    if bytes.len() % 2 == 1 {
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::read::archive::ArchiveFile;

    #[test]
    fn archives_can_be_read() {
        let gate = tallink::gate::object_bytes(&tallink::arch::AMD64);
        let bytes = archive(&[("odd.o", b"odd"), ("gate.o", gate)]);
        let file = ArchiveFile::parse(&bytes[..]).expect("an archive");
        let names: Vec<_> =
            file.members().map(|m| m.expect("a member").name().escape_ascii().to_string()).collect();
        assert_eq!(names, ["odd.o", "gate.o"]);
        let symbols: Vec<_> = file.symbols().expect("an index").expect("symbols").collect();
        assert!(!symbols.is_empty());
        for symbol in symbols {
            let at = symbol.expect("a symbol").offset();
            let member = file.member(at).expect("the member of a symbol");
            assert_eq!(member.data(&bytes[..]).expect("its content"), gate);
        }
    }
}
