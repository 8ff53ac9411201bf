//! Runs the front end alone.
use std::path::Path;
use talasm::front::*;
fn main() {
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
