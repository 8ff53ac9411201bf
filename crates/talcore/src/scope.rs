//! What a module sees of others: what it imports, as its own note declares it.
//!
//! Functions and data of a note meet types of that note only. A function of another module has the signature that the
//! import says, an object its layout; what is not imported is not there. The seams are compared once, for the file as a
//! whole, so both sides mean the same; but they need not know the same of it.
//!
//! **Abstract types** rest on that. `pub abstract struct counter { .. }` is a struct of the note that exports it, with its
//! fields and its size, and [`Body::Hidden`](crate::types::Body::Hidden) in every other note. What makes the two one
//! type is a *brand*, an address in the file: the exporting note names it for its struct, the others name it for theirs,
//! as they name addresses of functions. For each brand there is exactly one struct with fields, so equality of brands is
//! an equivalence, and memory of an abstract type has everywhere the layout that its one definition says. The spelling
//! of the address does not matter: what counts is that two modules which export something cannot name the same one.
//!
//! Rules know nothing of abstract types but that their size is unknown and no part of them is found. They are
//! presumed to own memory and to hide sizes, as something with fields might.

use crate::annot::TypeBase;
use crate::note::{Note, NoteImportKind, NoteObject};
use crate::program::{ObjectKind, Program};
use crate::types::{Body, LayoutId, Mode, SigId, Types};
use crate::verdict::{Code, Reject};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;

/// Why nothing is found in memory of an abstract type of another module.
pub const HIDDEN: &str = "the layout of an abstract type is known only to the module that exports it";

/// Why memory does not become one.
pub const MADE_ELSEWHERE: &str = "memory of an abstract type is made only by the module that exports it";

/// What the functions and the data of one note see.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The objects that labels may mention: those of the note, then the note's imports (`None` for others than shared
    /// objects), as indices into [`Program::objects`].
    pub statics: Box<[Option<u32>]>,
    /// The functions that the note imports, by address.
    pub functions: Box<[(u64, SigId)]>,
    /// The objects that it imports, by index into [`Program::objects`].
    pub objects: Box<[(u32, LayoutId)]>,
    /// Where its types lie in the tables.
    pub types: TypeBase,
}

/// Checks the names of abstract types: each is exported once, and with as many parameters as others give to it. A
/// `module` alone imports from others that are not there.
pub(crate) fn brands(types: &Types, notes: &[Note<'_>], module: bool) -> Result<(), Box<Reject>> {
    let all = || notes.iter().zip(0..).flat_map(|(note, n)| note.imports.iter().map(move |i| (n, i)));
    let mut exported: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
    for (note, import) in all() {
        let NoteImportKind::Exported(id) = import.kind else { continue };
        match exported.entry(import.addr) {
            Entry::Vacant(free) => drop(free.insert((note, types.strukt(id).params))),
            Entry::Occupied(_) => {
                return Err(Reject::new(
                    Code::Overlap,
                    import.addr,
                    "two abstract types are exported as one",
                ));
            }
        }
    }
    let mut elsewhere: BTreeMap<u64, u32> = BTreeMap::new();
    for (note, import) in all() {
        let NoteImportKind::Abstract(id) = import.kind else { continue };
        let params = types.strukt(id).params;
        let known = match exported.get(&import.addr) {
            Some((other, _)) if *other == note => {
                let why = "a module imports an abstract type that it exports itself";
                return Err(Reject::new(Code::ImportType, import.addr, why));
            }
            Some((_, known)) => *known,
            None if module => *elsewhere.entry(import.addr).or_insert(params),
            None => {
                return Err(Reject::new(Code::Undefined, import.addr, "no abstract type is exported here"));
            }
        };
        if params != known {
            let why = "an abstract type is imported with another number of parameters";
            return Err(Reject::new(Code::ImportType, import.addr, why));
        }
    }
    Ok(())
}

/// The scope of each note, once objects and functions are in their order.
pub(crate) fn scopes(program: &Program<'_>, notes: &[Note<'_>], bases: &[TypeBase]) -> Vec<Scope> {
    // Owned statics are not among those of labels: they are locations of those who use them.
    let shared = |i: &u32| match program.objects.get(*i as usize).map(|o| o.kind) {
        Some(ObjectKind::Data(mode, _)) => mode != Mode::Uniq,
        _ => false,
    };
    let object = |addr: u64| program.object_at(addr).map(|(i, _)| i);
    notes
        .iter()
        .zip(bases)
        .map(|(note, types)| {
            let own = note.objects.iter().map(|o| match o {
                NoteObject::Data(addr, ..) => object(*addr).filter(shared),
                NoteObject::Table(..) => None,
            });
            let others = note.imports.iter().map(|i| {
                i.kind.object()?;
                object(i.addr).filter(shared)
            });
            let mut functions = Vec::new();
            let mut objects = Vec::new();
            for import in &note.imports {
                match (import.kind, import.kind.object()) {
                    (NoteImportKind::Function(sig), _) => functions.push((import.addr, sig)),
                    (_, Some((_, layout))) => {
                        objects.extend(program.object_at(import.addr).map(|(i, _)| (i, layout)));
                    }
                    _ => {}
                }
            }
            functions.sort_by_key(|f| f.0);
            objects.sort_by_key(|o| o.0);
            Scope {
                statics: own.chain(others).collect(),
                functions: functions.into(),
                objects: objects.into(),
                types: *types,
            }
        })
        .collect()
}

impl Program<'_> {
    /// The signature that the function whose first byte is at `addr` has for a note. The entry point is not a function
    /// that can be called or named.
    pub fn sig_for(&self, scope: u32, addr: u64) -> Option<SigId> {
        let own = self.functions.binary_search_by_key(&addr, |f| f.addr).ok();
        let own = own.and_then(|i| self.functions.get(i)).filter(|f| f.scope == scope);
        let sig = match own {
            Some(f) => f.sig,
            None => {
                let imports = &self.scopes.get(scope as usize)?.functions;
                imports.get(imports.binary_search_by_key(&addr, |f| f.0).ok()?)?.1
            }
        };
        (!self.types.sig(sig).start).then_some(sig)
    }

    /// How a note may use the object with this number, and what it holds for it.
    pub fn object_for(&self, scope: u32, index: u32) -> Option<(Mode, LayoutId)> {
        let object = self.objects.get(index as usize)?;
        let ObjectKind::Data(mode, layout) = object.kind else { return None };
        if object.scope == scope {
            return Some((mode, layout));
        }
        let imports = &self.scopes.get(scope as usize)?.objects;
        imports.get(imports.binary_search_by_key(&index, |o| o.0).ok()?).map(|o| (mode, o.1))
    }
}

/// Whether two layouts are one abstract type of another module, perhaps with other arguments. Then they have one size,
/// which its own module knows: whatever memory of the one becomes the other has become so there.
pub(crate) fn same_abstract(types: &Types, a: LayoutId, b: LayoutId) -> bool {
    use crate::types::Layout;
    let brand = |id: LayoutId| match types.layout(id) {
        Layout::Struct(s, _) => Some(types.strukt(*s)).filter(|s| s.body == Body::Hidden)?.brand,
        _ => None,
    };
    brand(a).is_some() && brand(a) == brand(b)
}
