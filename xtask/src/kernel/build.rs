//! Building the kernel: once for each source, series, configuration and checker.

use super::host::{For, Host};
use super::source::{Series, Source};
use super::{cache, digest, statics};
use crate::Done;
use crate::tools::{read, root, write};

use std::fs::{self, File};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A fragment of `kml-patch/config`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Config {
    /// As small as it can be: built in minutes
    Minimal,
    /// With the kernel's own checks of itself
    Debug,
}

impl Config {
    fn name(self) -> &'static str {
        match self {
            Config::Minimal => "minimal",
            Config::Debug => "debug",
        }
    }

    /// The lines that the configuration must have, on top of the kernel's `tinyconfig`. What the series does not
    /// have (yet) is not configured.
    fn fragment(self, series: &Series, checker: Option<&Path>) -> Result<String, String> {
        let directory = root().join("kml-patch/config");
        let mut text = read(&directory.join("guest.config"))?;
        let own = directory.join(self.name()).with_extension("config");
        if own.is_file() {
            text.push_str(&read(&own)?);
        }
        if let Some(checker) = checker {
            text.push_str(&format!("CONFIG_KML_CHECKER=\"{}\"\n", checker.display()));
        }
        let known = |line: &&str| {
            let option = line.strip_prefix("CONFIG_").and_then(|l| l.split('=').next()).unwrap_or_default();
            let ours = option == "KERNEL_MODE_LINUX" || option.starts_with("KML_");
            !ours || series.text.contains(&format!("\n+config {option}\n"))
        };
        Ok(text.lines().filter(known).map(|line| format!("{line}\n")).collect())
    }
}

/// What to build.
#[derive(Clone, Copy)]
struct Order<'a> {
    config: Config,
    checker: &'a Checker<'a>,
    /// Only so many patches of the series, in a tree and a build directory of their own.
    patches: Option<usize>,
}

impl Order<'_> {
    /// Names the build directory and the images.
    fn name(&self) -> &'static str {
        if self.patches.is_some() { "series" } else { self.config.name() }
    }

    /// The end of the name of the patched source.
    fn suffix(&self) -> &'static str {
        if self.patches.is_some() { ".part" } else { "" }
    }

    fn series(&self) -> Result<Series, String> {
        let all = Series::read()?;
        Ok(self.patches.map_or_else(|| Series { text: all.text.clone() }, |n| all.first(n)))
    }
}

/// The image of the kernel, which is built unless it has been already.
///
/// # Errors
/// What is missing, and what the compiler says.
pub(crate) fn kernel(config: Config) -> Result<PathBuf, String> {
    build(Order { config, checker: &statics::checker, patches: None })
}

/// The same with another checker.
pub(crate) fn kernel_with(config: Config, checker: &Path) -> Result<PathBuf, String> {
    build(Order { config, checker: &|| Ok(checker.to_path_buf()), patches: None })
}

/// The same with the first patches of the series only, and the warnings of the compiler.
pub(crate) fn kernel_of(patches: usize) -> Result<(PathBuf, String), String> {
    let image = build(Order { config: Config::Minimal, checker: &statics::checker, patches: Some(patches) })?;
    let warnings = read(&image.with_file_name(WARNINGS))?;
    Ok((image, warnings))
}

/// Lies beside an image: what the compiler warned of, which should be nothing.
const WARNINGS: &str = "warnings";

fn build(order: Order) -> Result<PathBuf, String> {
    let plan = Plan::of(order)?;
    if plan.image.is_file() {
        return Ok(plan.image);
    }
    let _lock = lock()?;
    // Whoever had the lock may have built it, or another checker.
    let plan = Plan::of(order)?;
    if !plan.image.is_file() {
        plan.build(order)?;
    }
    Ok(plan.image)
}

/// Makes the checker that the kernel will contain, and says where it is.
type Checker<'a> = dyn Fn() -> Result<PathBuf, String> + 'a;

/// What a kernel is made of, and where it is when it is made.
struct Plan {
    series: Series,
    source: Source,
    fragment: String,
    image: PathBuf,
}

