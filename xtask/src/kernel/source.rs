//! The kernel's source: Debian's package, and the series of patches on it.

use super::apt::{self, Apt};
use super::host::Host;
use super::{cache, digest};
use crate::Done;
use crate::tools::{self, read, root, write};
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// The package, and the suites of Debian that may have it, the first one first.
const PACKAGE: &str = "linux-source-6.12";
const SUITES: &[&str] = &["trixie", "trixie-updates", "bookworm-backports"];

/// An archive of the kernel's source.
pub(crate) struct Source {
    archive: PathBuf,
    /// Names the version: `6.12.107-1`.
    pub(crate) version: String,
}

impl Source {
    /// The archive that `KML_LINUX_SOURCE` names, or the one that is there, or a new one from Debian.
    pub(crate) fn get() -> Result<Source, String> {
        if let Some(path) = env::var_os("KML_LINUX_SOURCE") {
            let archive = PathBuf::from(path);
            let version = archive.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
            let known = [".deb", ".tar", ".tar.xz", ".tar.gz"].iter().any(|e| version.ends_with(e));
            if !archive.is_file() || !known {
                return Err(format!("KML_LINUX_SOURCE: {}: no .deb or .tar of a kernel", archive.display()));
            }
            return Ok(Source { archive, version });
        }
        let directory = cache().join("debs");
        match Source::newest(&directory) {
            Some(source) => Ok(source),
            None => Source::fetch(&directory),
        }
    }

    fn newest(directory: &Path) -> Option<Source> {
        let mut found: Vec<PathBuf> = fs::read_dir(directory).ok()?.flatten().map(|e| e.path()).collect();
        found.sort();
        let source = |archive: PathBuf| {
            let name = archive.file_name()?.to_str()?;
            let version =
                name.strip_prefix(PACKAGE)?.strip_prefix('_')?.strip_suffix("_all.deb")?.to_string();
            Some(Source { archive, version })
        };
        found.into_iter().rev().find_map(source)
    }

    fn fetch(directory: &Path) -> Result<Source, String> {
        if !apt::exists() {
            return Err(
                "the kernel's source comes from Debian's package, and there is no apt; give an archive \
                        of Linux 6.12 with KML_LINUX_SOURCE"
                    .into(),
            );
        }
        let mut reasons = String::new();
        for suite in SUITES {
            eprintln!("== get {PACKAGE} of Debian's suite {suite} (about 150 MB, once)");
            let got = Apt::suite(suite).and_then(|apt| {
                apt.update()?;
                apt.download(&[PACKAGE.into()], directory)
            });
            match got {
                Ok(_) => match Source::newest(directory) {
                    Some(source) => return Ok(source),
                    None => reasons.push_str("apt downloaded a package of another name\n"),
                },
                Err(e) => reasons.push_str(&format!("{suite}: {e}\n")),
            }
        }
        Err(format!("the kernel's source cannot be had:\n{reasons}"))
    }

    /// The unpacked tree with the series applied. Files that a changed series leaves as they were keep their times,
    /// so that only what changed is built again. Who changes the series all the time gives a suffix, and has a tree of
    /// his own.
    pub(crate) fn tree(&self, suffix: &str, series: &Series, host: &Host) -> Result<PathBuf, String> {
        let name: String =
            self.version.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '.' }).collect();
        let tree = cache().join("src").join(name + suffix);
        if !tree.join("Makefile").is_file() {
            self.unpack(&tree, host)?;
        }
        let applied = tree.join(".kml-series");
        if read(&applied).unwrap_or_default() == series.text {
            return Ok(tree);
        }
        let old = Series::of_text(read(&applied).unwrap_or_default());
        let touched = || -> Vec<PathBuf> {
            let names = old.files().into_iter().chain(series.files());
            names.map(|f| tree.join(f)).collect()
        };
        let before: Vec<_> = touched().into_iter().map(|p| Before::of(&p)).collect();
        // Half-applied is neither the old nor the new series; unpack again if this does not work out.
        let done = apply(&tree, &old, true, host).and_then(|()| apply(&tree, series, false, host));
        if let Err(e) = done {
            let _ = fs::remove_dir_all(&tree);
            return Err(e);
        }
        for file in before {
            file.keep_time();
        }
        write(&applied, &series.text)?;
        Ok(tree)
    }

    fn unpack(&self, tree: &Path, host: &Host) -> Done {
        eprintln!("== unpack Linux {}", self.version);
        let directory = tree.with_extension("unpacking");
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        let mut archive = self.archive.clone();
        if archive.extension().is_some_and(|e| e == "deb") {
            apt::quiet(Command::new("dpkg").arg("-x").arg(&archive).arg(directory.join("deb")))?;
            let inner = tools::files(&directory.join("deb"), &|p| p.extension().is_some_and(|e| e == "xz"))?;
            archive = inner.into_iter().next().ok_or("the package has no archive of the source")?;
        }
        let linux = directory.join("linux");
        fs::create_dir_all(&linux).map_err(|e| format!("{}: {e}", linux.display()))?;
        apt::quiet(
            host.command("tar").args(["--strip-components=1", "-xf"]).arg(&archive).arg("-C").arg(&linux),
        )?;
        let _ = fs::remove_dir_all(tree);
        fs::rename(&linux, tree).map_err(|e| format!("{}: {e}", tree.display()))?;
        let _ = fs::remove_dir_all(&directory);
        Ok(())
    }
}

