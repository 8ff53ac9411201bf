//! Memory that knows what lies where.

use super::arguments::reveal;
use fastrand::Rng;
use std::cell::RefCell;
use std::ops::Range;
use talcore::arch::Arch;
use talcore::data;
use talcore::program::{Object, ObjectKind, Program, Segment};
use talcore::shapes::Shapes;
use talcore::term::Term;
use talcore::types::{Layout, LayoutId, Mode};

const STACK: u64 = 32 << 20;
/// How many bytes of the stack earlier calls have used.
const LEFT: usize = 65536;

thread_local! {
    /// A stack of zeros that a memory left behind: to map a new one costs more than most runs.
    static OLD_STACK: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn fresh_stack() -> Vec<u8> {
    let old = OLD_STACK.take();
    if old.is_empty() { vec![0; STACK as usize] } else { old }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut stack = std::mem::take(&mut self.stack);
        stack[self.lowest_used..].fill(0);
        // The thread may be ending.
        let _ = OLD_STACK.try_with(|old| old.replace(stack));
    }
}

/// Where things lie in an address space.
#[derive(Clone, Copy)]
struct Map {
    /// Where the stack ends, and the argument block begins.
    top: u64,
    /// Where objects lie that arguments point to.
    given: u64,
    /// How far from each other, as a power of 2.
    apart: u32,
    /// Bytes in a word.
    word: u64,
}

impl Map {
    fn of(arch: Arch) -> Map {
        match arch {
            Arch::Amd64 => Map { top: 0x7ffd_0000_0000, given: 0x5500_0000_0000, apart: 32, word: 8 },
            // Some of what arguments point to has the sign bit.
            Arch::Ia32 => Map { top: 0xffd0_0000, given: 0x7fc0_0000, apart: 21, word: 4 },
        }
    }

    /// The lowest address of the stack.
    fn lowest(self) -> u64 {
        self.top - STACK
    }

    fn stack(self) -> Range<u64> {
        self.lowest()..self.top
    }
}

/// An object that an argument points to.
struct Given {
    addr: u64,
    bytes: Vec<u8>,
    mode: Mode,
    holds: Holds,
    /// What the kernel has taken back of it.
    gone: Vec<Range<u64>>,
}

/// What an object that an argument points to holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A layout that says its size without variables.
    Layout(LayoutId),
    /// A string of the length that it has.
    String,
    /// Something of another size than its type says.
    Hidden,
}

/// The memory of a process.
pub struct Memory {
    map: Map,
    segments: Vec<(u64, Vec<u8>)>,
    /// From the lowest address on.
    stack: Vec<u8>,
    /// What lies below this index in it is 0.
    lowest_used: usize,
    /// The argument block: the words, and the strings; each is an object of its own.
    block_bytes: Vec<u8>,
    strings: Vec<Range<u64>>,
    /// The value of rsp at the entry.
    pub(crate) block: u64,
    /// Where return addresses lie, the latest last.
    pub(crate) slots: Vec<u64>,
    /// The lowest stack address that was touched.
    pub(crate) touched: u64,
    /// Objects that arguments point to.
    objects: Vec<Given>,
    /// Where the program's objects with types lie that a write could break.
    watched: Vec<Range<u64>>,
    /// Whether somebody wrote to one of them, or to an argument, since the last look at their types.
    dirty: bool,
}

impl Memory {
    pub(crate) fn new(program: &Program<'_>, args: &[&[u8]], rng: &mut Rng) -> Memory {
        let map = Map::of(program.arch);
        let segments = program.segments.iter().map(|s| {
            // Zeros that nobody touches cost nothing.
            let mut bytes = vec![0; s.size as usize];
            bytes[..s.bytes.len()].copy_from_slice(s.bytes);
            (s.addr, bytes)
        });
        let mut stack = fresh_stack();
        // What earlier calls left there.
        rng.fill(&mut stack[STACK as usize - LEFT..]);
        // Words: argc, argv, 0, environment, 0. Strings lie apart from each other.
        let environment: [&[u8]; 2] = [b"PATH=/bin", b"EMPTY="];
        let mut words = vec![args.len() as u64];
        let vector = map.word * (1 + args.len() + 1 + environment.len() + 1) as u64;
        let mut at = map.top + vector + 64;
        let mut strings = Vec::new();
        strings.push(map.top..map.top + vector);
        let mut bytes = vec![0xaa; 64];
        for (i, text) in args.iter().chain(&environment).enumerate() {
            if i == args.len() {
                words.push(0);
            }
            words.push(at);
            let size = text.len() as u64 + 1;
            strings.push(at..at + size);
            bytes.extend(*text);
            bytes.extend([0, 0xaa, 0xaa]);
            at += size + 2;
        }
        words.push(0);
        let width = map.word as usize;
        let words = words.iter().flat_map(|w| w.to_le_bytes().into_iter().take(width));
        let block_bytes = words.chain(bytes).collect();
        let watched = program.objects.iter().filter_map(|o| match o.kind {
            ObjectKind::Data(Mode::Shared, l) if program.shapes.raw_size(l).is_none() => {
                Some(o.addr..o.addr + o.size)
            }
            _ => None,
        });
        Memory {
            map,
            segments: segments.collect(),
            stack,
            lowest_used: STACK as usize - LEFT,
            block_bytes,
            strings,
            block: map.top,
            slots: Vec::new(),
            touched: map.top,
            objects: Vec::new(),
            watched: watched.collect(),
            dirty: false,
        }
    }

