//! Archives in the format `newc` of cpio, from which Linux makes its first file system.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const DEVICE: u32 = 0o020_000;

/// An archive that grows. Every path is absolute; directories above it come by themselves.
#[derive(Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    known: BTreeSet<PathBuf>,
}

impl Archive {
    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A directory that everyone may read.
    pub(crate) fn directory(&mut self, path: &Path) {
        if path.parent().is_none() || self.known.contains(path) {
            return;
        }
        self.parents(path);
        self.entry(path, DIRECTORY | 0o755, (0, 0), b"");
    }

    /// A file with these permissions.
    pub(crate) fn file(&mut self, path: &Path, permissions: u32, content: &[u8]) {
        self.add(path, FILE | permissions & 0o7777, (0, 0), content);
    }

    /// A symbolic link.
    pub(crate) fn link(&mut self, path: &Path, to: &Path) {
        self.add(path, LINK | 0o777, (0, 0), to.as_os_str().as_bytes());
    }

    /// A character device.
    pub(crate) fn device(&mut self, path: &Path, major: u32, minor: u32) {
        self.add(path, DEVICE | 0o600, (major, minor), b"");
    }

    /// A file, or a directory with everything below, as it is on the host but for owners and times. Sockets, pipes
    /// and devices are left out.
    ///
    /// # Errors
    /// What cannot be read, and more than `most` bytes in all.
    pub(crate) fn copy(&mut self, from: &Path, most: usize) -> Result<(), String> {
        let mut open = vec![from.to_path_buf()];
        while let Some(path) = open.pop() {
            self.copy_one(&path, &mut open).map_err(|e| format!("{}: {e}", path.display()))?;
            if self.len() > most {
                return Err(format!(
                    "{}: together that is more than {} MiB, too much to be copied into the machine",
                    from.display(),
                    most >> 20
                ));
            }
        }
        Ok(())
    }

    fn copy_one(&mut self, path: &Path, open: &mut Vec<PathBuf>) -> io::Result<()> {
        let meta = path.symlink_metadata()?;
        if meta.is_dir() {
            self.directory(path);
            let mut below =
                std::fs::read_dir(path)?.map(|e| Ok(e?.path())).collect::<io::Result<Vec<_>>>()?;
            below.sort();
            open.extend(below);
        } else if meta.is_symlink() {
            self.link(path, &std::fs::read_link(path)?);
        } else if meta.is_file() {
            self.file(path, meta.permissions().mode(), &std::fs::read(path)?);
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, mode: u32, device: (u32, u32), content: &[u8]) {
        self.parents(path);
        // The kernel takes the first of two files with one name apart from their content.
        if !self.known.contains(path) {
            self.entry(path, mode, device, content);
        }
    }

    fn parents(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.directory(parent);
        }
    }

    fn entry(&mut self, path: &Path, mode: u32, device: (u32, u32), content: &[u8]) {
        self.known.insert(path.to_path_buf());
        let plain = path.components().filter(|c| matches!(c, Component::Normal(_))).collect::<PathBuf>();
        self.raw(plain.as_os_str().as_bytes(), mode, device, content);
    }

    fn raw(&mut self, name: &[u8], mode: u32, device: (u32, u32), content: &[u8]) {
        let inode = self.known.len();
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let (length, name_length) = (content.len(), name.len() + 1);
        let (major, minor) = device;
        let head = format!(
            "070701{inode:08x}{mode:08x}{:08x}{:08x}{links:08x}{:08x}{length:08x}{:08x}{:08x}{major:08x}{minor:08x}{name_length:08x}{:08x}",
            0, 0, 0, 0, 0, 0
        );
        self.bytes.extend(head.as_bytes());
        self.bytes.extend(name);
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// The whole archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.raw(b"TRAILER!!!", 0, (0, 0), b"");
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries of an archive: mode, name, content.
    fn entries(mut bytes: &[u8]) -> Vec<(u32, String, Vec<u8>)> {
        let mut found = Vec::new();
        loop {
            let field = |i: usize| {
                let text = std::str::from_utf8(&bytes[6 + 8 * i..14 + 8 * i]).unwrap();
                u32::from_str_radix(text, 16).unwrap() as usize
            };
            assert_eq!(&bytes[..6], b"070701");
            let (mode, length, name) = (field(1), field(6), field(11));
            let content = (110 + name).next_multiple_of(4);
            let text = String::from_utf8(bytes[110..110 + name - 1].to_vec()).unwrap();
            if text == "TRAILER!!!" {
                return found;
            }
            found.push((u32::try_from(mode).unwrap(), text, bytes[content..content + length].to_vec()));
            bytes = &bytes[(content + length).next_multiple_of(4)..];
        }
    }

    #[test]
    fn what_is_put_in_can_be_read_again() {
        let mut a = Archive::default();
        a.file(Path::new("/a/b/c"), 0o755, b"12345");
        a.link(Path::new("/a/l"), Path::new("b/c"));
        a.file(Path::new("/a/b/c"), 0o644, b"second");
        a.device(Path::new("/dev/console"), 5, 1);
        let expected = [
            (0o040_755, "a", &b""[..]),
            (0o040_755, "a/b", b""),
            (0o100_755, "a/b/c", b"12345"),
            (0o120_777, "a/l", b"b/c"),
            (0o040_755, "dev", b""),
            (0o020_600, "dev/console", b""),
        ];
        let expected = expected.map(|(m, n, c)| (m, n.to_string(), c.to_vec()));
        assert_eq!(entries(&a.finish()), expected);
    }

    #[test]
    fn directories_are_copied_to_their_own_path() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("d")).unwrap();
        std::fs::write(directory.path().join("d/f"), "x").unwrap();
        let mut a = Archive::default();
        a.copy(directory.path(), 1 << 20).unwrap();
        let name = directory.path().join("d/f").display().to_string();
        let all = entries(&a.finish());
        assert!(all.iter().any(|(_, n, c)| format!("/{n}") == name && c == b"x"), "{all:?}");
        assert!(Archive::default().copy(directory.path(), 10).is_err(), "too much");
    }
}
