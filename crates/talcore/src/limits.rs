//! Every bound of the checker, named, in one place.
//!
//! Reaching one rejects the file with [`crate::Code::Limit`] and the name of the bound. They are far
//! above what programs need and far below what would let a hostile file cost more than time
//! linear in its own size.

/// The largest file, in bytes, that is looked at (1 GiB).
pub const FILE_BYTES: usize = 1 << 30;
/// Program headers in one file.
pub const PROGRAM_HEADERS: usize = 64;
/// Notes of type TAL in one file.
pub const NOTES: usize = 1 << 16;
/// Variables in one linear term.
pub const TERM_VARS: usize = 16;
/// Facts in one state.
pub const FACTS: usize = 256;
/// Locations in one state.
pub const LOCATIONS: usize = 256;
/// Stretches that one function has begun and not ended, and those that one signature speaks of.
pub const STRETCHES: usize = 16;
/// Words that one location of exclusive memory holds beside its layout.
pub const HELD: usize = 64;
/// Of raw memory, numbers narrower than words are only remembered below so many: words that come later have room.
pub const HELD_NUMBERS: usize = 48;
/// Numbers that were only read are remembered below so many.
pub const HELD_READ: usize = 16;
/// Cells (words and raw areas) of one frame.
pub const FRAME_CELLS: usize = 1024;
/// Bytes of one frame.
pub const FRAME_BYTES: i64 = 1 << 24;
/// Index variables bound by one signature, struct or label.
pub const BINDERS: usize = 256;
/// Owned static objects that one signature uses.
pub const USES: usize = 64;
/// How deep types may nest.
pub const NESTING: usize = 64;
/// Fields of one struct or parts of one sequence.
pub const FIELDS: usize = 4096;
/// Variants of one union.
pub const VARIANTS: usize = 256;
/// Fields of a variant, also inside of its fields, among which the tag lies: so each union is checked in constant time
/// for each of its variants.
pub const TAG_FIELDS: usize = 64;
/// Tags of unions that are known of one location, and of all static objects.
pub const TAGS: usize = 16;
/// What the labels of one function may hold together, written out: see
/// [`crate::state::State::weight`]. Some 100 bytes of memory each; and each is paid for by a step.
pub const LABEL_PARTS: usize = 1 << 23;
/// The same for each byte of code and annotations...
pub const LABEL_PARTS_PER_BYTE: usize = 16;
/// ... and for every function, however small.
pub const LABEL_PARTS_BASE: usize = 1 << 16;
/// Steps without machine code in one function.
pub const GHOSTS: usize = 1 << 20;
/// Labels in one function.
pub const LABELS: usize = 1 << 20;
/// Facts that one certificate may use.
pub const CERT_FACTS: usize = 64;
/// Bytes of stack that may be allocated below the lowest touched address (the probe debt).
/// The kernel's guard gap is 1 MiB; this keeps far inside it.
pub const PROBE_DEBT: i64 = 65536;
/// The lowest address at which a segment may lie.
pub const LOWEST_ADDRESS: u64 = 65536;
/// Steps of checking that one function or object may take for each byte of it. Ordinary programs take fewer than 10.
pub const FUEL_PER_BYTE: u64 = 512;
/// Steps that every function and every object may take, however small.
pub const FUEL_BASE: u64 = 1 << 16;
/// Steps that all functions and objects of a file may take together, for each byte that is loaded from it. So what is
/// left to a single function is left to few of them: many small ones cannot add up.
pub const FILE_FUEL_PER_BYTE: u64 = 64;
/// The same for every file, however small.
pub const FILE_FUEL_BASE: u64 = 1 << 20;
/// Steps for finding equal structs in different notes, for each byte of notes.
pub const UNITE_STEPS_PER_BYTE: u64 = 64;