impl Plan {
    fn of(order: Order) -> Result<Plan, String> {
        let series = order.series()?;
        let checker = if series.is_empty() { None } else { Some((order.checker)()?) };
        let content = match &checker {
            Some(path) => fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?,
            None => Vec::new(),
        };
        let fragment = order.config.fragment(&series, checker.as_deref())?;
        let source = Source::get()?;
        let key = digest(&(&source.version, &series.text, &fragment, &content));
        let image = cache().join("images").join(format!("{}-{key:016x}", order.name())).join("bzImage");
        Ok(Plan { series, source, fragment, image })
    }

    fn build(&self, order: Order) -> Done {
        let host = Host::with(For::Build)?;
        let tree = self.source.tree(order.suffix(), &self.series, &host)?;
        let build = cache().join("build").join(order.name());
        configure(&tree, &build, &self.fragment, &host)?;
        let warnings = make(order.config, &build, &host)?;
        let built = build.join("arch/x86/boot/bzImage");
        let bytes = fs::read(&built).map_err(|e| format!("{}: {e}", built.display()))?;
        if Plan::of(order)?.image != self.image {
            return Err("the patches or the checker changed while the kernel was built; try again".into());
        }
        write(&self.image.with_file_name(WARNINGS), warnings)?;
        // Under another name first: an interrupted copy is no kernel.
        let unfinished = self.image.with_extension("new");
        write(&unfinished, &bytes)?;
        fs::rename(&unfinished, &self.image).map_err(|e| format!("{}: {e}", self.image.display()))?;
        forget_old(order.name(), &self.image);
        Ok(())
    }
}

/// The patched source of the kernel, unpacked.
pub(crate) fn tree(host: &Host) -> Result<PathBuf, String> {
    let _lock = lock()?;
    Source::get()?.tree("", &Series::read()?, host)
}

/// Keeps other processes from building meanwhile: trees and checkers have one place each.
fn lock() -> Result<File, String> {
    let path = cache().join("lock");
    write(&path, "")?;
    let file = File::open(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!("== wait for another process that builds a kernel here");
        file.lock().map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(file)
}

/// Writes the build directory's configuration, and complains about lines of the fragment that did not come through.
fn configure(tree: &Path, build: &Path, fragment: &str, host: &Host) -> Done {
    let wanted = build.join("wanted.config");
    let made = build.join(".config");
    // The series may have changed what can be configured.
    let same = read(&wanted).unwrap_or_default() == fragment && made.is_file();
    let in_tree = |targets: &[&str]| {
        let mut c = host.command("make");
        c.arg("-s").arg("-C").arg(tree).arg(format!("O={}", build.display()));
        c.args(host.make_arguments()).args(targets);
        super::apt::quiet(&mut c)
    };
    fs::create_dir_all(build).map_err(|e| format!("{}: {e}", build.display()))?;
    if same {
        return in_tree(&["olddefconfig"]);
    }
    in_tree(&["tinyconfig"])?;
    let text = read(&made)? + fragment;
    // The last of two lines counts.
    write(&made, text)?;
    in_tree(&["olddefconfig"])?;
    let lost = lost(fragment, &read(&made)?);
    if !lost.is_empty() {
        let _ = fs::remove_file(&made);
        return Err(format!("the kernel cannot be configured like this: {}", lost.join(", ")));
    }
    write(&wanted, fragment)
}

/// Lines of the fragment that do not hold in the configuration.
fn lost<'a>(fragment: &'a str, config: &str) -> Vec<&'a str> {
    let holds = |line: &str| match line.strip_suffix("=n") {
        Some(name) => !config.lines().any(|l| l.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))),
        None => config.lines().any(|l| l == line),
    };
    let lines: Vec<&str> = fragment.lines().filter(|l| l.starts_with("CONFIG_")).collect();
    let name = |l: &str| l.split('=').next().map(String::from);
    let last = |i: usize| !lines[i + 1..].iter().any(|later| name(later) == name(lines[i]));
    (0..lines.len()).filter(|&i| last(i) && !holds(lines[i])).map(|i| lines[i]).collect()
}

