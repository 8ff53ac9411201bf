//! The catalogue of error codes: a title and an explaining page for each.
//!
//! A code exists when its page `docs/errors/TALnnnn.md` does: the build collects them. `cargo xtask
//! tidy` compares the catalogue with the codes that the tools raise.

use crate::Code;

/// What the catalogue knows of one code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// What it means in a few words: the title of the page.
    pub title: &'static str,
    /// The page `docs/errors/TALnnnn.md`, in Markdown.
    pub page: &'static str,
}

/// All codes, in order.
pub const ALL: &[Entry] = include!(concat!(env!("OUT_DIR"), "/codes.rs"));

/// The entry of a code.
pub fn find(code: Code) -> Option<&'static Entry> {
    ALL.binary_search_by_key(&code, |e| e.code).ok().and_then(|i| ALL.get(i))
}

/// A program of a page: a fenced block whose info string says what must happen to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Example {
    /// The language of the block: `tal` for a program, `patch` for changes to a page's accepted program, `sh` for
    /// commands beside the files of the accepted program.
    pub language: &'static str,
    /// The code with which it is rejected; `None` if it is accepted.
    pub rejected: Option<Code>,
    /// The block's text.
    pub text: String,
    /// The line of the page where the text begins, from 1.
    pub line: usize,
}

impl Entry {
    /// The programs of the page, in order. Blocks without `accept` or `reject` are not among them.
    pub fn examples(&self) -> Vec<Example> {
        let mut found = Vec::new();
        let mut open: Option<Option<Example>> = None;
        for (index, line) in self.page.lines().enumerate() {
            let Some(info) = line.strip_prefix("```") else {
                if let Some(Some(example)) = &mut open {
                    example.text.push_str(line);
                    example.text.push('\n');
                }
                continue;
            };
            match open.take() {
                Some(example) => found.extend(example),
                None => open = Some(Example::parse(info, index + 2)),
            }
        }
        found
    }
}

impl Example {
    fn parse(info: &'static str, line: usize) -> Option<Example> {
        let words: Vec<&str> = info.split_whitespace().collect();
        let (language, rejected) = match words[..] {
            [language, "accept"] => (language, None),
            [language, "reject", code] => (language, Some(code.parse().ok()?)),
            _ => return None,
        };
        Some(Example { language, rejected, text: String::new(), line })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_found() {
        assert!(ALL.windows(2).all(|w| w[0].code < w[1].code));
        for entry in ALL {
            assert_eq!(find(entry.code), Some(entry));
        }
        assert_eq!(find(Code(9999)), None);
    }

    #[test]
    fn examples_are_cut_out_of_a_page() {
        let page = "# T\n```tal reject TAL0301\na\nb\n```\n```sh\nx\n```\n```tal accept\nc\n```\n";
        let entry = Entry { code: Code(301), title: "T", page };
        let examples = entry.examples();
        let tal = |rejected, text: &str, line| Example { language: "tal", rejected, text: text.into(), line };
        assert_eq!(examples, [tal(Some(Code(301)), "a\nb\n", 3), tal(None, "c\n", 10)]);
    }
}
