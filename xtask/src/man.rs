//! `cargo xtask man`: manual pages from the command lines.

use crate::Done;
use crate::tools::{target, write};
use clap::CommandFactory;

/// Writes `target/man/*.1`.
pub(crate) fn run() -> Done {
    let commands = [talasm::cli::Cli::command(), talcheck::cli::Cli::command(), tallink::cli::command()];
    for command in commands {
        let name = command.get_name().to_string();
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(|e| format!("{name}.1: {e}"))?;
        let path = target().join("man").join(format!("{name}.1"));
        write(&path, page)?;
        println!("{}", path.display());
    }
    Ok(())
}
