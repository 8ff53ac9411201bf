//! Renderers: from diagnostics to text.

mod github;
mod human;
mod json;
mod sarif;
mod short;

use crate::{Diagnostic, Place, Sources};

/// The shape of the output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// For a person at a terminal: several lines with the source.
    #[default]
    Human,
    /// One line for each diagnostic: `file:line:column: error[TALnnnn]: message`.
    Short,
    /// One JSON object on a line for each diagnostic.
    Json,
    /// One SARIF 2.1.0 document.
    Sarif,
    /// Workflow commands of GitHub Actions.
    Github,
}

impl Format {
    /// The names, as on command lines.
    pub const NAMES: [&'static str; 5] = ["human", "short", "json", "sarif", "github"];
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(s: &str) -> Result<Format, String> {
        Ok(match s {
            "human" => Format::Human,
            "short" => Format::Short,
            "json" => Format::Json,
            "sarif" => Format::Sarif,
            "github" => Format::Github,
            _ => return Err(format!("`{s}` is no format; formats are {}", Format::NAMES.join(", "))),
        })
    }
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Color {
    /// If the stream is a terminal and `NO_COLOR` is unset.
    #[default]
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

impl Color {
    /// Whether to colour what goes to `stream`.
    pub fn wanted(self, stream: &impl std::io::IsTerminal) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        }
    }
}

impl std::str::FromStr for Color {
    type Err = String;

    fn from_str(s: &str) -> Result<Color, String> {
        Ok(match s {
            "auto" => Color::Auto,
            "always" => Color::Always,
            "never" => Color::Never,
            _ => return Err(format!("`{s}` is not auto, always or never")),
        })
    }
}

/// Turns diagnostics into text.
#[derive(Clone, Debug)]
pub struct Renderer {
    tool: &'static str,
    format: Format,
    color: bool,
}

impl Renderer {
    /// A renderer without colours for the tool of this name.
    pub fn new(tool: &'static str, format: Format) -> Renderer {
        Renderer { tool, format, color: false }
    }

    /// Sets whether [`Format::Human`] uses colours.
    pub fn color(mut self, on: bool) -> Renderer {
        self.color = on;
        self
    }

    /// The text for these diagnostics, ending in a newline unless there is nothing to say.
    /// [`Format::Sarif`] makes a whole document of each call; the other outputs can be concatenated.
    pub fn render(&self, sources: &Sources, diagnostics: &[Diagnostic]) -> String {
        self.render_groups(&[(sources, diagnostics)])
    }

    /// [`Renderer::render`] for diagnostics that speak of different [`Sources`].
    pub fn render_groups(&self, groups: &[(&Sources, &[Diagnostic])]) -> String {
        let mut out = String::new();
        if self.format == Format::Sarif {
            sarif::render(&mut out, self.tool, groups);
            return out;
        }
        for (sources, diagnostics) in groups {
            let mut texts = human::Texts::new(sources);
            for d in *diagnostics {
                match self.format {
                    Format::Human => human::render(&mut out, self.color, &mut texts, d),
                    Format::Short => short::render(&mut out, sources, d),
                    Format::Json => json::render(&mut out, sources, d),
                    Format::Github => github::render(&mut out, sources, d),
                    Format::Sarif => {}
                }
            }
        }
        out
    }
}

/// A place in one line: `file:line:column`, `file:0x401000 (main+0x10)`, `file:+0x40` or `file`.
pub fn place(sources: &Sources, place: &Place) -> String {
    let name = plain(sources.name(place.file()));
    match place {
        Place::Source { file, range } => {
            let at = sources.position(*file, range.start);
            format!("{name}:{}:{}", at.line, at.column)
        }
        Place::Binary { address, symbol: Some(symbol), .. } => {
            format!("{name}:{address:#x} ({})", plain(&symbol.to_string()))
        }
        Place::Binary { address, .. } => format!("{name}:{address:#x}"),
        Place::Offset { offset, .. } => format!("{name}:+{offset:#x}"),
        Place::File { .. } => name,
    }
}

/// Replaces characters that would steer a terminal or reorder text. File names, symbols and sources may
/// be hostile. The length in bytes stays the same, so ranges stay valid; newlines and tabs are kept.
fn plain(text: &str) -> String {
    let swap = |c: char| match c {
        '\n' | '\t' => c,
        '\r' => ' ',
        '\0'..='\x1f' | '\x7f' => '?',
        '\u{80}'..='\u{9f}' | '\u{61c}' => '·',
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        _ => c,
    };
    text.chars().map(swap).collect()
}

/// [`plain`] on one line.
fn one_line(text: &str) -> String {
    plain(text).replace(['\n', '\t'], " ")
}

/// Bytes as two digits each, with spaces between.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ")
}
