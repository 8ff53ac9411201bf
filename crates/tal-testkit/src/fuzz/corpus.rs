//! What there is to damage: the accepted tests and the examples.

use super::executable::Map;
use crate::filetest::{Case, cases};
use crate::narrow::{VARIANTS, narrowed};
use crate::toolchain::{Image, Module, Refusal, each_arch, images, modules, read};
use std::fs;
use std::path::{Path, PathBuf};
use talasm::driver::Options;
use talcore::arch::Arch;
use tallink::InputFile;

/// A program, or modules by themselves, in all forms.
pub struct Seed {
    /// The name of its file, or of the example.
    pub name: String,
    /// The modules, each after those that it uses.
    pub modules: Vec<Module>,
    /// What each tells others about itself.
    pub(super) interfaces: Vec<String>,
    /// An object of each.
    pub objects: Vec<InputFile>,
    /// The program, or each module by itself; accepted.
    pub images: Vec<Image>,
    /// Where things lie in each image.
    pub(super) maps: Vec<Map>,
}

/// All seeds.
pub struct Corpus {
    /// In order of their names; never empty.
    pub seeds: Vec<Seed>,
    /// All are for this architecture, and so is what is made up; or for any.
    pub arch: Option<Arch>,
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

impl Corpus {
    /// Every `one_in`th of the programs in `tests/accept`, `binary` and `run`.
    ///
    /// # Panics
    /// If one is refused.
    pub fn tests(one_in: usize) -> Corpus {
        let all = Corpus::files().into_iter().step_by(one_in);
        Corpus { seeds: all.map(|c| seed(name(&c.path), modules(&c.text))).collect(), arch: None }
    }

    /// Those for AMD64 that are accepted with words of 32 bits too.
    pub fn narrowed() -> Corpus {
        let seed = |case: Case| {
            let texts = VARIANTS.into_iter().filter_map(|v| narrowed(&case.text, v));
            let mut seeds = texts.map(|t| Seed::new(format!("{}, narrowed", name(&case.path)), modules(&t)));
            seeds.find_map(Result::ok).filter(|s| s.images.iter().all(|i| i.check().is_ok()))
        };
        Corpus { seeds: Corpus::files().into_iter().filter_map(seed).collect(), arch: Some(Arch::Ia32) }
    }

    /// The programs in `tests/accept`, `binary` and `run` whose names begin so.
    ///
    /// # Panics
    /// If one is refused.
    pub fn tests_named(start: &str) -> Corpus {
        let all = Corpus::files().into_iter().map(|c| (name(&c.path), c)).filter(|c| c.0.starts_with(start));
        Corpus { seeds: all.map(|(name, c)| seed(name, modules(&c.text))).collect(), arch: None }
    }

    fn files() -> Vec<Case> {
        ["accept", "binary", "run"].iter().flat_map(|f| cases(&root().join("tests").join(f))).collect()
    }

    /// The examples of these names, or all of them if there are none, for each architecture for which they are there.
    ///
    /// # Panics
    /// If one is refused.
    pub fn examples(names: &[&str]) -> Corpus {
        let examples = root().join("examples");
        let mut all: Vec<PathBuf> =
            fs::read_dir(&examples).expect("examples").map(|e| e.expect("an example").path()).collect();
        all.sort();
        let mut seeds = Vec::new();
        for arch in [Arch::Amd64, Arch::Ia32] {
            let library = sources(&examples.join("lib"), arch);
            seeds.extend(all.iter().filter_map(|path| {
                let name = path.file_name()?.to_string_lossy().into_owned();
                let wanted = names.is_empty() || names.contains(&&*name);
                let own = sources(path, arch);
                if !wanted || !own.iter().any(|m| m.name.strip_suffix(".tal") == Some(&name)) {
                    return None;
                }
                let all = library.iter().cloned().chain(own).collect();
                Some(seed(format!("{name} for {arch:?}"), needed(in_order(all))))
            }));
        }
        Corpus { seeds, arch: None }
    }

    /// What is for one architecture.
    #[must_use]
    pub fn of(mut self, arch: Arch) -> Corpus {
        let class = if arch == Arch::Ia32 { 1 } else { 2 };
        self.seeds.retain(|s| s.images.iter().all(|i| i.bytes().get(4) == Some(&class)));
        Corpus { arch: Some(arch), ..self }
    }

    /// With more seeds.
    #[must_use]
    pub fn and(mut self, other: Corpus) -> Corpus {
        self.seeds.extend(other.seeds);
        self
    }
}

fn seed(name: String, modules: Vec<Module>) -> Seed {
    Seed::new(name, modules).unwrap_or_else(|(name, r)| panic!("{name}: {}", r.text))
}

impl Seed {
    /// Assembles modules and lays them out.
    ///
    /// # Errors
    /// The name, and why they are refused.
    pub(super) fn new(name: String, modules: Vec<Module>) -> Result<Seed, (String, Refusal)> {
        let all = || {
            let read = read(&modules)?;
            let objects: Vec<_> =
                read.iter().map(|r| r.assemble(&Options::default())).collect::<Result<_, _>>()?;
            let images = images(&modules, objects.clone())?;
            let interfaces = read.into_iter().map(|r| r.front.interface).collect();
            Ok((objects, images, interfaces))
        };
        match all() {
            Err(refusal) => Err((name, refusal)),
            Ok((objects, images, interfaces)) => {
                let maps = images.iter().filter_map(Map::of).collect();
                Ok(Seed { name, modules, interfaces, objects, images, maps })
            }
        }
    }
}

/// The modules of a directory for an architecture: those for both, and on IA-32 those beside them that are for it alone.
fn sources(directory: &Path, arch: Arch) -> Vec<Module> {
    let modules = |directory: &Path| {
        let entries = fs::read_dir(directory).into_iter().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
        paths.retain(|p| p.extension().is_some_and(|e| e == "tal"));
        paths.sort();
        let module = |p: &PathBuf| Module {
            name: p.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            text: fs::read_to_string(p).expect("a source"),
        };
        paths.iter().map(module).collect::<Vec<_>>()
    };
    let all = modules(directory);
    if arch == Arch::Amd64 {
        return all;
    }
    let own = modules(&directory.join("ia32"));
    let shared = all.into_iter().filter(|m| own.iter().all(|o| o.name != m.name)).filter_map(|m| {
        let text = each_arch(&m.text).into_iter().nth(1)?;
        Some(Module { text, ..m })
    });
    let mut both: Vec<Module> = shared.collect();
    both.extend(own);
    both.sort_by(|a, b| a.name.cmp(&b.name));
    both
}

fn uses(module: &Module) -> impl Iterator<Item = String> {
    let used = |l: &str| Some(format!("{}.tal", l.strip_prefix("use ")?.split_whitespace().next()?));
    module.text.lines().filter_map(used)
}

/// Each after those that it uses.
fn in_order(mut waiting: Vec<Module>) -> Vec<Module> {
    let mut done = Vec::new();
    while !waiting.is_empty() {
        let ready = |m: &Module| uses(m).all(|u| waiting.iter().all(|w| w.name != u));
        let next = waiting.iter().position(ready).expect("modules do not use each other in a circle");
        done.push(waiting.remove(next));
    }
    done
}

/// Without the modules that the last ones do not use.
fn needed(modules: Vec<Module>) -> Vec<Module> {
    let mut names: Vec<String> = Vec::new();
    let mut kept = Vec::new();
    for module in modules.into_iter().rev() {
        if module.text.contains("fn _start") || names.contains(&module.name) {
            names.extend(uses(&module));
            kept.push(module);
        }
    }
    kept.reverse();
    kept
}