/// Runs make and shows how far it is. Returns the warnings.
fn make(config: Config, build: &Path, host: &Host) -> Result<String, String> {
    let jobs = host.jobs();
    let mut c = host.command("make");
    c.arg(format!("-j{jobs}")).args(host.make_arguments()).arg("bzImage").current_dir(build);
    // The same input makes the same image, and says nothing about the machine that made it.
    c.env("KBUILD_BUILD_USER", "kml").env("KBUILD_BUILD_HOST", "localhost");
    c.env("KBUILD_BUILD_TIMESTAMP", "2025-01-01 00:00:00Z").env("LC_ALL", "C");
    c.stdin(Stdio::null()).stdout(Stdio::piped());
    let log = build.join("make.log");
    let errors = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let mut out = errors.try_clone().map_err(|e| format!("{}: {e}", log.display()))?;
    c.stderr(errors);
    let first = !build.join("vmlinux").is_file();
    let mut progress = Progress::new(config, first);
    if first {
        eprintln!("== build the kernel ({jobs} jobs; the first time takes minutes)");
    } else {
        eprintln!("== build what has changed of the kernel ({jobs} jobs)");
    }
    let start = Instant::now();
    let mut child = c.spawn().map_err(|e| format!("cannot run make: {e}"))?;

    for line in child.stdout.take().into_iter().flat_map(|s| BufReader::new(s).lines()) {
        let line = line.map_err(|e| format!("make: {e}"))?;
        let _ = writeln!(out, "{line}");
        progress.step(&line);
    }
    progress.end();
    let status = child.wait().map_err(|e| format!("make: {e}"))?;
    let text = read(&log)?;
    if !status.success() {
        // What is not a step is what the compiler says.
        let lines: Vec<&str> = text.lines().filter(|l| !l.starts_with("  ")).collect();
        let end = &lines[lines.len().saturating_sub(30)..];
        return Err(format!("the kernel does not build:\n{}\nall of it: {}", end.join("\n"), log.display()));
    }
    eprintln!("== built the kernel ({config:?}) in {} s", start.elapsed().as_secs());
    Ok(text.lines().filter(|l| l.contains("warning:")).map(|l| format!("{l}\n")).collect())
}

/// How far a build is, as far as one can know.
struct Progress {
    done: usize,
    /// About how many steps it takes, if that is known.
    usual: Option<usize>,
    terminal: bool,
    shown: Instant,
    tenth: usize,
}

impl Progress {
    fn new(config: Config, whole: bool) -> Progress {
        let usual = if config == Config::Debug { 2400 } else { 2000 };
        let terminal = std::io::stderr().is_terminal();
        Progress { done: 0, usual: whole.then_some(usual), terminal, shown: Instant::now(), tenth: 0 }
    }

    /// A line of make: `  CC      kernel/fork.o`.
    fn step(&mut self, line: &str) {
        if !line.starts_with("  ") {
            return;
        }
        self.done += 1;
        let percent = self.usual.map_or(0, |usual| (100 * self.done / usual).min(99));
        if self.terminal && self.shown.elapsed() > Duration::from_millis(100) {
            self.shown = Instant::now();
            let text: String = line.trim().chars().take(60).collect();
            match self.usual {
                Some(_) => eprint!("\r\x1b[K{percent:>3} %  {text}"),
                None => eprint!("\r\x1b[K{:>5}  {text}", self.done),
            }
        } else if !self.terminal && percent / 10 > self.tenth {
            self.tenth = percent / 10;
            eprintln!("   {percent} % after {} steps", self.done);
        }
    }

    fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}

/// Removes images of this name that nobody has made for long: all but the newest sixteen, more than there are patches.
fn forget_old(name: &str, newest: &Path) {
    let Some(all) = newest.parent().and_then(Path::parent) else { return };
    let mut images: Vec<_> = fs::read_dir(all).into_iter().flatten().flatten().map(|e| e.path()).collect();
    images.retain(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(name)));
    images.sort_by_key(|p| p.metadata().and_then(|m| m.modified()).ok());
    for old in images.iter().rev().skip(16) {
        let _ = fs::remove_dir_all(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_do_not_hold_are_found() {
        let config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_CC=y\nCONFIG_D=\"x\"\n";
        let fragment = "# comment\nCONFIG_A=y\nCONFIG_B=n\nCONFIG_C=n\nCONFIG_D=\"x\"\n";
        assert_eq!(lost(fragment, config), [""; 0]);
        assert_eq!(lost("CONFIG_A=n\nCONFIG_B=y\n", config), ["CONFIG_A=n", "CONFIG_B=y"]);
        assert_eq!(lost("CONFIG_A=n\nCONFIG_A=y\n", config), [""; 0], "the last one counts");
    }
}
