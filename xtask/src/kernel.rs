//! `cargo xtask kernel`: programs in the kernel that this project patches, in a virtual machine.

mod apt;
pub(crate) mod bench;
mod build;
mod cpio;
mod guest;
mod host;
mod image;
mod machine;
mod run;
mod shell;
mod source;
mod statics;
mod test;

use crate::Done;
use crate::tools::root;
use build::Config;
use clap::{Args, Subcommand};
use machine::{Accel, Machine};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::ExitCode;

/// What to do with the kernel.
#[derive(Subcommand)]
pub(crate) enum Kernel {
    /// Runs a program in the kernel, in ring 0 if it is verified; its streams and its exit status are passed through
    Run {
        #[command(flatten)]
        options: Options,
        /// Run it in user mode, on the same kernel
        #[arg(long)]
        user: bool,
        /// Set a variable of the program's environment
        #[arg(long, value_name = "NAME=VALUE")]
        env: Vec<String>,
        /// The program; it is copied into the machine, as are arguments that name files
        program: PathBuf,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Gives a console in the kernel, with the examples in /examples
    Shell {
        #[command(flatten)]
        options: Options,
    },
    /// Tests the kernel: programs in both modes, programs that must be refused, the tests of the patches; prints TAP
    Test {
        /// In all kinds of machines: without SMEP and SMAP, with page-table isolation, with a debug kernel
        #[arg(long)]
        full: bool,
        /// Of all these machines, those whose name contains this
        #[arg(long, value_name = "WORDS", requires = "full")]
        machine: Option<String>,
        /// Build and boot the kernel with the first patch, with the first two, and so on to the whole series
        #[arg(long, conflicts_with = "full")]
        series: bool,
        /// How the machine's processor is made
        #[arg(long, default_value = "auto")]
        accel: Accel,
        /// Test this kernel image instead of building one
        #[arg(long, value_name = "FILE", conflicts_with_all = ["full", "series"])]
        kernel: Option<PathBuf>,
    },
    /// Builds the kernel and prints where it is
    Build {
        /// What is configured
        #[arg(long, default_value = "minimal")]
        config: Config,
    },
}

/// What the machine is made of.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Processors
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,
    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(64..))]
    memory: u32,
    /// Copy a directory (or a file) into the machine, to the same path
    #[arg(long, value_name = "DIR")]
    mount: Vec<PathBuf>,
    /// Forward a TCP port of this computer's loopback interface to one of the machine
    #[arg(long, value_name = "HOST:GUEST", value_parser = machine::port)]
    port: Vec<(u16, u16)>,
    /// How the machine's processor is made: kvm, tcg (emulation), or kvm if that works here
    #[arg(long, default_value = "auto")]
    accel: Accel,
    /// The processor that QEMU shows: see `qemu-system-x86_64 -cpu help`
    #[arg(long, value_name = "MODEL", default_value = "max")]
    cpu: String,
    /// Which kernel
    #[arg(long, default_value = "minimal")]
    config: Config,
    /// Boot this kernel image instead of building one
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// More words for the kernel's command line
    #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
    append: String,
    /// Switch the machine off after so many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Let the machine's clock advance by one nanosecond with each instruction
    #[arg(skip)]
    count: bool,
    /// Show the console of the machine on standard error, and what the kernel counted
    #[arg(long, short)]
    verbose: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            cpus: 1,
            memory: 512,
            mount: Vec::new(),
            port: Vec::new(),
            accel: Accel::Auto,
            cpu: "max".into(),
            config: Config::Minimal,
            kernel: None,
            append: String::new(),
            timeout: None,
            count: false,
            verbose: false,
        }
    }
}

impl Options {
    /// The machine with the kernel, which is built if need be.
    fn machine(&self) -> Result<Machine, String> {
        let kernel = match &self.kernel {
            Some(path) => path.clone(),
            None => build::kernel(self.config)?,
        };
        let host = host::Host::with(host::For::Boot)?;
        Ok(Machine { options: self.clone(), kernel, host })
    }
}

/// Does it. The exit code is that of the program that was run.
pub(crate) fn run(what: Kernel) -> Result<ExitCode, String> {
    match what {
        Kernel::Run { options, user, env, program, args } => {
            run::run(&options, &run::Program { user, env, program, args })
        }
        Kernel::Shell { options } => shell::run(&options),
        Kernel::Test { series: true, accel, .. } => passed(test::series(accel)?).map(|()| ExitCode::SUCCESS),
        Kernel::Test { full, machine, accel, kernel, .. } => {
            tests(full, machine.as_deref(), accel, kernel).map(|()| ExitCode::SUCCESS)
        }
        Kernel::Build { config } => {
            println!("{}", build::kernel(config)?.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Tests the kernel in its usual machine.
pub(crate) fn test() -> Done {
    tests(false, None, Accel::Auto, None)
}

fn tests(full: bool, name: Option<&str>, accel: Accel, kernel: Option<PathBuf>) -> Done {
    passed(test::run(full, name, accel, kernel)?)
}

fn passed(all: bool) -> Done {
    if all {
        return Ok(());
    }
    Err("the kernel does not do what it promises: see the lines with `not ok`".into())
}

/// Gets everything that testing the kernel needs.
///
/// # Errors
/// What cannot be had here.
pub(crate) fn available() -> Done {
    if source::Series::read()?.is_empty() {
        return Err("there are no patches in kml-patch/patches/6.12".into());
    }
    source::Source::get()?;
    host::Host::with(host::For::Build)?;
    host::Host::with(host::For::Boot).map(drop)
}

/// Where everything is kept that can be made again.
fn cache() -> PathBuf {
    root().join(".cache/kernel")
}

/// A number for some content, to see whether it has changed.
fn digest(content: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
