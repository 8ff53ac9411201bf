//! The programs of the error pages and of the pages about the types, the inference and the first steps do what the
//! pages say.

use tal_testkit::patch;
use tal_testkit::toolchain::{Refusal, build, check};
use taldiag::Code;
use taldiag::codes::{ALL, Entry, Example};

/// The first thing that a page says and that is not so.
fn wrong(entry: &Entry) -> Vec<String> {
    let mut problems = Vec::new();
    let mut accepted = None;
    let examples = entry.examples();
    for example in examples.iter().filter(|e| e.rejected.is_none()) {
        match build(&example.text) {
            Ok(image) => accepted = image,
            Err(r) => problems.push(told(entry, example, "is refused", &r)),
        }
    }
    for example in examples.iter().filter(|e| e.rejected.is_some()) {
        let result = match example.language {
            "tal" => build(&example.text).map(|_| ()),
            "patch" => match &accepted {
                Some(image) => {
                    let mut image = image.clone();
                    if let Err(e) = patch::apply(&mut image, &example.text) {
                        problems.push(format!("{}: {e}", place(entry, example)));
                        continue;
                    }
                    check(&image).map(|_| ())
                }
                None => {
                    problems.push(format!("{}: there is no accepted executable", place(entry, example)));
                    continue;
                }
            },
            other => {
                problems.push(format!("{}: unknown language `{other}`", place(entry, example)));
                continue;
            }
        };
        match result {
            Ok(()) => problems.push(format!("{}: is accepted", place(entry, example))),
            Err(r) if Some(r.codes[0]) != example.rejected => {
                problems.push(told(entry, example, "is refused with another code", &r));
            }
            Err(_) => {}
        }
    }
    problems
}

fn place(entry: &Entry, example: &Example) -> String {
    match entry.code {
        Code(0) => format!("docs/{}:{}", entry.title, example.line),
        code => format!("docs/errors/{code}.md:{}", example.line),
    }
}

fn told(entry: &Entry, example: &Example, what: &str, refusal: &Refusal) -> String {
    format!("{}: {what}:\n{}", place(entry, example), refusal.text)
}

#[test]
fn programs_of_the_error_pages() {
    let problems: Vec<String> = ALL.iter().flat_map(wrong).collect();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// Pages that explain no code: they are looked at as one of code 0.
#[test]
fn programs_of_other_pages() {
    let page = |title, page| Entry { code: Code(0), title, page };
    let pages = [
        page("types.md", include_str!("../../../docs/types.md")),
        page("tutorial.md", include_str!("../../../docs/tutorial.md")),
        page("inference.md", include_str!("../../../docs/inference.md")),
    ];
    for page in &pages {
        assert!(!page.examples().is_empty(), "docs/{} has no program", page.title);
    }
    let problems: Vec<String> = pages.iter().flat_map(wrong).collect();
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// The mistakes in `docs/tutorial.md` are reported as it shows.
#[test]
fn messages_of_the_tutorial() {
    let page = include_str!("../../../docs/tutorial.md");
    let programs = Entry { code: Code(0), title: "tutorial.md", page }.examples();
    let mistakes = [
        (0, "hello.tal", "sizeof text", "1000"),
        (2, "upper.tal", "jb      .next", "jbe     .next"),
        (3, "name.tal", "        test    rax, rax\n        jz      .out\n", ""),
    ];
    for (program, name, right, wrong) in mistakes {
        let text = &programs[program].text;
        assert!(text.contains(right), "{name} has no `{right}`");
        let message = build(&text.replace(right, wrong)).unwrap_err().text.replace("main.tal", name);
        assert!(page.contains(message.trim_end()), "docs/tutorial.md does not show\n{message}");
    }
}

/// The first program in the README is the first example, and is rejected with the change that it proposes.
#[test]
fn first_program() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).unwrap();
    let hello = read("examples/hello/hello.tal");
    assert!(read("README.md").contains(&format!("```\n{hello}```\n")), "the README shows another program");
    assert!(build(&hello).is_ok());
    let refusal = build(&hello.replace("sizeof text", "1000")).unwrap_err();
    assert!(!refusal.text.is_empty());
}