    /// A new object outside of the program's own memory; `None` if there is no room for more.
    pub(crate) fn allocate(&mut self, bytes: Vec<u8>, mode: Mode, holds: Holds) -> Option<u64> {
        // Far from each other, so that nothing reaches from one to the next.
        let addr = self.map.given + ((self.objects.len() as u64) << self.map.apart);
        if addr + (1 << self.map.apart) > self.map.lowest() {
            return None;
        }
        self.objects.push(Given { addr, bytes, mode, holds, gone: Vec::new() });
        Some(addr)
    }

    /// The kernel takes memory back, which the program may use at this moment.
    pub(crate) fn take_back(&mut self, addr: u64, size: u64) {
        if let Some(o) = self.given(addr) {
            o.gone.push(addr..addr + size);
        }
    }

    /// The object at an address.
    fn given(&mut self, addr: u64) -> Option<&mut Given> {
        let index = addr.checked_sub(self.map.given)? >> self.map.apart;
        self.objects.get_mut(usize::try_from(index).ok()?)
    }

    /// Whether `size` bytes at `addr` may be read, or written; `rsp` is where the stack ends.
    pub(crate) fn allowed(
        &mut self,
        program: &Program<'_>,
        rsp: u64,
        addr: u64,
        size: u64,
        write: bool,
    ) -> Result<(), String> {
        if size == 0 {
            return Ok(());
        }
        let verb = if write { "writes" } else { "reads" };
        let what = format!("{verb} {size} bytes at {addr:#x}");
        let Some(end) = addr.checked_add(size) else { return Err(format!("{what}: wraps around")) };
        if self.map.stack().contains(&addr) {
            if addr < rsp {
                return Err(format!("{what}: below rsp, {rsp:#x}"));
            }
            if end > self.map.top {
                return Err(format!("{what}: behind the stack"));
            }
            // The slots lie at decreasing addresses.
            let near = self.slots.partition_point(|s| *s >= end);
            if self.slots.get(near).is_some_and(|s| s + self.map.word > addr) {
                return Err(format!("{what}: a return address"));
            }
            return Ok(());
        }
        if addr >= self.map.top {
            let inside = self.strings.iter().any(|s| s.start <= addr && end <= s.end);
            return match inside && !write {
                true => Ok(()),
                false => Err(format!("{what}: in the argument block")),
            };
        }
        if let Some(o) = self.given(addr) {
            if o.gone.iter().any(|r| r.start < end && addr < r.end) {
                return Err(format!("{what}: the memory was given back"));
            }
            let (at, have) = (addr - o.addr, o.bytes.len() as u64);
            return match at <= have && have - at >= size && (o.mode.writable() || !write) {
                true => Ok(()),
                false => Err(format!("{what}: at {at} in an argument of {have} bytes")),
            };
        }
        match program.object_at(addr).and_then(|(i, off)| Some((program.objects.get(i as usize)?, off))) {
            Some((object, off)) if object.size - off >= size => match object.kind {
                ObjectKind::Data(Mode::Shared | Mode::Uniq, _) => Ok(()),
                ObjectKind::Data(..) if !write => Ok(()),
                _ => Err(format!("{what}: in an object that does not allow it")),
            },
            Some((object, off)) => Err(format!("{what}: at {off} in an object of {} bytes", object.size)),
            None => Err(format!("{what}: there is no object")),
        }
    }

    fn bytes(&mut self, addr: u64, size: usize) -> Option<&mut [u8]> {
        let map = self.map;
        if addr >= map.top {
            let at = (addr - map.top) as usize;
            return self.block_bytes.get_mut(at..at + size);
        }
        if addr >= map.lowest() {
            let at = (addr - map.lowest()) as usize;
            self.lowest_used = self.lowest_used.min(at);
            return self.stack.get_mut(at..at + size);
        }
        if addr >= map.given {
            let o = self.given(addr)?;
            let at = (addr - o.addr) as usize;
            return o.bytes.get_mut(at..at + size);
        }
        let (base, bytes) = self.segments.iter_mut().rev().find(|s| s.0 <= addr)?;
        let at = (addr - *base) as usize;
        bytes.get_mut(at..at.checked_add(size)?)
    }

    /// Reads up to 8 bytes, which are allowed.
    pub(crate) fn read(&mut self, addr: u64, size: usize) -> Result<u64, String> {
        let bytes = self.bytes(addr, size).ok_or_else(|| format!("nothing is mapped at {addr:#x}"))?;
        let mut word = [0; 8];
        word[..size].copy_from_slice(bytes);
        self.touch(addr);
        Ok(u64::from_le_bytes(word))
    }

