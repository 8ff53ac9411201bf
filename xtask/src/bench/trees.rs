//! Made-up trees of files on which walks are measured: the same ones everywhere, in user mode and in the kernel.

use crate::Done;
use fastrand::Rng;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// What an entry is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Directory,
    /// So many bytes, of no interest.
    File(u32),
    /// To this name, which is or is not there.
    Link(String),
}

/// A file of a tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// From the tree's root, without a slash in front.
    pub path: String,
    pub kind: Kind,
    /// When a file was written, in seconds since 1970. What is no file is as old as it is.
    pub written: u64,
}

/// The youngest of the files that a tree has.
pub(crate) const YOUNGEST: u64 = 1_700_000_000;
/// How much older the others are at most, in seconds.
pub(crate) const AGES: u64 = 2 * 365 * 24 * 60 * 60;

/// No directory is deeper.
const DEEPEST: usize = 12;
/// How names end.
const ENDS: [&str; 8] = [".c", ".h", ".h", ".o", ".rs", ".txt", ".md", ""];

/// So many entries below the root, each behind the directory that it is in: like sources of programs, some twenty to a
/// directory, a few directories and links among them.
pub(crate) fn tree(entries: usize) -> Vec<Entry> {
    let mut random = Rng::with_seed(1);
    // Paths and depths.
    let mut directories = vec![(String::new(), 0)];
    let mut all = Vec::new();
    while all.len() < entries {
        // One of the last ones most of the time, so that the tree becomes deep; else any.
        let recent = if random.u32(..4) > 0 { directories.len().min(30) } else { directories.len() };
        let chosen = directories.len() - 1 - random.usize(..recent);
        let Some((parent, depth)) = directories.get(chosen).cloned() else { continue };
        let word: String = (0..random.usize(2..10)).map(|_| random.lowercase()).collect();
        // The number makes it the only one.
        let name = format!("{parent}{word}{}", all.len());
        let (end, lot) = (random.usize(..ENDS.len()), random.u32(..100));
        let entry = if lot < 6 && depth < DEEPEST {
            directories.push((format!("{name}/"), depth + 1));
            Entry { path: name, kind: Kind::Directory, written: YOUNGEST }
        } else if lot < 9 {
            Entry { path: name, kind: Kind::Link(format!("../{word}")), written: YOUNGEST }
        } else {
            // The product of two makes small ones frequent.
            let bytes = random.u32(..64) * random.u32(..64);
            let path = format!("{name}{}", ENDS.get(end).unwrap_or(&""));
            Entry { path, kind: Kind::File(bytes), written: YOUNGEST - random.u64(..AGES) }
        };
        all.push(entry);
    }
    all
}

/// Makes a tree of so many entries at a place, unless it is there already. The bytes of its files are 0.
pub(crate) fn make(at: &Path, entries: usize) -> Done {
    let fail = |path: &Path| {
        let path = path.display().to_string();
        move |e: std::io::Error| format!("{path}: {e}")
    };
    // Written last: what is there without it is not whole.
    let whole = at.with_extension("whole");
    let version = format!("{entries} 1\n");
    if at.is_dir() && fs::read_to_string(&whole).is_ok_and(|text| text == version) {
        return Ok(());
    }
    if at.is_dir() {
        fs::remove_dir_all(at).map_err(fail(at))?;
    }
    fs::create_dir_all(at).map_err(fail(at))?;
    for entry in tree(entries) {
        let path = at.join(&entry.path);
        match &entry.kind {
            Kind::Directory => fs::create_dir(&path).map_err(fail(&path))?,
            Kind::Link(to) => std::os::unix::fs::symlink(to, &path).map_err(fail(&path))?,
            Kind::File(bytes) => {
                let file = File::create(&path).map_err(fail(&path))?;
                file.set_len(u64::from(*bytes)).map_err(fail(&path))?;
                let written = UNIX_EPOCH + Duration::from_secs(entry.written);
                file.set_modified(written).map_err(fail(&path))?;
            }
        }
    }
    crate::tools::write(&whole, version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_tree_is_whole_and_always_the_same() {
        let all = tree(5_000);
        assert_eq!(all.len(), 5_000);
        assert_eq!(all, tree(5_000));
        let mut directories = BTreeSet::from([String::new()]);
        let mut paths = BTreeSet::new();
        for entry in &all {
            let parent = entry.path.rsplit_once('/').map_or("", |p| p.0);
            assert!(directories.contains(parent), "{} comes before its directory", entry.path);
            assert!(paths.insert(&entry.path), "{} is there twice", entry.path);
            if entry.kind == Kind::Directory {
                directories.insert(entry.path.clone());
            }
        }
        let depth = directories.iter().map(|d| d.split('/').count()).max();
        assert!(depth.is_some_and(|d| (6..=DEEPEST).contains(&d)), "{depth:?}");
        assert!(all.iter().any(|e| matches!(e.kind, Kind::Link(_))));
    }
}
