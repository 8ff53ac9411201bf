//! Lowers function bodies: labels, operands, jump tables, annotations.

use super::ast::{Ast, Body, DeclKind, ExprKind, MemTerm, OperandKind, Stmt, StmtKind};
use super::ast::{Operand as AstOperand, Size, WORD};
use super::consts::Value;
use super::cx::{Binding, Cx, Found, TypeVar, Vars};
use super::names::{Name, suggest};
use super::sigs::register_name;
use crate::ir::{
    DataReloc, DataTarget, Function, Instr, Item, LabelId, MemOp, Object, Operand, Place, RegOp, Section,
    Span, SymId,
};
use std::collections::HashMap;
use talcore::arch::Arch;
use talcore::guide::Ghost;
use talcore::limits;
use talcore::term::Term;
use talcore::types::{Layout, SigId, WordTy};
use talcore::x86::insn::Reg;

/// A label of the function.
struct Label {
    name: Name,
    /// Where it is defined.
    defined: Option<Span>,
    /// Where it is first mentioned.
    mentioned: Span,
}

/// The function that is being lowered.
pub(super) struct Frame<'a> {
    pub(super) ast: &'a Ast,
    pub(super) body: &'a Body,
    pub(super) vars: Vars,
    labels: Vec<Label>,
    by_name: HashMap<Name, LabelId>,
    index: u32,
    /// What the types stand for at which the present instruction calls a function.
    chosen: Vec<Item>,
    /// The names of the stretches that it begins.
    stretches: Vec<Name>,
}

impl Frame<'_> {
    fn label(&mut self, name: Name, span: Span) -> LabelId {
        let labels = &mut self.labels;
        *self.by_name.entry(name).or_insert_with(|| {
            labels.push(Label { name, defined: None, mentioned: span });
            LabelId(labels.len() as u32 - 1)
        })
    }
}

