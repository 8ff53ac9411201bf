//! The tree in which `find` looks, as an archive for the machine.

use super::super::cpio::Archive;
use crate::bench::trees::{Kind, tree};
use std::path::Path;

/// Entries below the root of the tree.
pub(super) const ENTRIES: usize = 50_000;

/// Puts the tree into an archive, below this directory. The bytes of its files are 0.
pub(super) fn archive(to: &mut Archive, root: &Path) {
    to.directory(root);
    for entry in tree(ENTRIES) {
        let path = root.join(entry.path);
        match entry.kind {
            Kind::Directory => to.directory(&path),
            Kind::File(bytes) => to.file(&path, 0o644, &vec![0; bytes as usize]),
            Kind::Link(name) => to.link(&path, Path::new(&name)),
        }
    }
}
