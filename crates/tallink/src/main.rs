//! The typed linker's command.

fn main() -> std::process::ExitCode {
    tallink::cli::main(std::env::args_os()).into()
}