/// A file before the series changes.
struct Before {
    path: PathBuf,
    state: Option<(u64, SystemTime)>,
}

impl Before {
    fn of(path: &Path) -> Before {
        let state = || {
            let time = path.metadata().ok()?.modified().ok()?;
            Some((digest(&fs::read(path).ok()?), time))
        };
        Before { path: path.to_path_buf(), state: state() }
    }

    /// Gives the file its old time if it has its old content.
    fn keep_time(self) {
        let Some((old, time)) = self.state else { return };
        let same = fs::read(&self.path).is_ok_and(|content| digest(&content) == old);
        if same && let Ok(file) = File::options().write(true).open(&self.path) {
            // Without it more is built than must be, nothing worse.
            let _ = file.set_modified(time);
        }
    }
}

/// The patches, one behind the other in order of their names.
pub(crate) struct Series {
    /// All of them.
    pub(crate) text: String,
}

impl Series {
    /// Those of this project; none if there are none.
    pub(crate) fn read() -> Result<Series, String> {
        let directory = root().join("kml-patch/patches/6.12");
        let mut text = String::new();
        if directory.is_dir() {
            for path in tools::files(&directory, &|p| p.extension().is_some_and(|e| e == "patch"))? {
                text.push_str(&read(&path)?);
            }
        }
        Ok(Series::of_text(text))
    }

    fn of_text(text: String) -> Series {
        Series { text }
    }

    /// Whether there is no patch.
    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Its first patches.
    pub(crate) fn first(&self, patches: usize) -> Series {
        Series::of_text(split(&self.text).into_iter().take(patches).collect())
    }

    /// The first lines of the descriptions of its patches.
    pub(crate) fn subjects(&self) -> Vec<String> {
        split(&self.text).into_iter().map(subject).collect()
    }

    /// The files that are changed, added or removed, relative to the tree.
    fn files(&self) -> Vec<&str> {
        let marks = ["--- a/", "+++ b/"];
        let mut files: Vec<&str> =
            self.text.lines().filter_map(|l| marks.iter().find_map(|m| l.strip_prefix(m))).collect();
        files.sort_unstable();
        files.dedup();
        files
    }
}

/// Applies a series, or takes it back.
fn apply(tree: &Path, series: &Series, back: bool, host: &Host) -> Done {
    if series.is_empty() {
        return Ok(());
    }
    // Of several changes of one file the last one must go first: patch by patch from the end.
    let mut patches: Vec<&str> = split(&series.text);
    if back {
        patches.reverse();
    }
    for text in patches {
        let mut c = host.command("patch");
        c.args(["-p1", "--batch", "--silent", "--no-backup-if-mismatch", "--reject-file=-"]);
        c.args(back.then_some("--reverse")).current_dir(tree).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = c.spawn().map_err(|e| format!("cannot run patch: {e}"))?;
        if let Some(mut input) = child.stdin.take() {
            // A patch that ends early says why itself.
            let _ = std::io::Write::write_all(&mut input, text.as_bytes());
        }
        let out = child.wait_with_output().map_err(|e| format!("patch: {e}"))?;
        if !out.status.success() {
            return Err(format!(
                "a patch does not {}: {}\n{}",
                if back { "come off" } else { "apply" },
                subject(text),
                String::from_utf8_lossy(&out.stdout)
            ));
        }
    }
    Ok(())
}

/// The first line of a patch's description, which may be two lines of the mail.
fn subject(patch: &str) -> String {
    let mut lines = patch.lines().skip_while(|l| !l.starts_with("Subject: "));
    let first =
        lines.next().unwrap_or_default().trim_start_matches("Subject: ").trim_start_matches("[PATCH] ");
    let rest = lines.take_while(|l| l.starts_with(' '));
    [first].into_iter().chain(rest).collect()
}

/// The single patches of a series: mails that begin with `From ` and a commit.
fn split(text: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mails = text.match_indices("\nFrom ").map(|(at, _)| at + 1);
    let commit = |at: &usize| text[*at + 5..].bytes().take_while(u8::is_ascii_hexdigit).count() == 40;
    starts.extend(mails.filter(commit));
    starts.push(text.len());
    starts.windows(2).map(|w| &text[w[0]..w[1]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_split_into_its_patches() {
        let one = format!("From {} Mon Sep 17\nSubject: a\n--- a/x\n+++ b/x\n", "0".repeat(40));
        let two = format!(
            "From {} Mon Sep 17\nSubject: b\n\nFrom here on\n--- /dev/null\n+++ b/y/z\n",
            "1".repeat(40)
        );
        let series = Series::of_text(format!("{one}{two}"));
        assert_eq!(split(&series.text), [one.as_str(), two.as_str()]);
        assert_eq!(series.files(), ["x", "y/z"]);
        assert_eq!(series.first(1).text, one);
        assert_eq!(series.subjects(), ["a", "b"]);
        assert_eq!(subject("From 0\nSubject: [PATCH] a/b: Do\n this\n\nText\n"), "a/b: Do this");
    }
}
