//! Runs the front end alone.
use std::path::Path;
use talasm::front::*;
fn main() {
    sizes();
    let abi = talcore::abi::Abi::amd64(&mut Default::default());
    for f in std::env::args().skip(1) {
        let mut sources = taldiag::Sources::new();
        let options = Options { arch: Default::default(), defines: vec![], include: vec![], sys: &abi };
        let t = std::time::Instant::now();
        let r = parse_module(&mut sources, &ReadFiles, Path::new(&f), &options);
        let t = t.elapsed();
        match r {
            Ok(f) => println!(
                "ok {:?} {} instrs",
                t,
                f.module.functions.iter().map(|f| f.body.len()).sum::<usize>()
            ),
            Err(d) => println!(
                "{}",
                taldiag::render::Renderer::new("talasm", taldiag::render::Format::Human).render(&sources, &d)
            ),
        }
    }
}
#[allow(dead_code)]
fn sizes() {
    use talasm::ir::*;
    println!("{} {} {} {}", size_of::<Item>(), size_of::<Instr>(), size_of::<Operand>(), size_of::<MemOp>());
}
