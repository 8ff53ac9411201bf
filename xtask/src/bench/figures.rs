//! What programs in TAL cost their authors, their files and those who check them: `docs/programs.md`.

use super::check;
use crate::tools::{self, Tools, root};
use crate::{Architecture, Done, examples, tal};
use object::{Object, ObjectSection, SectionKind};
use std::fmt::Write as _;
use std::path::PathBuf;
use talcore::arch::Arch;

/// Where the page is.
pub(crate) const PAGE: &str = "docs/programs.md";

/// What an executable is made of, as the checker counts it.
#[derive(Clone, Copy, Default)]
struct Sizes {
    instructions: u64,
    code: u64,
    /// What the file holds of data: not what begins as zeros.
    data: u64,
    notes: u64,
}

impl Sizes {
    /// The columns of it.
    fn columns(self) -> String {
        let Sizes { instructions, code, data, notes } = self;
        let share = 100.0 * notes as f64 / ((code + data) as f64).max(1.0);
        format!("{instructions} | {code} | {data} | {notes} | {share:.0} %")
    }
}

/// The bytes of data that an executable holds.
fn data(file: &[u8]) -> Result<u64, String> {
    let elf = object::File::parse(file).map_err(|e| e.to_string())?;
    let mut bytes = 0;
    for section in elf.sections() {
        // What begins as zeros is of another kind.
        if matches!(section.kind(), SectionKind::ReadOnlyData | SectionKind::Data) {
            bytes += section.size();
        }
    }
    Ok(bytes)
}

/// Measures all examples and writes the page.
pub(crate) fn run(runs: usize) -> Done {
    let tools = Tools::build()?;
    let mut page = String::from(START);
    written(&mut page)?;
    page.push_str(LINKED);
    for (arch, title) in [(Arch::Amd64, "AMD64"), (Arch::Ia32, "IA-32")] {
        let programs: Vec<PathBuf> =
            examples::build_for(&tools, arch)?.examples.into_iter().map(|e| e.program).collect();
        let _ = write!(page, "\n### {title}\n\n{HEADING}");
        let mut all = Sizes::default();
        for program in programs {
            all_of(&mut page, arch, &program, &mut all, runs)?;
        }
        let _ = writeln!(page, "| all | {} | | |", all.columns());
    }
    tools::write(&root().join(PAGE), page)?;
    println!("written to {PAGE}");
    Ok(())
}

/// The table of what was written by hand. It needs sources only, so that tidy can compare it.
pub(crate) fn written(page: &mut String) -> Done {
    page.push_str(
        "| program | lines | of the library | signatures | of the library | types | of the library | inside functions |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for name in examples::names(Arch::Amd64)? {
        let (own, library) = tal::example(&name)?;
        let _ = writeln!(
            page,
            "| [{name}](../examples/{name}/) | {} | {} | {} | {} | {} | {} | {} |",
            own.lines,
            library.lines,
            own.signatures,
            library.signatures,
            own.types,
            library.types,
            own.inside
        );
    }
    let mut library = tal::Counts::default();
    for path in tal::sources(&root().join("examples/lib"))? {
        library += tal::count(&tools::read(&path)?);
    }
    let _ = writeln!(
        page,
        "| [the library](../examples/lib/) | {} | | {} | | {} | | {} |",
        library.lines, library.signatures, library.types, library.inside
    );
    Ok(())
}

/// A row of what a program is made of, and how long checking it takes.
fn all_of(page: &mut String, arch: Arch, program: &PathBuf, all: &mut Sizes, runs: usize) -> Done {
    let file = std::fs::read(program).map_err(|e| format!("{}: {e}", program.display()))?;
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let accept = talcheck::check(&file).map_err(|r| format!("{name} is rejected: {r:?}"))?;
    let sizes = Sizes {
        instructions: accept.instructions,
        code: accept.code_bytes,
        data: data(&file)?,
        notes: accept.note_bytes,
    };
    let decoded = match arch {
        Arch::Amd64 => Architecture::Amd64,
        Arch::Ia32 => Architecture::Ia32,
    };
    let (check, decode) = check::shortest(decoded, &file, runs)?;
    let milliseconds = check.as_secs_f64() * 1e3;
    let _ = writeln!(
        page,
        "| {name} | {} | {milliseconds:.2} | {:.0} |",
        sizes.columns(),
        check.as_secs_f64() / decode.as_secs_f64().max(1e-9)
    );
    all.instructions += sizes.instructions;
    all.code += sizes.code;
    all.data += sizes.data;
    all.notes += sizes.notes;
    Ok(())
}

const START: &str = "\
# What programs cost

<!-- Written by `cargo xtask bench figures`; do not edit. -->

What the [examples](../examples/README.md) cost those who write them, the files that hold them, and those who check
them.

## By hand

Lines are those that are neither empty nor comment. A signature is the type of a function; types are structs, unions
and others that have names. *Inside functions* are annotations that a body needs beyond the signature: facts at
labels, and statements such as `split`, which make no code. Everything else is inferred. *Of the library* is what
all modules have that a program uses; of these, only the functions that it calls are linked.

";

const LINKED: &str = "
## In the file, and to check it

Bytes: *code* in functions, *data* that the file holds (not what begins as zeros), and *annotations*, by which the
checker proves what the assembler has inferred; debugging information is left out. The *share* is that of the
annotations to code and data together. Others report, with more help from their compilers, 17 % (iTalX), 36 %
(Bartok) and 92 to 98 % (TALx86).

The time of checking is the shortest of several runs, on one thread, with the file in memory. It depends on the
computer and on what else that does; *times decoding* depends on that less: how often the same code could be decoded
meanwhile, without any checking, by a fast decoder (iced-x86).
";

const HEADING: &str = "\
| program | instructions | code | data | annotations | share | ms to check | times decoding |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
";
