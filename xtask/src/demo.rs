//! `cargo xtask demo`: the whole way of a program, shown.

use crate::tools::{self, Tools, output, root, shown, target, write};
use crate::{Done, examples};
use std::process::{Command, Stdio};
use taldiag::{Code, codes};

/// The page whose rejected program is shown.
const SHOWN: Code = Code(301);

/// Builds everything, verifies it, runs it on files of this project and shows a rejection.
pub(crate) fn run() -> Done {
    heading("Building talasm, tallink and talcheck");
    let tools = Tools::build()?;

    heading("Assembling and linking the examples");
    let programs = examples::build_all(&tools)?;
    println!("{} programs in target/examples", programs.len());

    heading("Verifying the executables");
    tools::run(tools.tool("talcheck").args(&programs))?;

    heading("Running them on real files");
    for words in [
        &["hello"][..],
        &["echo", "words", "and", "more", "words"],
        &["rpn", "3", "4", "+", "2", "*"],
        &["head", "-n", "3", "README.md"],
        &["wc", "README.md", "Cargo.lock"],
        &["sha256sum", "README.md", "LICENSE-MIT"],
    ] {
        example(words)?;
    }
    for words in
        [&["cat", "Cargo.lock"][..], &["sha256sum", "Cargo.lock"], &["head", "-c", "1000", "Cargo.lock"]]
    {
        same(words)?;
    }

    heading("An unsafe program is rejected");
    rejection(&tools)?;

    heading("Now it is your turn");
    println!("Read docs/README.md, change an example, and run `cargo xtask demo` again.");
    println!(
        "To run an example in ring 0 of a kernel, in a virtual machine (the first time takes some minutes):"
    );
    println!("    cargo xtask kernel run target/examples/sha256sum README.md");
    println!("and for a console there: cargo xtask kernel shell. More in docs/kernel-run.md.");
    Ok(())
}

fn heading(text: &str) {
    println!("\n== {text}\n");
}

/// The command for an example; `None` if there is no such example.
fn command(words: &[&str]) -> Option<Command> {
    let (name, args) = words.split_first()?;
    let program = target().join("examples").join(name);
    let mut c = Command::new(&program);
    c.args(args).current_dir(root());
    program.is_file().then_some(c)
}

fn example(words: &[&str]) -> Done {
    let Some(mut c) = command(words) else { return Ok(()) };
    println!("$ {}", shown(&c));
    tools::run(&mut c)?;
    println!();
    Ok(())
}

/// Compares what an example prints with what the program that it imitates prints, if that is installed.
fn same(words: &[&str]) -> Done {
    let (Some(mut ours), [program, args @ ..]) = (command(words), words) else { return Ok(()) };
    let mut theirs = Command::new(program);
    theirs.args(args).current_dir(root()).stdin(Stdio::null());
    if !tools::exists(program) {
        return Ok(());
    }
    if output(&mut ours)? != output(&mut theirs)? {
        return Err(format!("`{}` and `{}` print different things", shown(&ours), shown(&theirs)));
    }
    println!("$ {} prints the same as {}", shown(&ours), shown(&theirs));
    Ok(())
}

/// Assembles the rejected program of an error page; succeeding would be a failure.
fn rejection(tools: &Tools) -> Done {
    let entry = codes::find(SHOWN).ok_or_else(|| format!("there is no page for {SHOWN}"))?;
    let examples = entry.examples();
    let bad = examples.iter().find(|e| e.language == "tal" && e.rejected == Some(SHOWN));
    let bad = bad.ok_or_else(|| format!("the page of {SHOWN} shows no rejected program"))?;
    let source = target().join("examples/rejected.tal");
    write(&source, &bad.text)?;
    let object = target().join("examples/rejected.o");
    let mut c = tools.tool("talasm");
    // The way one would type it, which is how messages show it.
    for path in [&object, &source] {
        let short = path.strip_prefix(root()).unwrap_or(path);
        c.args((path == &object).then_some("-o")).arg(short);
    }
    println!("$ {}", shown(&c));
    let status = c.status().map_err(|e| format!("cannot run `{}`: {e}", shown(&c)))?;
    if status.code() == Some(1) { Ok(()) } else { Err(format!("`{}` should have rejected it", shown(&c))) }
}
