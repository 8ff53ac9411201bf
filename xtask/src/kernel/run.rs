//! `cargo xtask kernel run`: one program, as if it ran here.

use super::guest::{Guest, Trouble};
use super::image::{self, MOST};
use super::{Options, cpio::Archive};
use kml_init::protocol::{self as say, Job};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to run.
pub(crate) struct Program {
    pub(crate) user: bool,
    pub(crate) env: Vec<String>,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
}

/// A program that the kernel refused to execute, as shells say it.
const NOT_EXECUTED: u8 = 126;
/// A program that took longer than it was allowed, as `timeout` says it.
const TIMEOUT: u8 = 124;

/// Runs it and passes its exit status through.
pub(crate) fn run(options: &Options, what: &Program) -> Result<ExitCode, String> {
    let (job, archive) = prepare(options, what)?;
    let machine = options.machine()?;
    let done = Guest::boot(&machine, &archive.finish()).and_then(|mut guest| {
        let before = guest.counters();
        let status = guest.run(&job, None, std::io::stdin(), print)?;
        if options.verbose {
            report(&before, &guest.counters());
        }
        guest.off()?;
        Ok(status)
    });
    match done {
        Ok(status) => Ok(ExitCode::from(status)),
        Err(trouble @ Trouble::Failed(_)) => {
            eprintln!("xtask: not executed: {}", trouble.text());
            Ok(ExitCode::from(NOT_EXECUTED))
        }
        Err(Trouble::Timeout) => {
            eprintln!("xtask: {}", Trouble::Timeout.text());
            Ok(ExitCode::from(TIMEOUT))
        }
        Err(Trouble::Broken(text)) => Err(text),
    }
}

/// The job, and the files that it needs.
fn prepare(options: &Options, what: &Program) -> Result<(Job, Archive), String> {
    let directory = std::env::current_dir().map_err(|e| format!("the working directory: {e}"))?;
    let absolute = |path: &Path| std::path::absolute(path).map_err(|e| format!("{}: {e}", path.display()));
    let program = absolute(&what.program)?;
    if !program.is_file() {
        let shown = what.program.display();
        let why =
            if program.is_dir() { "this is a directory, not a program" } else { "there is no such file" };
        return Err(format!(
            "{shown}: {why}; `cargo xtask examples` builds those of examples/ to target/examples/"
        ));
    }
    let mut archive = image::base()?;
    archive.directory(&directory);
    for path in &options.mount {
        archive.copy(&absolute(path)?, MOST)?;
    }
    let content = |path: &Path| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    archive.file(&program, 0o755, &content(&program)?);
    for argument in &what.args {
        let path = absolute(Path::new(argument)).unwrap_or_default();
        if path.is_file() {
            // What a link points to, so that it works without the rest of the directory.
            archive.file(&path, 0o644, &content(&path)?);
        }
    }
    if archive.len() > MOST {
        return Err(format!("the files together are larger than {} MiB", MOST >> 20));
    }
    let bytes = |text: &String| text.clone().into_bytes();
    let name = what.program.as_os_str().as_bytes().to_vec();
    let mut env: Vec<Vec<u8>> = vec![b"PATH=/bin:/usr/bin".to_vec(), b"HOME=/".to_vec()];
    env.extend(what.env.iter().map(bytes));
    let job = Job {
        user: what.user,
        directory: directory.as_os_str().as_bytes().to_vec(),
        program: program.as_os_str().as_bytes().to_vec(),
        args: [name].into_iter().chain(what.args.iter().map(bytes)).collect(),
        env,
    };
    Ok((job, archive))
}

/// Prints what the program prints, at once.
fn print(stream: u8, bytes: &[u8]) -> std::io::Result<()> {
    if stream == say::OUTPUT {
        let mut out = std::io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush())
    } else {
        std::io::stderr().write_all(bytes)
    }
}

/// What the kernel counted meanwhile.
fn report(before: &[(String, u64)], after: &[(String, u64)]) {
    for (name, now) in after {
        let then = before.iter().find(|(n, _)| n == name).map_or(0, |b| b.1);
        if *now != then {
            eprintln!("kml: {name} {then} -> {now}");
        }
    }
}
