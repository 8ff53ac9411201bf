//! The checker against the raw decoding speed of iced-x86.

use super::{Pairs, directory, heading, program, publish};
use crate::Done;
use crate::tools::{self, Tools, write};
use iced_x86::{Decoder, DecoderOptions, Instruction};
use object::{Object, ObjectSegment};
use rayon::prelude::*;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Assembles and links a generated program, then checks and decodes it in memory.
pub(crate) fn run(instructions: usize, runs: usize) -> Done {
    let tools = Tools::build()?;
    let path = executable(&tools, instructions)?;
    let file = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let code = code(&file)?;
    let accept = talcheck::check(&file).map_err(|r| format!("the generated program is rejected: {r:?}"))?;

    let title = format!("{} instructions", accept.instructions);
    let mut table = heading(&title, "talcheck", "iced decode") + "\n";
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
        let pairs = Pairs::measure(runs, || all(&|| check(&file)), || all(&|| decode(&code)))?;
        let name = if n == 1 { "one thread".into() } else { format!("{n} threads, one copy each") };
        table.push_str(&(pairs.row(&name) + "\n"));
    }
    publish("check", &table)
}

fn check(file: &[u8]) -> Result<Duration, String> {
    let start = Instant::now();
    let verdict = black_box(talcheck::check(black_box(file)));
    let time = start.elapsed();
    verdict.map(|_| time).map_err(|r| format!("rejected: {r:?}"))
}

fn decode(code: &[(u64, &[u8])]) -> Result<Duration, String> {
    let start = Instant::now();
    let mut instruction = Instruction::default();
    for &(address, bytes) in code {
        let mut decoder = Decoder::with_ip(64, black_box(bytes), address, DecoderOptions::NONE);
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
pub(crate) fn objects(tools: &Tools, instructions: usize) -> Result<Vec<PathBuf>, String> {
    let directory = directory()?;
    let mut objects = Vec::new();
    for (i, module) in program::generate(instructions).iter().enumerate() {
        let source = directory.join(format!("m{i}.tal"));
        let object = directory.join(format!("m{i}.o"));
        write(&source, &module.tal)?;
        tools::run(tools.tool("talasm").arg("-o").arg(&object).arg(&source))?;
        objects.push(object);
    }
    Ok(objects)
}

/// Links the generated program and returns its path.
pub(crate) fn executable(tools: &Tools, instructions: usize) -> Result<PathBuf, String> {
    let program = directory()?.join("program");
    tools::run(tools.tool("tallink").arg("-o").arg(&program).args(objects(tools, instructions)?))?;
    Ok(program)
}
