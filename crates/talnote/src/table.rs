//! A hash-consing builder of the type tables that a note carries.

use std::collections::HashMap;
use talcore::types::{Layout, LayoutId, Sig, SigId, Struct, StructId, Types, WordId, WordTy};

/// One entry of the note's node sequence, in order of creation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Node {
    /// A word type.
    Word(WordId),
    /// A layout.
    Layout(LayoutId),
    /// A signature.
    Sig(SigId),
}

/// Types under construction: equal nodes get equal ids.
#[derive(Clone, Debug, Default)]
pub struct TypeTable {
    /// The tables as the core sees them.
    pub types: Types,
    /// All nodes in order of creation: a node only mentions earlier ones.
    pub order: Vec<Node>,
    /// Names of structs, for messages.
    pub struct_names: Vec<String>,
    /// Field names by struct, for messages.
    pub field_names: Vec<Vec<String>>,
    index: HashMap<String, Node>,
}

impl TypeTable {
    /// The id of a word type.
    pub fn word(&mut self, w: WordTy) -> WordId {
        let key = format!("w{w:?}");
        if let Some(Node::Word(id)) = self.index.get(&key) {
            return *id;
        }
        let id = WordId(self.types.words.len() as u32);
        self.types.words.push(w);
        self.remember(key, Node::Word(id));
        id
    }

    /// The id of a layout.
    pub fn layout(&mut self, l: Layout) -> LayoutId {
        let key = format!("l{l:?}");
        if let Some(Node::Layout(id)) = self.index.get(&key) {
            return *id;
        }
        let id = LayoutId(self.types.layouts.len() as u32);
        self.types.layouts.push(l);
        self.remember(key, Node::Layout(id));
        id
    }

    /// The id of a signature.
    pub fn sig(&mut self, s: Sig) -> SigId {
        let key = format!("s{s:?}");
        if let Some(Node::Sig(id)) = self.index.get(&key) {
            return *id;
        }
        let id = SigId(self.types.sigs.len() as u32);
        self.types.sigs.push(s);
        self.remember(key, Node::Sig(id));
        id
    }

    /// Declares a struct with its number of parameters; [`TypeTable::define`] fills it in.
    pub fn declare(&mut self, name: &str, params: u32) -> StructId {
        let id = StructId(self.types.structs.len() as u32);
        self.types.structs.push(Struct { params, ..Struct::default() });
        self.struct_names.push(name.to_string());
        self.field_names.push(Vec::new());
        id
    }

    /// Fills in a declared struct.
    pub fn define(&mut self, id: StructId, body: Struct, field_names: Vec<String>) {
        self.types.structs[id.index()] = body;
        self.field_names[id.index()] = field_names;
    }

    fn remember(&mut self, key: String, node: Node) {
        self.order.push(node);
        self.index.insert(key, node);
    }
}
