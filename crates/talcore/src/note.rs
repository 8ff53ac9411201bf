//! The bounded reader of TAL notes: types, definitions and annotation streams.
//!
//! # Format, version 1
//!
//! An ELF note with name `TAL\0` and type `0x100`, in an allocated section `.note.tal` aligned to
//! the machine word. One note per assembled module; a linker concatenates them. `uleb`/`sleb` are
//! LEB128 with at most 19 bytes (values fit i128), `W` the word size in bytes.
//!
//! ```text
//! descriptor:
//!   u8   version = 1
//!   u8   architecture: 1 = AMD64, 2 = IA-32
//!   u16  words (little endian): number of address words
//!   u32  payload size in bytes (little endian)
//!   W*words   address words, absolute addresses (filled by relocations in a relocatable object)
//!   payload
//! payload:
//!   uleb sections; address word i is the base of section i, for each:
//!        u8 kind (0 code, 1 read-only data, 2 data, 3 zeroed data), uleb size in bytes
//!   uleb structs; for each: uleb number of parameters
//!   uleb nodes; for each a tag byte and its contents; nodes of one kind are numbered from 0 in order,
//!        and a node mentions only ids that came before it (structs: any):
//!        0x00 word int term            0x01 word range interval     0x02 word ptr: u8 mode, uleb layout
//!        0x03 word opt: uleb word      0x04 word fn: uleb sig       0x05 word variable: uleb
//!        0x10 layout bytes term        0x11 layout cstr term        0x12 layout cstr, hidden length
//!        0x13 layout cell: uleb word   0x14 layout num: u8 log2 of the width, interval
//!        0x15 layout array: term, uleb layout
//!        0x16 layout nullterm: term, uleb word    0x17 layout nullterm, hidden: uleb word
//!        0x18 layout struct: uleb struct, uleb count, terms
//!        0x19 layout seq: uleb count, uleb layouts
//!        0x20 sig: see below
//!   for each struct: uleb facts, terms; uleb fields, uleb layouts
//!   uleb objects; for each: uleb section, uleb offset from the section's base, u8 mode (imm or
//!        shared), uleb layout, u8 0  or  the same with u8 1 and uleb function: a jump table of that
//!        function of this note, whose layout is ignored and given as uleb number of entries instead
//!   uleb functions; for each: uleb section, uleb offset, uleb size in bytes, uleb sig,
//!        uleb length of the annotation stream, the stream (see `annot`)
//!   uleb imports; import i is at address word sections + i, for each: u8 kind (0 function: uleb sig,
//!        1 imm object: uleb layout, 2 shared object: uleb layout)
//!   uleb roles; for each: u8 (0 gate slot, 1 user-mode stub, 2 signal restorer), uleb section, uleb offset
//!   uleb names; for each: u8 kind (0 struct, 1 function, 2 object), uleb index in this note,
//!        uleb length, UTF-8 bytes. Untrusted: used for messages only.
//! term:      sleb constant, uleb count, for each summand: uleb variable (increasing), sleb coefficient
//! interval:  u8 tag: 0 all of ℤ, 1 [0, 2^(8W-1) - 1], 2 [0, 2^(8W) - 1], 3 [0, 255], 4 [0, 65535],
//!            5 [0, 2^32 - 1], 6 [0, 1], 7 sleb lo and sleb hi, 8 sleb lo, no upper bound,
//!            9 sleb hi, no lower bound, 10 [0, hi]: uleb hi
//! sig:       u8 flags (1 noreturn, 2 start), uleb vars, intervals; uleb word variables;
//!            uleb params, for each u8 register, uleb word; uleb stack words, uleb word each;
//!            uleb facts, terms; uleb result vars, intervals; uleb results (u8 register, uleb word);
//!            uleb result facts, terms; uleb given back (u8 register, uleb layout); u16 preserved (le)
//! ```
//!
//! Every count is checked against the bytes that are left before anything is allocated, so a note
//! costs memory linear in its size.
