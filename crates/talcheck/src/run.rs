//! What the command does: from the command line to the exit code.

use crate::cli::{Cli, Command, Output};
use crate::read::{Failure, read};
use crate::verdict::{check_module, check_under, load_image};
use crate::{dump, explain, kernel, lists, report};
use rayon::prelude::*;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use talcore::program::Program;
use talcore::verdict::{Accept, Code, Reject};
use talcore::{Policy, limits};
use taldiag::render::{Format, Renderer};
use taldiag::{Diagnostic, Place, Sources};

/// Every file was accepted.
const ACCEPTED: u8 = 0;
/// A file was rejected.
const REJECTED: u8 = 1;
/// A file could not be read, or the command was used wrongly.
const UNUSABLE: u8 = 2;

/// Does what the command line says. Prints to standard output and standard error.
pub fn run(cli: &Cli) -> ExitCode {
    if cli.format == Output::Kernel && !cli.list_syscalls {
        eprintln!("talcheck: `--format kernel` is for --list-syscalls; see --help");
        return ExitCode::from(UNUSABLE);
    }
    let code = match (&cli.command, cli.explain) {
        (Some(Command::Dump { file }), _) => dump_file(cli, file),
        (None, Some(code)) => match explain::explain(code) {
            Ok(page) => print(page, ACCEPTED),
            Err(message) => {
                eprintln!("talcheck: {message}");
                UNUSABLE
            }
        },
        (None, None) if cli.kernel => kernel::run(cli.policy()),
        (None, None) if cli.list_instructions => print(&lists::instructions(cli.arch.map(|a| a.0)), ACCEPTED),
        (None, None) if cli.list_syscalls && cli.format == Output::Kernel => {
            print(&lists::kernel(cli.listed()), ACCEPTED)
        }
        (None, None) if cli.list_syscalls => print(&lists::syscalls(cli.listed()), ACCEPTED),
        (None, None) if cli.list_codes => print(&explain::list(), ACCEPTED),
        (None, None) => verify(cli),
    };
    ExitCode::from(code)
}

/// Prints to standard output. A reader that has seen enough (`talcheck --list-codes | head`) is no error;
/// anything else that stops the output is one.
fn print(text: &str, code: u8) -> u8 {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("talcheck: cannot write the output: {e}");
            code.max(UNUSABLE)
        }
        _ => code,
    }
}

/// What became of one file.
struct Outcome {
    name: String,
    result: Result<Accepted, (Sources, Vec<Diagnostic>)>,
    code: u8,
}

struct Accepted {
    accept: Accept,
    architecture: &'static str,
    module: bool,
    file_bytes: usize,
    time: Duration,
}

fn verify(cli: &Cli) -> u8 {
    let jobs = cli.jobs.map_or(0, usize::from);
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(jobs).build() {
        Ok(pool) => pool,
        Err(e) => {
            eprintln!("talcheck: cannot start threads: {e}");
            return UNUSABLE;
        }
    };
    let outcomes: Vec<Outcome> =
        pool.install(|| cli.files.par_iter().map(|f| verify_file(f, cli.policy())).collect());
    let code = outcomes.iter().map(|o| o.code).max().unwrap_or(UNUSABLE);

    let color = cli.color.wanted(&std::io::stderr());
    let renderer = Renderer::new("talcheck", cli.diagnostics()).color(color);
    let mut out = String::new();
    if cli.diagnostics() == Format::Sarif {
        let rejected = outcomes.iter().filter_map(|o| o.result.as_ref().err());
        let groups: Vec<_> = rejected.map(|(s, d)| (s, d.as_slice())).collect();
        out = renderer.render_groups(&groups);
        return print(&out, code);
    }
    for outcome in &outcomes {
        match &outcome.result {
            Ok(accepted) => out.push_str(&accepted_text(cli, &outcome.name, accepted)),
            Err((sources, d)) => {
                let text = renderer.render(sources, d);
                if matches!(cli.diagnostics(), Format::Human | Format::Short) {
                    // Keep the order of the command line where both streams end at one terminal.
                    print(&std::mem::take(&mut out), code);
                    eprint!("{text}");
                } else {
                    out.push_str(&text);
                }
            }
        }
    }
    print(&out, code)
}

fn verify_file(path: &Path, policy: Policy) -> Outcome {
    let name = if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() };
    let content = match read(path) {
        Ok(content) => content,
        Err(Failure::TooLarge) => {
            let reject =
                Reject::new(Code::Limit, limits::FILE_BYTES as u64, "the file is too large").in_file();
            return rejected(name, &[], None, &reject);
        }
        Err(Failure::Io(e)) => {
            let mut sources = Sources::new();
            let file = sources.add_binary(name.as_str());
            let d = Diagnostic::error(report::UNREADABLE, format!("the file cannot be read: {e}"))
                .at(Place::File { file }, "");
            return Outcome { name, result: Err((sources, vec![d])), code: UNUSABLE };
        }
    };
    if is_object(&content) {
        return verify_module(name, content, policy);
    }
    let start = Instant::now();
    let verdict = check_under(&content, policy);
    let time = start.elapsed();
    match verdict {
        Ok(accept) => {
            let architecture = architecture(&content);
            let accepted = Accepted { accept, architecture, module: false, file_bytes: content.len(), time };
            Outcome { name, result: Ok(accepted), code: ACCEPTED }
        }
        Err(reject) => {
            rejected(name, &content, talcore::check::load(&content).ok().map(|p| p.under(policy)), &reject)
        }
    }
}

/// Whether the file says that it is relocatable: a module, not a program.
fn is_object(file: &[u8]) -> bool {
    file.starts_with(b"\x7fELF") && file.get(16..18) == Some(&[1, 0])
}

