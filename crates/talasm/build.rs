//! Turns the grammar into a parser.

fn main() {
    println!("cargo::rerun-if-changed=src/front/grammar.lalrpop");
    lalrpop::Configuration::new()
        .use_cargo_dir_conventions()
        .process()
        .expect("the grammar is free of conflicts");
}
