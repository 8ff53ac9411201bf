//! Packages of the system's own distribution: asked for by name, fetched from the mirror that apt knows, verified by
//! the keys that apt trusts.
//!
//! Nothing here changes the system but [`install`], which only root can do and which says what it does. Everything
//! else uses an apt with lists and archives of its own below `.cache`.

use super::cache;
use crate::Done;
use crate::tools::{self, output, write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An apt that keeps to a directory of its own.
pub(crate) struct Apt {
    config: PathBuf,
}

impl Apt {
    /// For the packages of the system, with its list of what is installed.
    pub(crate) fn system() -> Result<Apt, String> {
        Apt::new("system", "")
    }

    /// For the packages of one suite of Debian, which need not be the system's, from the system's mirror.
    pub(crate) fn suite(suite: &str) -> Result<Apt, String> {
        let mirror = mirror()?;
        let directory = cache().join("apt").join(suite);
        let list = directory.join("sources.list");
        let signed = if Path::new(KEYS).exists() { format!("[signed-by={KEYS}] ") } else { String::new() };
        write(&list, format!("deb {signed}{mirror} {suite} main\n"))?;
        // As if nothing were installed: only single packages are downloaded.
        write(&directory.join("status"), "")?;
        let own = format!(
            "Dir::Etc::sourcelist \"{}\";\nDir::Etc::sourceparts \"/dev/null\";\nDir::State::status \"{}\";\n",
            list.display(),
            directory.join("status").display()
        );
        Apt::new(suite, &own)
    }

    fn new(name: &str, more: &str) -> Result<Apt, String> {
        let directory = cache().join("apt").join(name);
        for below in ["lists/partial", "archives/partial"] {
            let path = directory.join(below);
            std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        let config = directory.join("apt.conf");
        let at = directory.display();
        let text = format!(
            "Dir::State::lists \"{at}/lists\";\nDir::Cache \"{at}\";\nDir::Cache::archives \"{at}/archives\";\n\
             Debug::NoLocking \"true\";\nAcquire::Languages \"none\";\nAcquire::Retries \"3\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled \"false\";\n{}{more}",
            // Root's apt downloads as a user who may not see this directory.
            if is_root() { "APT::Sandbox::User \"root\";\n" } else { "" },
        );
        write(&config, text)?;
        Ok(Apt { config })
    }

    fn command(&self, program: &str) -> Command {
        let mut c = Command::new(program);
        c.env("APT_CONFIG", &self.config).env("LC_ALL", "C");
        c
    }

    /// Reads what packages there are.
    pub(crate) fn update(&self) -> Done {
        // One broken source of several is a warning; then it depends on whether the package is found.
        quiet(self.command("apt-get").args(["update", "-q"]))
    }

    /// The packages that installing these would install, as `name=version`.
    pub(crate) fn closure(&self, packages: &[&str]) -> Result<Vec<String>, String> {
        let mut c = self.command("apt-get");
        c.args(["install", "--simulate", "-q", "--no-install-recommends"]).args(packages);
        let text = output(&mut c)?;
        // `Inst flex (2.6.4-8.2 Debian:12 [amd64])`, and with an older version in brackets in the middle.
        let line = |line: &str| {
            let mut words = line.strip_prefix("Inst ")?.split_whitespace();
            let name = words.next()?;
            let version = words.find_map(|w| w.strip_prefix('('))?;
            Some(format!("{name}={version}"))
        };
        Ok(String::from_utf8_lossy(&text).lines().filter_map(line).collect())
    }

    /// Downloads packages into a directory. Returns its packages.
    pub(crate) fn download(&self, packages: &[String], to: &Path) -> Result<Vec<PathBuf>, String> {
        std::fs::create_dir_all(to).map_err(|e| format!("{}: {e}", to.display()))?;
        quiet(self.command("apt-get").args(["download", "-q"]).args(packages).current_dir(to))?;
        tools::files(to, &|p| p.extension().is_some_and(|e| e == "deb"))
    }
}

/// Installs packages into the system, which only root can do.
pub(crate) fn install(packages: &[&str]) -> Done {
    eprintln!("== install {} (apt-get install, without recommended packages)", packages.join(" "));
    let mut install = Command::new("apt-get");
    install.args(["install", "-q", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600"]);
    install.args(packages).env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    if quiet(&mut install).is_ok() {
        return Ok(());
    }
    // The lists may be missing or too old.
    let _ = quiet(Command::new("apt-get").args(["update", "-q"]).env("LC_ALL", "C"));
    quiet(&mut install)
}

/// Whether there is an apt at all.
pub(crate) fn exists() -> bool {
    tools::exists("apt-get")
}

/// Whether we may install.
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim_ascii() == b"0")
}

/// The keys of Debian's archive, where Debian installs them. Without the file apt trusts what it trusts.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The mirror of the system's own release.
fn mirror() -> Result<String, String> {
    let mut c = Command::new("apt-get");
    c.args(["indextargets", "--format", "$(RELEASE)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages"]);
    let text = String::from_utf8_lossy(&output(&mut c)?).into_owned();
    let release = tools::read(Path::new("/etc/os-release"))?;
    let field = |name: &str| release.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim_matches('"'));
    let codename = field("VERSION_CODENAME=").unwrap_or("sid");
    mirror_of(&text, codename).ok_or_else(|| {
        format!("apt has no source for Debian's release {codename}; give the kernel's source with KML_LINUX_SOURCE")
    })
}

fn mirror_of(targets: &str, codename: &str) -> Option<String> {
    let suites = [codename, "stable", "testing", "unstable", "sid"];
    let mut rows =
        targets.lines().filter_map(|l| <[&str; 3]>::try_from(l.split('|').collect::<Vec<_>>()).ok());
    let row = rows.find(|[release, component, _]| suites.contains(release) && *component == "main");
    row.map(|[.., address]| address.to_string()).filter(|a| !a.is_empty())
}

/// Runs a command whose output matters only if it fails.
pub(crate) fn quiet(c: &mut Command) -> Done {
    let out = c.output().map_err(|e| format!("cannot run `{}`: {e}", tools::shown(c)))?;
    if out.status.success() {
        return Ok(());
    }
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last: Vec<&str> = said.lines().rev().take(12).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(format!("`{}` failed: {}\n{}", tools::shown(c), out.status, last.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_release() {
        let text = "bookworm-security|main|http://b.test/sec/\nnodistro|main|http://c.test/\n\
                    bookworm|contrib|http://a.test/x/\nbookworm|main|http://a.test/debian/\n";
        assert_eq!(mirror_of(text, "bookworm").as_deref(), Some("http://a.test/debian/"));
        assert!(mirror_of(text, "jammy").is_none());
    }
}