impl Cx<'_> {
    /// Lowers the body of the function with this number.
    pub(super) fn function(
        &mut self,
        ast: &Ast,
        body: &Body,
        index: u32,
        mut function: Function,
    ) -> Function {
        let mut vars = Vars::of(function.span.file);
        self.own_types(&function, &mut vars);
        let mut f = Frame {
            ast,
            body,
            vars,
            labels: Vec::new(),
            by_name: HashMap::new(),
            index,
            chosen: Vec::new(),
            stretches: Vec::new(),
        };
        self.tables(&mut f, &function);
        function.body.reserve(body.stmts.len());
        for stmt in &body.stmts {
            let item = self.stmt(&mut f, stmt, &function);
            function.body.append(&mut f.chosen);
            match item {
                Some(item) => function.body.push(item),
                None => self.failed |= !matches!(stmt.kind, StmtKind::Table(..)),
            }
        }
        self.undefined_labels(&f);
        function.labels =
            f.labels.iter().map(|l| (self.name(l.name), l.defined.unwrap_or(l.mentioned))).collect();
        function
    }

    fn undefined_labels(&mut self, f: &Frame) {
        if f.labels.len() > limits::LABELS {
            let span = f.labels[limits::LABELS].mentioned;
            self.error(1010, "too many labels in one function")
                .at(span, format!("at most {}", limits::LABELS));
        }
        for label in f.labels.iter().filter(|l| l.defined.is_none()) {
            if self.diags.full() {
                return;
            }
            let text = self.name(label.name);
            let defined = f.labels.iter().filter(|l| l.defined.is_some());
            let near = suggest(&text, defined.map(|l| self.names.get(l.name))).map(str::to_string);
            self.error(1103, format!("there is no label `{text}` in this function"))
                .at(label.mentioned, "not found")
                .note("labels that begin with a dot belong to the function in which they are")
                .suggest(near.as_deref());
        }
    }

    /// Declares the function's jump tables, which may be used before they are written.
    fn tables(&mut self, f: &mut Frame, function: &Function) {
        let word = self.word_bytes();
        let mut seen: HashMap<Name, Span> = HashMap::new();
        for stmt in &f.body.stmts {
            let StmtKind::Table(id, (start, end)) = stmt.kind else { continue };
            if let Some(first) = seen.insert(id.name, id.span) {
                self.duplicate(id.name, "table", first, id.span);
                continue;
            }
            if let Found::Decl(d) = self.lookup(f.vars.file, id.name) {
                let first = self.decls[d as usize].ident.span;
                self.duplicate(id.name, "name", first, id.span);
                continue;
            }
            let labels = &f.body.labels[start as usize..end as usize];
            let mut relocs = Vec::with_capacity(labels.len());
            for (i, l) in labels.iter().enumerate() {
                let label = f.label(l.name, l.span);
                let target = DataTarget::Label { function: f.index, label };
                relocs.push(DataReloc { at: i as u32 * word, target, addend: 0 });
            }
            let size = labels.len() as u64 * word as u64;
            let owner = self.symbols[function.sym.0 as usize].name.clone();
            let name = format!("{owner}.{}", self.name(id.name));
            let place = Place::Object(self.data.len() as u32);
            let sym = self.new_symbol(name, false, place, id.span);
            let layout = self.table.layout(Layout::Bytes(Term::from(size as i128)));
            self.data.push(Object {
                sym,
                section: Section::Rodata,
                align: word,
                size,
                bytes: vec![0; size as usize],
                relocs,
                layout: layout.0,
                owned: false,
                table_of: Some(f.index),
                span: id.span,
            });
            f.vars.list.push((id.name, Binding::Table(sym)));
        }
    }

    fn stmt(&mut self, f: &mut Frame, stmt: &Stmt, function: &Function) -> Option<Item> {
        match stmt.kind {
            StmtKind::Label(name) => {
                let id = f.label(name, stmt.span);
                let label = &mut f.labels[id.0 as usize];
                if let Some(first) = label.defined {
                    let text = self.name(name);
                    self.error(1104, format!("the label `{text}` is defined twice"))
                        .at(stmt.span, "again here")
                        .near(first, "first defined here");
                    return None;
                }
                label.defined = Some(stmt.span);
                Some(Item::Label(id))
            }
            StmtKind::Instr { prefix, mnemonic, operands: (start, end) } => {
                let mnemonic = self.names.get(mnemonic).to_ascii_lowercase();
                let branch = mnemonic.starts_with('j') || mnemonic == "call" || mnemonic.starts_with("loop");
                let list = &f.body.operands[start as usize..end as usize];
                if matches!(&*mnemonic, "lend" | "restore") {
                    return self.stretch(f, &mnemonic, list, stmt.span);
                }
                let mut operands = Vec::with_capacity(list.len());
                let mut good = true;
                for o in list {
                    match self.operand(f, o, branch) {
                        Some(o) => operands.push(o),
                        None => good = false,
                    }
                }
                if matches!(&*mnemonic, "split" | "join" | "cursor" | "advance" | "end") {
                    return self.ghost(&mnemonic, &operands, stmt.span);
                }
                good.then_some(Item::Instr(Instr { prefix, mnemonic, operands, span: stmt.span }))
            }
            StmtKind::Sys(id) => self.sys(id.name, id.span, stmt.span),
            StmtKind::Annotation(i) => self.annotation(f, i, stmt.span, function).map(Item::Annotation),
            StmtKind::Table(..) => None,
        }
    }

    /// `split r` and `join a, b`, which have no machine code.
    fn ghost(&mut self, name: &str, operands: &[Operand], span: Span) -> Option<Item> {
        let word = self.word_bytes() as u8;
        let register = |o: &Operand| match o {
            Operand::Reg(RegOp::Gpr(r, w), _) if *w == word => Some(Reg(*r)),
            _ => None,
        };
        let registers: Option<Vec<Reg>> = operands.iter().map(register).collect();
        let ghost = match (name, registers.as_deref()) {
            ("split", Some([r])) => Some(Ghost::Split(*r)),
            ("cursor", Some([r])) => Some(Ghost::Cursor(*r)),
            ("advance", Some([r])) => Some(Ghost::Advance(*r)),
            ("end", Some([r])) => Some(Ghost::End(*r)),
            ("join", Some([a, b])) => Some(Ghost::Join(*a, *b)),
            _ => None,
        };
        if ghost.is_none() {
            let usage = match name {
                "split" => "`split r`: the register points to where owned memory is cut in two",
                "cursor" => "`cursor r`: the register points to a cell that owns memory or is 0",
                "advance" => {
                    "`advance r`: the register points to a cell of the object that the cursor's cell owns"
                }
                "end" => "`end r`: the register points to the cursor's cell",
                _ => "`join a, b`: the registers point to two owned objects, one right behind the other",
            };
            self.error(1301, format!("`{name}` takes whole registers")).at(span, "not these").help(usage);
        }
        ghost.map(|g| Item::Ghost(g, span))
    }

    /// `lend r as s` and `restore s`, which have no machine code.
    fn stretch(&mut self, f: &mut Frame, mnemonic: &str, list: &[AstOperand], span: Span) -> Option<Item> {
        let word = self.word_bytes() as u8;
        let (register, name) = match (mnemonic, list.first().map(|o| &o.kind), list.len()) {
            ("lend", Some(OperandKind::For(RegOp::Gpr(r, w), as_, s)), 1)
                if *w == word && self.name(*as_) == "as" =>
            {
                (Some(Reg(*r)), s.name)
            }
            ("restore", Some(OperandKind::Expr(e)), 1) => match f.ast.expr(*e).kind {
                ExprKind::Name(s) => (None, s),
                _ => return self.stretch_usage(mnemonic, span),
            },
            _ => return self.stretch_usage(mnemonic, span),
        };
        let place = match f.stretches.iter().position(|s| *s == name) {
            Some(place) => place,
            None => {
                f.stretches.push(name);
                f.stretches.len() - 1
            }
        } as u32;
        let ghost = match register {
            Some(r) => Ghost::Lend(r, place),
            None => Ghost::Restore(place),
        };
        Some(Item::Ghost(ghost, span))
    }

    fn stretch_usage(&mut self, mnemonic: &str, span: Span) -> Option<Item> {
        let usage = match mnemonic {
            "lend" => "`lend r as s`: the whole register points to memory that is frozen until `restore s`",
            _ => "`restore s`: what was lent as s belongs to the function again",
        };
        self.error(1301, format!("`{mnemonic}` is about a stretch")).at(span, "not like this").help(usage);
        None
    }

    fn sys(&mut self, name: Name, at: Span, span: Span) -> Option<Item> {
        let text = self.name(name);
        if let Some(number) = self.options.sys.number(&text) {
            let noreturn = self.options.sys.noreturn(&text);
            return Some(Item::Sys { name: text, number, noreturn, span });
        }
        let all = self.options.sys.names();
        let near = suggest(&text, all.iter().map(String::as_str)).map(str::to_string);
        let list = match self.options.arch {
            Arch::Amd64 => "`talcheck --list-syscalls` prints those that there are",
            Arch::Ia32 => "`talcheck --list-syscalls --arch ia32` prints those that there are",
        };
        self.error(1109, format!("there is no system call `{text}` in the interface table"))
            .at(at, "not known")
            .suggest(near.as_deref())
            .help(list);
        None
    }

    fn operand(&mut self, f: &mut Frame, o: &AstOperand, branch: bool) -> Option<Operand> {
        match o.kind {
            OperandKind::Reg(r) => {
                self.has_register(r, o.span)?;
                Some(Operand::Reg(r, o.span))
            }
            OperandKind::For(..) => {
                self.error(1301, "only `lend` has a name behind a register").at(o.span, "no operand");
                None
            }
            OperandKind::Local(name) => Some(Operand::Label(f.label(name, o.span), o.span)),
            OperandKind::Expr(e) => {
                if let ExprKind::Num(n) = f.ast.expr(e).kind {
                    return Some(Operand::Imm(n as i128, o.span));
                }
                match self.eval(f.ast, e, &f.vars)? {
                    Value::Term(t) => Some(Operand::Imm(t.as_const()?, o.span)),
                    Value::Addr(sym, 0) if branch && self.names_function(sym) => {
                        Some(Operand::Func(sym, o.span))
                    }
                    Value::Addr(sym, n) => Some(Operand::SymAddr(sym, n as i64, o.span)),
                }
            }
            OperandKind::Instance(name, types) if branch => self.instance(f, name, types, o.span),
            OperandKind::Instance(..) => {
                self.error(1301, "only a function that is called or jumped to has types behind it")
                    .at(o.span, "no such function");
                None
            }
            OperandKind::Mem { size, terms: (start, end) } => {
                let terms = &f.body.terms[start as usize..end as usize];
                self.memory(f.ast, &f.vars, terms, size, o.span).map(Operand::Mem)
            }
        }
    }

    /// The type variables of the function's own signature.
    fn own_types(&mut self, function: &Function, vars: &mut Vars) {
        for (v, kind) in self.type_vars.get(&SigId(function.sig)).cloned().unwrap_or_default() {
            let Some(name) = function.var_names.get(v as usize) else { continue };
            let name = self.names.intern(name);
            let binding = match kind {
                TypeVar::Word(moved) => Binding::Word(self.table.word(WordTy::Of(Term::var(v), moved))),
                TypeVar::Layout(l) => Binding::Layout(l),
            };
            vars.list.push((name, binding));
        }
    }

    /// `name[T, ...]`: a function at types.
    fn instance(&mut self, f: &mut Frame, name: Name, types: (u32, u32), span: Span) -> Option<Operand> {
        let types = &f.body.types[types.0 as usize..types.1 as usize];
        let text = self.name(name);
        let decl = self.find(&f.vars, name, span)?;
        let sym = self.symbol(decl)?;
        let sig = match &self.decls.clone()[decl as usize] {
            d if self.names_function(sym) => match &d.kind {
                DeclKind::Fn(sig) | DeclKind::ImportFn(sig) => self.fn_sig(sig, d).map(|s| SigId(s.0)),
                _ => None,
            },
            _ => None,
        };
        let wanted = sig.and_then(|s| self.type_vars.get(&s).cloned()).unwrap_or_default();
        if wanted.len() != types.len() {
            self.error(1203, format!("`{text}` is called at {} types", types.len())).at(
                span,
                format!("its signature has {} variables that stand for types in memory", wanted.len()),
            );
            return None;
        }
        for (ty, (v, kind)) in types.iter().zip(wanted) {
            let span = f.ast.ty(*ty).span;
            let word = match kind {
                TypeVar::Word(moved) => {
                    let word = self.word(f.ast, *ty, &f.vars)?;
                    self.code_of(word, span, moved)?;
                    word
                }
                TypeVar::Layout(_) => {
                    let layout = self.layout(f.ast, *ty, &f.vars)?;
                    self.owner_of(layout, span)?
                }
            };
            f.chosen.push(Item::Ghost(Ghost::Choose(v, word), span));
        }
        Some(Operand::Func(sym, span))
    }

    fn names_function(&self, sym: SymId) -> bool {
        match self.symbols[sym.0 as usize].place {
            Place::Function(_) => true,
            Place::Import(i) => {
                matches!(self.imports[i as usize].kind, crate::ir::ImportKind::Function(_))
            }
            _ => false,
        }
    }

    /// Whether the architecture has this register.
    fn has_register(&mut self, r: RegOp, span: Span) -> Option<()> {
        if self.options.arch == Arch::Amd64 {
            return Some(());
        }
        let ok = match r {
            RegOp::Gpr(n, 1) => n < 4,
            RegOp::Gpr(n, w) => n < 8 && w < 8,
            RegOp::Xmm(n) => n < 8,
            RegOp::High(_) => true,
        };
        if ok {
            return Some(());
        }
        let text = self.text(span).to_string();
        self.error(1302, format!("`{text}` does not exist on ia32")).at(span, "only on amd64");
        None
    }

    fn memory(
        &mut self,
        ast: &Ast,
        vars: &Vars,
        terms: &[MemTerm],
        size: Option<Size>,
        span: Span,
    ) -> Option<MemOp> {
        let size = size.map(|s| if s == WORD { self.word_bytes() as u8 } else { s });
        let mut m = MemOp { size, base: None, index: None, disp: 0, sym: None, span };
        // Each value has at most 100 bits, and a line far fewer than 2^26 summands.
        let mut disp = 0i128;
        let mut regs: Vec<(u8, i128)> = Vec::new();
        for t in terms {
            match *t {
                MemTerm::Reg(r) => regs.push((self.address_register(r, span)?, 1)),
                MemTerm::Scaled(r, e) => {
                    let scale = self.eval_int(ast, e, vars)?;
                    regs.push((self.address_register(r, span)?, scale));
                }
                MemTerm::Add(e) => match self.eval(ast, e, vars)? {
                    Value::Term(t) => disp += t.as_const()?,
                    Value::Addr(sym, n) => {
                        if m.sym.replace(sym).is_some() {
                            self.error(1305, "two addresses cannot be added")
                                .at(span, "at most one name of an object or function");
                            return None;
                        }
                        disp += n;
                    }
                },
                MemTerm::Sub(e) => disp -= self.eval_int(ast, e, vars)?,
            }
        }
        let Ok(small) = i64::try_from(disp) else {
            self.error(1401, "this displacement is too large").at(span, "more than 64 bits");
            return None;
        };
        m.disp = small;
        self.index_and_base(&regs, &mut m)?;
        Some(m)
    }

    fn address_register(&mut self, r: RegOp, span: Span) -> Option<u8> {
        let word = self.word_bytes();
        if let RegOp::Gpr(n, w) = r
            && w as u32 == word
        {
            return Some(n);
        }
        let m = self.error(1305, "an address is made of whole registers");
        m.at(span, format!("one of these registers is not {} bits wide", 8 * word));
        if let RegOp::Gpr(n, _) = r {
            m.help(format!("use `{}`", register_name(n, word)));
        }
        None
    }

    /// Distributes registers with factors to the base and the index of a memory operand.
    fn index_and_base(&mut self, regs: &[(u8, i128)], m: &mut MemOp) -> Option<()> {
        const SP: u8 = 4;
        match *regs {
            [] => return Some(()),
            [(r, 1)] => m.base = Some(r),
            // The same register twice costs a shorter encoding than a scaled one without base.
            [(r, s @ (2 | 3 | 5 | 9))] if r != SP => (m.base, m.index) = (Some(r), Some((r, s as u8 - 1))),
            [(r, s @ (4 | 8))] if r != SP => m.index = Some((r, s as u8)),
            [(a, 1), (SP, 1)] if a != SP => (m.base, m.index) = (Some(SP), Some((a, 1))),
            [(a, 1), (b, s @ (1 | 2 | 4 | 8))] if b != SP => {
                (m.base, m.index) = (Some(a), Some((b, s as u8)));
            }
            [(b, s @ (1 | 2 | 4 | 8)), (a, 1)] if b != SP => {
                (m.base, m.index) = (Some(a), Some((b, s as u8)));
            }
            _ => {
                let (message, label) = if regs.len() > 2 {
                    ("too many registers in one address", "at most two")
                } else if regs.iter().any(|r| r.0 == SP && r.1 != 1) || regs.iter().all(|r| r.0 == SP) {
                    ("the stack pointer cannot be scaled or used as index", "only as base")
                } else if regs.len() == 2 && regs.iter().all(|r| r.1 != 1) {
                    ("only one register of an address can be multiplied", "two are")
                } else {
                    ("a register of an address is multiplied by 1, 2, 4 or 8", "another factor")
                };
                self.error(1305, message)
                    .at(m.span, label)
                    .note("addresses have the form [base + scale*index + displacement]");
                return None;
            }
        }
        Some(())
    }
}