    /// Writes up to 8 bytes, which are allowed.
    pub(crate) fn write(&mut self, addr: u64, size: usize, value: u64) -> Result<(), String> {
        let bytes = self.bytes(addr, size).ok_or_else(|| format!("nothing is mapped at {addr:#x}"))?;
        bytes.copy_from_slice(&value.to_le_bytes()[..size]);
        self.touch(addr);
        self.soil(addr, size as u64);
        Ok(())
    }

    /// Writes to one of the program's objects.
    pub(crate) fn put(&mut self, addr: u64, bytes: &[u8]) {
        if let Some(place) = self.bytes(addr, bytes.len()) {
            place.copy_from_slice(bytes);
            self.soil(addr, bytes.len() as u64);
        }
    }

    /// The lowest address of the stack.
    pub(super) fn lowest(&self) -> u64 {
        self.map.lowest()
    }

    /// Remembers that something was written.
    fn soil(&mut self, addr: u64, size: u64) {
        let watched = self.watched.partition_point(|o| o.end <= addr);
        let watched = self.watched.get(watched).is_some_and(|o| o.start < addr + size);
        self.dirty |= watched || (self.map.given..self.map.lowest()).contains(&addr);
    }

    fn touch(&mut self, addr: u64) {
        if self.map.stack().contains(&addr) {
            self.touched = self.touched.min(addr);
        }
    }

    /// The stack was released up to `rsp`: what lies below counts as untouched.
    pub(crate) fn release(&mut self, rsp: u64) {
        self.touched = self.touched.max(rsp.min(self.map.top));
    }

    /// Whether all objects hold what their types say.
    pub(crate) fn typed(&mut self, program: &Program<'_>) -> Result<(), String> {
        // Where an argument's size is hidden, its address in a cell could not be judged; nor where it has no bytes.
        let owning = |o: &Given| matches!(o.holds, Holds::Layout(l) if program.shapes.linear(l));
        // A layout of the signature's variables means something in the function only.
        let open = |o: &Given| matches!(o.holds, Holds::Layout(l) if program.shapes.scope(l) != Some(0));
        let vague = |o: &Given| o.holds == Holds::Hidden || o.bytes.is_empty() || owning(o) || open(o);
        // What is owned may have become shared or unchanging for ever, and be kept in an object then.
        let hidden = |o: &Given| o.mode.permanent() && vague(o) || o.mode == Mode::Own;
        // Memory that comes into being at run time is no object of the file, and words of files own nothing.
        let owner = |o: &Object| matches!(o.kind, ObjectKind::Data(_, l) if program.shapes.linear(l));
        let hidden = self.objects.iter().any(hidden) || program.objects.iter().any(owner);
        if !std::mem::take(&mut self.dirty) || hidden {
            return Ok(());
        }
        let mut now = program.clone();
        let memory = self.segments.iter().map(|s| &s.1[..]);
        now.segments =
            program.segments.iter().zip(memory).map(|(s, bytes)| Segment { bytes, ..*s }).collect();
        // Arguments that live for ever may be kept in the program's objects: those of functions, and the strings of
        // the process. Each string's length makes a type of its own.
        let given = self.objects.iter().filter(|o| o.mode.permanent()).map(|o| {
            let layout = if let Holds::Layout(l) = o.holds { Some(l) } else { None };
            (o.addr, &o.bytes[..], o.mode, layout)
        });
        let strings = self.strings.iter().skip(1).map(|s| {
            let bytes = &self.block_bytes[(s.start - self.map.top) as usize..(s.end - self.map.top) as usize];
            (s.start, bytes, Mode::Imm, None)
        });
        for (addr, bytes, mode, layout) in given.chain(strings) {
            let size = bytes.len() as u64;
            let layout = layout.unwrap_or_else(|| {
                now.types.layouts.push(Layout::Cstr(Some(Term::from(i128::from(size) - 1))));
                LayoutId(now.types.layouts.len() as u32 - 1)
            });
            now.segments.push(Segment { addr, bytes, size, write: mode.writable(), exec: false });
            now.objects.push(Object { addr, size, kind: ObjectKind::Data(mode, layout), scope: 0 });
        }
        // Here everything is seen.
        reveal(&mut now.types);
        now.views.clear();
        now.functions.iter_mut().for_each(|f| f.scope = 0);
        now.objects.iter_mut().for_each(|o| o.scope = 0);
        now.shapes = Shapes::of(&mut now.types, now.arch).map_err(|_| "the types have no shapes any more")?;
        now.fuel = u64::MAX;
        match data::check_objects(&now) {
            // What a type hides would have to be guessed.
            Err(r) if r.why == "nothing says what an index variable stands for" => Ok(()),
            Err(r) => Err(format!("the object at {:#x} is of another type: {}", r.at, r.why)),
            Ok(_) => Ok(()),
        }
    }
}
