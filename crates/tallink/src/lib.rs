//! The typed linker: makes one executable of many relocatable objects.
//!
//! ```text
//! inputs -> symbols -> interface (types at the seams) -> live -> layout -> write (relocations) -> recheck
//! ```
//!
//! Nothing here is trusted: the file that comes out is checked again as a whole by `talcore`. What
//! the linker adds is messages that name objects and symbols, before addresses have replaced them.

pub mod arch;
mod archive;
pub mod cli;
pub mod diag;
pub mod gate;
mod interface;
mod layout;
mod live;
mod map;
mod module;
mod object;
pub mod recheck;
mod reloc;
mod symbols;
mod write;

pub use diag::Diagnostic;
pub use layout::Segment;
pub use module::{Import, Module, link_module};

use arch::Arch;
use diag::show;
use layout::Layout;
use live::Live;
use symbols::{Program, Target};

/// A file to link.
#[derive(Clone, Debug)]
pub struct InputFile {
    /// What messages call it: its path.
    pub name: String,
    /// Its contents: an object or an archive.
    pub bytes: Vec<u8>,
}

/// One input, in the order of the command line.
#[derive(Clone, Debug)]
pub enum Input {
    /// An object, or an archive from which members are taken.
    File(InputFile),
    /// The archives up to [`Input::GroupEnd`] are searched again until none of them helps.
    GroupStart,
    /// See [`Input::GroupStart`].
    GroupEnd,
}

/// What to make.
#[derive(Clone, Debug)]
pub struct Options {
    /// The symbol at which the program starts.
    pub entry: String,
    /// What the inputs must be for, if that is not left to them.
    pub arch: Option<&'static Arch>,
    /// Leave out what the entry does not need.
    pub gc_sections: bool,
    /// Leave out symbols and debugging information.
    pub strip: bool,
    /// Also make a link map.
    pub map: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { entry: "_start".to_string(), arch: None, gc_sections: false, strip: false, map: false }
    }
}

/// A linked program.
#[derive(Clone, Debug)]
pub struct LinkOutput {
    /// The executable.
    pub image: Vec<u8>,
    /// The map, if it was asked for.
    pub map: Option<String>,
}

/// Links. The same inputs and options always give the same bytes.
///
/// The image is not yet checked: see [`recheck::recheck`].
///
/// # Errors
///
/// Everything that is wrong, as far as one phase can tell; never empty.
pub fn link(inputs: &[Input], options: &Options) -> Result<LinkOutput, Vec<Diagnostic>> {
    let Plan { program, live, layout, entry } = plan(inputs, options)?;
    let arch = program.objects[0].arch;
    let image = write::executable(&program, &layout, arch, entry, !options.strip)?;
    let map = options.map.then(|| map::map(&program, &layout, &live));
    Ok(LinkOutput { image, map })
}

/// Everything that is decided before bytes are written.
struct Plan<'a> {
    program: Program<'a>,
    live: Live,
    layout: Layout<'a>,
    /// The address of the entry point.
    entry: u64,
}

fn plan<'a>(inputs: &'a [Input], options: &Options) -> Result<Plan<'a>, Vec<Diagnostic>> {
    let program = Program::load(inputs)?;
    if let (Some(want), Some(first)) = (options.arch, program.objects.first())
        && want.machine != first.arch.machine
    {
        let message = format!("the object is for {}, and {} was asked for", first.arch.name, want.name);
        return Err(vec![Diagnostic::new(diag::NOT_AN_OBJECT, &first.name, message)]);
    }
    let (entry, start) = find_entry(&program, &options.entry).map_err(|e| vec![e])?;
    let live = if options.gc_sections {
        let mut roots = vec![start];
        roots.extend(gate_sections(&program));
        Live::reachable(&program, &roots)
    } else {
        Live::all(&program)
    };
    let mut errors = reloc::undefined(&program, &live);
    errors.extend(interface::check(&program, &live));
    if !errors.is_empty() {
        return Err(errors);
    }
    let layout = Layout::new(&program, &live, &[]).map_err(|e| vec![e])?;
    let entry = layout.address(start.0, start.1, entry).unwrap_or(0);
    Ok(Plan { program, live, layout, entry })
}

/// The entry's offset in its section, and the section.
fn find_entry(program: &Program, name: &str) -> Result<(u64, (u32, u32)), Diagnostic> {
    let id = program.global(name.as_bytes());
    let def = id.and_then(|id| program.globals[id as usize].def);
    let Some(def) = def else {
        let message = format!("the program has no entry point: `{}` is not defined", show(name.as_bytes()));
        let error = Diagnostic::general(diag::ENTRY, message);
        return Err(match program.similar(name.as_bytes()) {
            Some(similar) => error.help(format!("did you mean `{}`? choose it with -e", show(similar))),
            None => error.help("define `pub fn _start: start`, or choose another symbol with -e"),
        });
    };
    match program.target(def.object, def.symbol) {
        Target::Section { object, section, offset }
            if program.objects[object as usize].sections[section as usize].kind == object::Kind::Text =>
        {
            Ok((offset, (object, section)))
        }
        _ => {
            let message = format!("the entry point `{}` is not code", show(name.as_bytes()));
            Err(Diagnostic::new(diag::ENTRY, program.describe(def), message))
        }
    }
}

/// The sections of the gate and the stubs, which every program keeps.
fn gate_sections(program: &Program) -> Vec<(u32, u32)> {
    let names = [gate::GATE, gate::STUB, gate::RESTORER];
    let defs = names.iter().filter_map(|n| program.globals[program.global(n.as_bytes())? as usize].def);
    defs.filter_map(|def| match program.target(def.object, def.symbol) {
        Target::Section { object, section, .. } => Some((object, section)),
        _ => None,
    })
    .collect()
}
