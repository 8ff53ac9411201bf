//! The programs of the error pages and of the pages about the types, the inference and the first steps do what the
//! pages say.

use std::path::Path;
use std::sync::OnceLock;
use tal_testkit::patch;
use tal_testkit::script::Shell;
use tal_testkit::toolchain::{Refusal, assemble, build, check, finish, modules};
use taldiag::Code;
use taldiag::codes::{ALL, Entry, Example};
use tempfile::TempDir;

/// What a page says and that is not so.
fn wrong(entry: &Entry) -> Vec<String> {
    let examples = entry.examples();
    let accepted = examples.iter().find(|e| e.rejected.is_none() && e.language == "tal");
    let text = accepted.map_or("", |e| &e.text);
    let files: Vec<(String, Vec<u8>)> = modules(text).into_iter().map(|m| (m.name, m.text.into())).collect();
    let mut problems = Vec::new();
    if entry.code != Code(0) && !examples.iter().any(|e| e.rejected == Some(entry.code)) {
        problems.push(format!("docs/errors/{}.md: nothing is rejected with this code", entry.code));
    }
    if !examples.iter().any(|e| e.rejected.is_none()) {
        problems.push(format!("{}: nothing is accepted", entry.title));
    }
    for (i, example) in examples.iter().enumerate() {
        let place = place(entry, example);
        let result = match example.language {
            "tal" => Ok(build(&example.text).map(|_| ()).map_err(|r| (vec![r.codes[0]], r.text))),
            "patch" => damaged(text, &example.text),
            "sh" => run(&example.text, &format!("{place}-{i}").replace(['/', ':'], "-"), &files),
            other => Err(format!("unknown language `{other}`")),
        };
        match (result, example.rejected) {
            (Err(e), _) => problems.push(format!("{place}: {e}")),
            (Ok(Ok(())), Some(_)) => problems.push(format!("{place}: is accepted")),
            (Ok(Err((_, text))), None) => problems.push(format!("{place}: is refused:\n{text}")),
            (Ok(Err((codes, text))), Some(code)) if !codes.contains(&code) => {
                problems.push(format!("{place}: is refused with another code:\n{text}"));
            }
            _ => {}
        }
    }
    problems
}

/// What a tool said: nothing, or the code of the first message (of any, if it came from a command) and the messages.
type Verdict = Result<(), (Vec<Code>, String)>;

/// The verdict about a program that is changed after it was linked; or, if the first line of the changes is
/// `object NAME`, before.
fn damaged(text: &str, changes: &str) -> Result<Verdict, String> {
    let say = |r: Refusal| (vec![r.codes[0]], r.text);
    let Some(rest) = changes.strip_prefix("object ") else {
        let mut image = build(text).ok().flatten().ok_or("there is no accepted executable")?;
        patch::apply(&mut image, changes)?;
        return Ok(check(&image).map(|_| ()).map_err(say));
    };
    let (name, changes) = rest.split_once('\n').unwrap_or((rest, ""));
    let modules = modules(text);
    let mut objects = assemble(&modules).map_err(|r| r.text)?;
    let object = objects.iter_mut().find(|o| o.name == name).ok_or(format!("there is no object `{name}`"))?;
    patch::apply(&mut object.bytes, changes)?;
    Ok(finish(&modules, objects).map(|_| ()).map_err(say))
}

/// What becomes of command lines: the codes are those in the messages.
fn run(script: &str, name: &str, files: &[(String, Vec<u8>)]) -> Result<Verdict, String> {
    static SHELL: OnceLock<(Shell, TempDir)> = OnceLock::new();
    let (shell, directory) = SHELL.get_or_init(|| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let tools = Path::new(env!("CARGO_BIN_EXE_taltools"));
        (Shell::new(tools, directory.path()).expect("links can be made"), directory)
    });
    let place = directory.path().join(name);
    let output = shell.run(script, &place, files).map_err(|e| e.to_string())?;
    let _ = std::fs::remove_dir_all(&place);
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(Ok(()));
    }
    let codes = text.match_indices("[TAL").filter_map(|(at, _)| text.get(at + 1..at + 8)?.parse().ok());
    Ok(Err((codes.collect(), text)))
}

fn place(entry: &Entry, example: &Example) -> String {
    match entry.code {
        Code(0) => format!("docs/{}:{}", entry.title, example.line),
        code => format!("docs/errors/{code}.md:{}", example.line),
    }
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
        page("owned-memory.md", include_str!("../../../docs/owned-memory.md")),
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
