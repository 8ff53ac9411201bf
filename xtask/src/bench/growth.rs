//! Hostile inputs that grow in one dimension at a time: time and memory for each of their bytes.
//!
//! Each input is looked at by a process of its own, which says how long its one thread ran and how much memory it had at
//! once beside the input.

use super::publish;
use crate::tools::{self, cargo};
use crate::{Architecture, Done};
use std::fmt::Write as _;
use std::process::Command;
use tal_testkit::growth::{Family, families};

/// What `bench growth` is told beside the architecture.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// For `growth`: only the families whose name contains this
    #[arg(long)]
    family: Option<String>,
    /// For `growth`: the size of the largest inputs, in bytes
    #[arg(long, default_value_t = 4_000_000)]
    max: usize,
    /// For `growth`: measures one input of this size
    #[arg(long, hide = true)]
    member: Option<usize>,
}

/// Sizes double this often.
const DOUBLINGS: u32 = 4;

/// What one input cost.
struct Cost {
    /// The size of the input in bytes.
    bytes: u64,
    nanoseconds: u64,
    /// Bytes of memory beside the input.
    memory: u64,
    verdict: String,
}

/// Measures the families, and says which take longer for each byte the larger they are.
pub(crate) fn run(arch: Architecture, options: &Options) -> Done {
    if cfg!(debug_assertions) {
        // An unoptimised build would measure itself.
        let max = options.max.to_string();
        let args =
            ["run", "--release", "--quiet", "--package", "xtask", "--", "bench", "growth", "--max", &max];
        let family = options.family.iter().flat_map(|f| ["--family", f]);
        return tools::run(cargo(&args).args(["--arch", arch.name()]).args(family));
    }
    if let Some(size) = options.member {
        return child(arch, size, options.family.as_deref().unwrap_or_default());
    }
    let wanted = |f: &Family| options.family.as_ref().is_none_or(|w| f.name.contains(&**w));
    let mut table = format!(
        "{:<18} {:>11} {:>10} {:>9} {:>11} {:>7}  verdict\n",
        "family", "bytes", "ms", "ns/byte", "memory/byte", "growth"
    );
    let mut superlinear = Vec::new();
    let mut worst = (0.0f64, 0.0f64);
    for family in families().into_iter().filter(wanted) {
        let mut last: Option<f64> = None;
        let mut steep = 0;
        for doubling in (0..DOUBLINGS).rev() {
            let cost = measure(&family, arch, options.max >> doubling)?;
            let each = cost.nanoseconds as f64 / cost.bytes as f64;
            let memory = cost.memory as f64 / cost.bytes as f64;
            let ratio = last.map_or(String::new(), |last| format!("{:.2}", each / last));
            steep += u32::from(last.is_some_and(|last| each > 1.3 * last));
            last = Some(each);
            worst = (worst.0.max(each), worst.1.max(memory));
            let row = format!(
                "{:<18} {:>11} {:>10.1} {each:>9.1} {memory:>11.1} {ratio:>7}  {}\n",
                family.name,
                cost.bytes,
                cost.nanoseconds as f64 / 1e6,
                cost.verdict
            );
            eprint!("{row}");
            table.push_str(&row);
        }
        if steep + 1 >= DOUBLINGS - 1 {
            superlinear.push(family.name);
        }
    }
    let _ = writeln!(table, "at most {:.0} ns and {:.0} bytes of memory for each byte", worst.0, worst.1);
    let steep = if superlinear.is_empty() { "none".into() } else { superlinear.join(", ") };
    let _ = writeln!(table, "growing faster than their inputs: {steep}");
    publish("growth", arch, &table)
}

/// Lets a process of its own look at a member of a family.
fn measure(family: &Family, arch: Architecture, size: usize) -> Result<Cost, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let output = Command::new(program)
        .args([
            "bench",
            "growth",
            "--arch",
            arch.name(),
            "--family",
            family.name,
            "--member",
            &size.to_string(),
        ])
        // Memory that making the input took goes back, so that it is not there to be used again.
        .envs([("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")])
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut words = text.split_whitespace();
    let mut number = || words.next().and_then(|w| w.parse().ok());
    match (number(), number(), number()) {
        (Some(bytes), Some(nanoseconds), Some(memory)) => {
            Ok(Cost { bytes, nanoseconds, memory, verdict: words.collect::<Vec<_>>().join(" ") })
        }
        _ => Ok(Cost {
            bytes: size as u64,
            nanoseconds: 0,
            memory: 0,
            verdict: format!("died: {}", output.status),
        }),
    }
}

/// Makes a member, looks at it, and says what that cost.
fn child(arch: Architecture, size: usize, family: &str) -> Done {
    let family = families().into_iter().find(|f| f.name == family).ok_or("there is no such family")?;
    let member = family.member(arch.arch(), size);
    // What making it took is not counted.
    std::fs::write("/proc/self/clear_refs", "5").map_err(|e| format!("/proc/self/clear_refs: {e}"))?;
    let (memory, time) = (status("VmRSS:")?, running()?);
    let (verdict, _) = member.judge();
    let time = running()?.saturating_sub(time);
    let memory = status("VmHWM:")?.saturating_sub(memory);
    println!("{} {time} {memory} {verdict}", member.bytes());
    Ok(())
}

/// Nanoseconds for which this process ran.
fn running() -> Result<u64, String> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).map_err(|e| e.to_string())
}

/// A size in `/proc/self/status`, in bytes.
fn status(name: &str) -> Result<u64, String> {
    let text = std::fs::read_to_string("/proc/self/status").map_err(|e| format!("/proc/self/status: {e}"))?;
    let line = text.lines().find_map(|l| l.strip_prefix(name)).ok_or("no memory of this process")?;
    let size: u64 = line.trim().trim_end_matches(" kB").parse().map_err(|e| format!("{line}: {e}"))?;
    Ok(size * 1024)
}
