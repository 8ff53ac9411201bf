//! Archives: which member defines which symbol.

use crate::diag::{self, Diagnostic, show};
use crate::object::{self, Place};
use ::object::read::archive::{ArchiveFile, ArchiveOffset};
use std::collections::HashMap;

/// An opened archive.
pub(crate) struct Archive<'a> {
    name: &'a str,
    data: &'a [u8],
    file: ArchiveFile<'a>,
    /// For each symbol the first member that is said to define it.
    index: HashMap<&'a [u8], u64>,
    /// The members, if the archive has no symbol index; [`Archive::index`] numbers them.
    scanned: Option<Vec<(String, &'a [u8])>>,
}

impl<'a> Archive<'a> {
    /// Reads the archive's symbol index; without one, all members.
    pub(crate) fn open(name: &'a str, data: &'a [u8]) -> Result<Archive<'a>, Diagnostic> {
        let bad = |message: String| Diagnostic::new(diag::BAD_ARCHIVE, name, message);
        let file = ArchiveFile::parse(data).map_err(|e| bad(e.to_string()))?;
        if file.is_thin() {
            return Err(bad("thin archives are not supported".to_string())
                .help("make an ordinary one: ar rcs lib.a *.o, without T"));
        }
        let mut archive = Archive { name, data, file, index: HashMap::new(), scanned: None };
        match file.symbols().map_err(|e| bad(e.to_string()))? {
            Some(symbols) => {
                for symbol in symbols {
                    let symbol = symbol.map_err(|e| bad(e.to_string()))?;
                    archive.index.entry(symbol.name()).or_insert(symbol.offset().0);
                }
            }
            None => archive.scan()?,
        }
        Ok(archive)
    }

    /// Fills the index from the members' own symbol tables.
    fn scan(&mut self) -> Result<(), Diagnostic> {
        let mut members = Vec::new();
        for member in self.file.members() {
            let bad = |e: ::object::read::Error| Diagnostic::new(diag::BAD_ARCHIVE, self.name, e.to_string());
            let member = member.map_err(bad)?;
            let bytes = member.data(self.data).map_err(bad)?;
            if !bytes.starts_with(&::object::elf::ELFMAG) {
                continue;
            }
            let name = format!("{}({})", self.name, show(member.name()));
            for symbol in object::parse(&name, bytes)?.symbols {
                if symbol.global && symbol.place != Place::Undefined {
                    self.index.entry(symbol.name).or_insert(members.len() as u64);
                }
            }
            members.push((name, bytes));
        }
        self.scanned = Some(members);
        Ok(())
    }

    /// The symbols that it is said to define, in any order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.index.keys().copied()
    }

    /// The member that is said to define a symbol: a number for [`Archive::member`].
    pub(crate) fn find(&self, symbol: &[u8]) -> Option<u64> {
        self.index.get(symbol).copied()
    }

    /// The name for people and the bytes of a member that [`Archive::find`] gave.
    pub(crate) fn member(&self, id: u64) -> Result<(String, &'a [u8]), Diagnostic> {
        if let Some(members) = &self.scanned {
            let (name, bytes) = &members[id as usize];
            return Ok((name.clone(), bytes));
        }
        let bad = |e: ::object::read::Error| {
            Diagnostic::new(diag::BAD_ARCHIVE, self.name, format!("member at {id:#x}: {e}"))
        };
        let member = self.file.member(ArchiveOffset(id)).map_err(bad)?;
        let bytes = member.data(self.data).map_err(bad)?;
        Ok((format!("{}({})", self.name, show(member.name())), bytes))
    }
}