fn verify_module(name: String, content: Vec<u8>, policy: Policy) -> Outcome {
    let file_bytes = content.len();
    let start = Instant::now();
    let module = match tallink::link_module(tallink::InputFile { name: name.clone(), bytes: content }) {
        Ok(module) => module,
        Err(errors) => {
            let mut sources = Sources::new();
            let all = errors.iter().map(|e| e.report(&mut sources)).collect();
            return Outcome { name, result: Err((sources, all)), code: REJECTED };
        }
    };
    let verdict = check_module(&module, policy);
    let time = start.elapsed();
    match verdict {
        Ok(accept) => {
            let architecture = architecture(&module.image);
            let accepted = Accepted { accept, architecture, module: true, file_bytes, time };
            Outcome { name, result: Ok(accepted), code: ACCEPTED }
        }
        Err(reject) => {
            let program = load_image(&module).ok().map(|p| p.under(policy));
            rejected(name, &module.image, program, &reject)
        }
    }
}

fn rejected(name: String, content: &[u8], program: Option<Program<'_>>, reject: &Reject) -> Outcome {
    let mut sources = Sources::new();
    let d = report::rejection(&mut sources, &name, content, program, reject);
    Outcome { name, result: Err((sources, vec![d])), code: REJECTED }
}

/// The architecture that the header of an accepted file names.
fn architecture(file: &[u8]) -> &'static str {
    match file.get(18..20) {
        Some([62, 0]) => "AMD64",
        Some([3, 0]) => "IA-32",
        _ => "unknown architecture",
    }
}

fn accepted_text(cli: &Cli, name: &str, a: &Accepted) -> String {
    let c = &a.accept;
    match cli.diagnostics() {
        Format::Json => {
            let mut v = serde_json::json!({
                "verdict": "accepted", "file": name, "module": a.module, "architecture": a.architecture,
                "functions": c.functions, "instructions": c.instructions, "code_bytes": c.code_bytes,
            });
            if cli.stats {
                v["note_bytes"] = c.note_bytes.into();
                v["data_bytes"] = c.data_bytes.into();
                v["file_bytes"] = a.file_bytes.into();
                v["labels"] = c.labels.into();
                v["certificates"] = c.certificates.into();
                v["steps"] = c.steps.into();
                v["nanoseconds"] = serde_json::json!(u64::try_from(a.time.as_nanos()).unwrap_or(u64::MAX));
            }
            format!("{v}\n")
        }
        // Annotations are about problems.
        Format::Github | Format::Sarif => String::new(),
        Format::Human | Format::Short => {
            let mut text = format!(
                "{name}: accepted{} ({}, {}, {}, {} of code)\n",
                if a.module { " as a module" } else { "" },
                a.architecture,
                count(c.functions, "function"),
                count(c.instructions, "instruction"),
                size(c.code_bytes),
            );
            if cli.stats {
                let share = percent(c.note_bytes, c.code_bytes.saturating_add(c.data_bytes));
                let speed = c.instructions as f64 / a.time.as_secs_f64().max(1e-9) / 1e6;
                let pay = c.steps as f64 / c.code_bytes.saturating_add(c.note_bytes).max(1) as f64;
                text.push_str(&format!(
                    "  file          {:>12}\n  code          {:>12}\n  typed data    {:>12}\n  notes         {:>12}   {share} of code and data\n  labels        {:>12}   with a stored state\n  certificates  {:>12}\n  steps         {:>12}   {pay:.1} for each byte of code and notes\n  time          {:>12}   {speed:.1} million instructions a second\n",
                    size(a.file_bytes as u64), size(c.code_bytes), size(c.data_bytes), size(c.note_bytes),
                    c.labels, c.certificates, c.steps, format!("{:.3} ms", a.time.as_secs_f64() * 1e3),
                ));
            }
            text
        }
    }
}

fn count(n: u64, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

/// A size with the unit that keeps it short.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => format!("{:.1} KB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MB", bytes as f64 / 1048576.0),
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".into() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

/// Prints what a file contains. The exit code says whether it could be loaded, not whether it is safe.
fn dump_file(cli: &Cli, path: &Path) -> u8 {
    let show = |outcome: Outcome| {
        let renderer =
            Renderer::new("talcheck", cli.diagnostics()).color(cli.color.wanted(&std::io::stderr()));
        if let Err((sources, all)) = &outcome.result {
            eprint!("{}", renderer.render(sources, all));
        }
        outcome.code
    };
    let name = if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() };
    let content = match read(path) {
        Ok(content) => content,
        // Says why.
        Err(_) => return show(verify_file(path, cli.policy())),
    };
    if is_object(&content) {
        let module = tallink::link_module(tallink::InputFile { name: name.clone(), bytes: content.clone() });
        return match module.ok().as_ref().map(|m| (m, load_image(m))) {
            Some((m, Ok(program))) => print(&dump::dump(&name, &m.image, &program), ACCEPTED),
            _ => show(verify_module(name, content, cli.policy())),
        };
    }
    match talcore::check::load(&content) {
        Ok(program) => print(&dump::dump(&name, &content, &program), ACCEPTED),
        Err(reject) => show(rejected(name, &content, None, &reject)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([size(0), size(1023), size(3174), size(5 << 20)], ["0 B", "1023 B", "3.1 KB", "5.0 MB"]);
        assert_eq!([count(1, "function"), count(0, "function")], ["1 function", "0 functions"]);
        assert_eq!([percent(1, 8), percent(1, 0)], ["12.5 %", "-"]);
    }
}
