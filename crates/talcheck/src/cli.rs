//! The command line.

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use talcore::Policy;
use talcore::arch::Arch;
use taldiag::Code;
use taldiag::render::{Color, Format};

/// The shape of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// One of those that all tools know.
    Of(Format),
    /// For `--list-syscalls`: what the build of a Linux kernel turns into its list of allowed calls.
    Kernel,
}

impl std::str::FromStr for Output {
    type Err = String;

    fn from_str(s: &str) -> Result<Output, String> {
        if s == "kernel" { Ok(Output::Kernel) } else { s.parse().map(Output::Of) }
    }
}

/// The name of an architecture, as sources have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArchName(pub Arch);

impl std::str::FromStr for ArchName {
    type Err = String;

    fn from_str(s: &str) -> Result<ArchName, String> {
        match s {
            "amd64" => Ok(ArchName(Arch::Amd64)),
            "ia32" => Ok(ArchName(Arch::Ia32)),
            _ => Err("amd64 or ia32 is meant".into()),
        }
    }
}

/// Says whether typed binaries are safe
///
/// Reads ELF files with TAL annotations and verifies, instruction by instruction, that they are memory safe,
/// keep to their control flow, and call the kernel only through the gate with arguments of the right types.
/// Prints one line for each accepted file, and the reason for each rejected one.
#[derive(Parser, Debug)]
#[command(name = "talcheck", version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 all files accepted, 1 a file rejected, 2 a file could not be read or the command line is wrong. \
                  With --kernel: 42 accepted, anything else refused."
)]
pub struct Cli {
    /// Files to verify; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["explain", "list_instructions", "list_syscalls", "list_codes", "kernel"])]
    pub files: Vec<PathBuf>,

    /// How to print: human, short, json, sarif or github; with --list-syscalls also kernel
    #[arg(long, value_name = "FORMAT", default_value = "human", global = true)]
    pub format: Output,

    /// Colours: auto, always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub color: Color,

    /// Demand safety under wrong predictions too: a branch teaches nothing unless it leads to `lfence`, the results
    /// of a system call are used behind one, and no jump is indirect
    #[arg(long, global = true)]
    pub spectre: bool,

    /// Print numbers about each accepted file
    #[arg(long)]
    pub stats: bool,

    /// Verify so many files at a time [default: as many as there are processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// Explain an error code, like TAL0301
    #[arg(long, value_name = "TALnnnn")]
    pub explain: Option<Code>,

    /// Print the instructions that are allowed
    #[arg(long)]
    pub list_instructions: bool,

    /// Print the system calls that are typed
    #[arg(long)]
    pub list_syscalls: bool,

    /// With --list-instructions or --list-syscalls: of amd64 or ia32 [default: all instructions, and the system
    /// calls of amd64]
    #[arg(long, value_name = "ARCH", conflicts_with_all = ["files", "explain", "list_codes", "kernel"])]
    pub arch: Option<ArchName>,

    /// Print all error codes with their titles
    #[arg(long)]
    pub list_codes: bool,

    /// Verify the program on standard input as a kernel does when it executes one: exit code 42 accepts, and
    /// one line on standard output tells the gate slot's address or the reason
    #[arg(long, conflicts_with_all = ["files", "explain", "list_instructions", "list_syscalls", "list_codes"])]
    pub kernel: bool,

    /// What to do other than to verify
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Which executions have to be safe.
    #[must_use]
    pub fn policy(&self) -> Policy {
        if self.spectre { Policy::Speculative } else { Policy::Architectural }
    }

    /// The architecture whose system calls are listed.
    #[must_use]
    pub fn listed(&self) -> Arch {
        self.arch.map_or(Arch::Amd64, |a| a.0)
    }

    /// The format of diagnostics.
    #[must_use]
    pub fn diagnostics(&self) -> Format {
        match self.format {
            Output::Of(format) => format,
            Output::Kernel => Format::Human,
        }
    }
}

/// What to do other than to verify.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Print what a file contains: segments, notes, types, objects, and its functions with the states at labels
    Dump {
        /// The file; `-` is standard input
        file: PathBuf,
    },
}
