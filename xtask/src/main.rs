//! `cargo xtask`: every habit of this project is a command.

mod bench;
mod ci;
mod classes;
mod demo;
mod examples;
mod fuzz;
mod kernel;
mod man;
mod mutants;
mod source;
mod sweep;
mod tal;
mod tcb;
mod tidy;
mod tools;

use clap::{Parser, Subcommand, ValueEnum};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the tools, assembles, links, verifies and runs the examples, and shows a rejection
    Demo,
    /// Builds every example to target/examples/NAME
    Examples,
    /// What must hold before a change lands: format, clippy, tidy, tests
    Ci,
    /// Checks the habits that no other tool checks
    Tidy,
    /// Lists the tests of the attacks in docs/security.md
    Classes {
        /// One class, such as C1; all if left out
        class: Option<String>,
    },
    /// Measures the tools against others, in paired runs
    Bench {
        /// What to measure
        what: Bench,
        /// A program instead of single system calls; only with `kernel`
        experiment: Option<kernel::bench::Experiment>,
        /// Instructions of the generated program
        #[arg(long, default_value_t = 1_000_000)]
        instructions: usize,
        /// How often each side runs
        #[arg(long, default_value_t = 7)]
        runs: usize,
        /// Of which architecture the programs are; find and kernel have amd64 only
        #[arg(long, value_enum, default_value = "amd64")]
        arch: Architecture,
        #[command(flatten)]
        growth: bench::growth::Options,
    },
    /// Runs programs in the kernel of this project, in a virtual machine
    #[command(subcommand)]
    Kernel(Box<kernel::Kernel>),
    /// Damages sources, objects and executables at random and looks at what the tools make of them
    Fuzz {
        /// source, object, executable, generated, instructions or soundness; all if left out
        target: Option<String>,
        /// How long, for each target [default: 60]
        #[arg(long)]
        seconds: Option<u64>,
        /// How many cases at most; with `soundness`, which without `--seconds` takes as long as it takes
        #[arg(long)]
        cases: Option<u64>,
        /// Where the random numbers begin
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Repeats one round
        #[arg(long)]
        round: Option<u64>,
        /// Only what is for this architecture
        #[arg(long, value_enum)]
        arch: Option<Architecture>,
    },
    /// Compares the decoder with four others, over every byte string up to the length that decides
    Sweep {
        /// Only this architecture
        #[arg(long, value_enum)]
        arch: Option<Architecture>,
    },
    /// Changes the trusted core in one place at a time, and looks for a test that notices
    Mutants {
        /// Only sources of talcore whose path contains this
        #[arg(long, default_value = "")]
        filter: String,
        /// So many of the changes, at random
        #[arg(long)]
        sample: Option<usize>,
        /// Where the random numbers begin
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Counts the lines of what must be trusted
    Tcb,
    /// Writes the manual pages of the tools to target/man
    Man,
}

/// An architecture.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Architecture {
    /// Words of 64 bits
    Amd64,
    /// Words of 32 bits
    Ia32,
}

impl Architecture {
    /// As sources have it.
    fn name(self) -> &'static str {
        match self {
            Architecture::Amd64 => "amd64",
            Architecture::Ia32 => "ia32",
        }
    }

    /// The same for the tools' own code.
    fn arch(self) -> talcore::arch::Arch {
        match self {
            Architecture::Amd64 => talcore::arch::Arch::Amd64,
            Architecture::Ia32 => talcore::arch::Arch::Ia32,
        }
    }

    /// What the assembler and the linkers call its objects.
    fn formats(self) -> (&'static str, &'static str) {
        match self {
            Architecture::Amd64 => ("elf64", "elf_x86_64"),
            Architecture::Ia32 => ("elf32", "elf_i386"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// talasm against GNU as, on the same instructions
    Asm,
    /// talcheck against the raw decoding speed of iced-x86, on the same bytes
    Check,
    /// tallink against GNU ld, on the same objects
    Link,
    /// The allocator of the examples against the C library's, on the same steps
    Malloc,
    /// The echo server of the examples against the same one in C, asked by `echo-bench`
    Echod,
    /// `find` of the examples against the same walk in C and against GNU `find`, on the same trees
    Find,
    /// The examples against the tools that they imitate, on the same text
    Programs,
    /// System calls, processes and page faults in ring 0 against user mode, in the kernel of this project; or a
    /// program: `find`, `echod`, `iozone`
    Kernel,
    /// Bytes of annotations against bytes of code and data, for each example
    Size,
    /// Time and memory of the tools on hostile inputs that grow in one dimension at a time
    Growth,
    /// Writes docs/programs.md: lines, annotations and the time of checking, for each example
    Figures,
}

/// What a task ends with: a sentence for the user if it failed.
type Done = Result<(), String>;

fn main() -> ExitCode {
    let ok = |()| ExitCode::SUCCESS;
    let done: Result<ExitCode, String> = match Cli::parse().task {
        Task::Demo => demo::run().map(ok),
        Task::Examples => examples::run().map(ok),
        Task::Ci => ci::run().map(ok),
        Task::Tidy => tidy::run().map(ok),
        Task::Classes { class } => classes::run(class.as_deref()).map(ok),
        Task::Bench { what: Bench::Growth, growth, arch, .. } => bench::growth::run(arch, &growth).map(ok),
        Task::Bench { what, experiment, instructions, runs, arch, .. } => {
            bench::run(what, experiment, arch, instructions, runs.max(1)).map(ok)
        }
        Task::Kernel(what) => kernel::run(*what),
        Task::Fuzz { target, seconds, cases, seed, round, arch } => {
            let long = fuzz::Long { seconds, cases };
            fuzz::run(target.as_deref(), &long, seed, round, arch).map(ok)
        }
        Task::Sweep { arch } => sweep::run(arch).map(ok),
        Task::Mutants { filter, sample, seed } => mutants::run(&filter, sample, seed).map(ok),
        Task::Tcb => tcb::run().map(ok),
        Task::Man => man::run().map(ok),
    };
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
