//! `cargo xtask kernel shell`: a console in the kernel.

use super::Options;
use super::host::{For, Host};
use super::image::{self, MOST};
use super::machine::Initramfs;
use crate::examples;
use crate::tools::{self, Tools, output};
use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// What the shell says first. It reads this file because `ENV` and its being a login shell name it.
const PROFILE: &str = "\
if [ -z \"$KML_PROFILE\" ]; then
    export KML_PROFILE=1
    stty rows \"$LINES\" columns \"$COLUMNS\" 2>/dev/null
    unset LINES COLUMNS
    echo
    echo \"Linux $(uname -r). The examples are in /examples; verified ones run in ring 0.\"
    echo \"/proc/kml counts: try 'hello; cat /proc/kml'. In user mode: 'echo 0 > /proc/sys/kernel/kml/mode'.\"
    echo \"'exit' ends the machine; Ctrl-a x ends it at once.\"
fi
PS1='kml:\\w# '
";

/// Runs until the shell ends or the user has enough.
pub(crate) fn run(options: &Options) -> Result<ExitCode, String> {
    let tools = Tools::build()?;
    let programs = examples::build_all(&tools)?;
    let mut archive = image::base()?;
    for program in &programs {
        let name = program.file_name().unwrap_or_default();
        let content = std::fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
        archive.file(&Path::new("/examples").join(name), 0o755, &content);
    }
    let busybox = Host::with(For::Shell)?.file("/bin/busybox").ok_or("busybox is missing")?;
    let content = std::fs::read(&busybox).map_err(|e| format!("{}: {e}", busybox.display()))?;
    archive.file(Path::new("/bin/busybox"), 0o755, &content);
    let applets = output(Command::new(&busybox).arg("--list"))?;
    for applet in String::from_utf8_lossy(&applets).lines().filter(|a| *a != "busybox") {
        archive.link(&Path::new("/bin").join(applet), Path::new("busybox"));
    }
    archive.file(Path::new("/etc/profile"), 0o644, PROFILE.as_bytes());
    for path in &options.mount {
        let path = std::path::absolute(path).map_err(|e| format!("{}: {e}", path.display()))?;
        archive.copy(&path, MOST)?;
    }
    let machine = options.machine()?;
    let initramfs = Initramfs::write(&archive.finish())?;
    let mut qemu = machine.qemu(&initramfs.path, &format!("kml_shell={}", terminal()))?;
    // Keys go to the machine, Ctrl-c too.
    qemu.args(["-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console"]);
    qemu.args(["-mon", "chardev=console"]);
    tools::run(&mut qemu)?;
    Ok(ExitCode::SUCCESS)
}

/// The terminal's type, lines and columns, with commas between.
fn terminal() -> String {
    let kind = std::env::var("TERM").unwrap_or_default();
    let kind: String = kind.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let mut size = Command::new("stty");
    size.arg("size").stdin(Stdio::inherit()).stderr(Stdio::null());
    let size =
        if std::io::stdin().is_terminal() { output(&mut size).unwrap_or_default() } else { Vec::new() };
    let size = String::from_utf8_lossy(&size).trim().replace(' ', ",");
    format!("{kind},{size}")
}
