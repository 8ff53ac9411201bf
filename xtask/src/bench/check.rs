//! The checker against the raw decoding speed of iced-x86.

use super::{Pairs, directory, heading, program, publish};
use crate::tools::{self, Tools, write};
use crate::{Architecture, Done, examples};
use iced_x86::{Decoder, DecoderOptions, Instruction};
use object::{Object, ObjectSegment};
use rayon::prelude::*;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Assembles and links a generated program, then checks and decodes it in memory; and the same for all
/// examples, one after the other.
pub(crate) fn run(arch: Architecture, instructions: usize, runs: usize) -> Done {
    let tools = Tools::build()?;
    let mut table = String::new();
    let generated = vec![executable(&tools, arch, instructions)?];
    let programs =
        [("generated", generated), ("examples", examples::build_for(&tools, arch.arch())?.programs())];
    for (name, paths) in programs {
        let files: Vec<Vec<u8>> = paths.iter().map(|p| read(p)).collect::<Result<_, _>>()?;
        let mut checked = 0;
        for file in &files {
            let accept =
                talcheck::check(file).map_err(|r| format!("a program of `{name}` is rejected: {r:?}"))?;
            checked += accept.instructions;
        }
        let title = format!("{name}, {checked} instructions");
        table.push_str(&(heading(&title, "talcheck", "iced decode") + "\n"));
        compare(arch, &files, runs, &mut table)?;
    }
    publish("check", arch, &table)
}

/// Checks all files and decodes all their code, in pairs, on one thread and on all.
fn compare(arch: Architecture, files: &[Vec<u8>], runs: usize, table: &mut String) -> Done {
    let codes: Vec<_> = files.iter().map(|file| code(file)).collect::<Result<_, _>>()?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut counts = vec![1, threads];
    counts.dedup();
    for n in counts {
        // The checker takes functions in parallel, as many as the pool has threads; so each pair has its own.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().map_err(|e| e.to_string())?;
        let all = |f: &(dyn Fn() -> Result<Duration, String> + Sync)| {
            let start = Instant::now();
            let each = || (0..n).into_par_iter().map(|_| f()).collect::<Result<Vec<_>, _>>();
            pool.install(each).map(|_| start.elapsed())
        };
        let ours = || all(&|| files.iter().map(|file| check(file)).sum());
        let theirs = || all(&|| codes.iter().map(|code| decode(arch, code)).sum());
        let name = if n == 1 { "one thread".into() } else { format!("{n} threads, one copy each") };
        table.push_str(&(Pairs::measure(runs, ours, theirs)?.row(&name) + "\n"));
    }
    Ok(())
}

/// The shortest of so many times that checking a program takes, and of decoding its code, one after the other.
pub(crate) fn shortest(arch: Architecture, file: &[u8], runs: usize) -> Result<(Duration, Duration), String> {
    let code = code(file)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|e| e.to_string())?;
    pool.install(|| {
        let mut least = (Duration::MAX, Duration::MAX);
        for _ in 0..runs.max(1) {
            least = (least.0.min(check(file)?), least.1.min(decode(arch, &code)?));
        }
        Ok(least)
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn check(file: &[u8]) -> Result<Duration, String> {
    let start = Instant::now();
    let verdict = black_box(talcheck::check(black_box(file)));
    let time = start.elapsed();
    verdict.map(|_| time).map_err(|r| format!("rejected: {r:?}"))
}

fn decode(arch: Architecture, code: &[(u64, &[u8])]) -> Result<Duration, String> {
    let start = Instant::now();
    let mut instruction = Instruction::default();
    let bits = if arch == Architecture::Ia32 { 32 } else { 64 };
    for &(address, bytes) in code {
        let mut decoder = Decoder::with_ip(bits, black_box(bytes), address, DecoderOptions::NONE);
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            black_box(&instruction);
        }
    }
    Ok(start.elapsed())
}

/// The executable segments with their addresses.
fn code(file: &[u8]) -> Result<Vec<(u64, &[u8])>, String> {
    let elf = object::File::parse(file).map_err(|e| e.to_string())?;
    let executable = |s: &object::Segment<'_, '_>| s.permissions().executable();
    let segments = elf.segments().filter(executable).map(|s| s.data().map(|d| (s.address(), d)));
    segments.collect::<Result<_, _>>().map_err(|e: object::Error| e.to_string())
}

/// Assembles the generated program, in several modules, and returns the objects.
pub(crate) fn objects(
    tools: &Tools,
    arch: Architecture,
    instructions: usize,
) -> Result<Vec<PathBuf>, String> {
    let directory = directory()?;
    let mut objects = Vec::new();
    for (i, module) in program::generate(arch, instructions).iter().enumerate() {
        let source = directory.join(format!("m{i}.tal"));
        let object = directory.join(format!("m{i}.o"));
        write(&source, &module.tal)?;
        tools::run(tools.tool("talasm").args(["-f", arch.formats().0]).arg("-o").arg(&object).arg(&source))?;
        objects.push(object);
    }
    Ok(objects)
}

/// Links the generated program and returns its path.
pub(crate) fn executable(tools: &Tools, arch: Architecture, instructions: usize) -> Result<PathBuf, String> {
    let program = directory()?.join("program");
    tools::run(tools.tool("tallink").arg("-o").arg(&program).args(objects(tools, arch, instructions)?))?;
    Ok(program)
}
