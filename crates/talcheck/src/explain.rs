//! `--explain` and `--list-codes`.

use taldiag::{Code, codes};

/// The page of a code as text for a terminal.
///
/// # Errors
/// A sentence for the user, if there is no such code.
pub fn explain(code: Code) -> Result<&'static str, String> {
    match codes::find(code) {
        Some(entry) => Ok(entry.page),
        None => Err(format!("there is no code {code}; `talcheck --list-codes` prints all")),
    }
}

/// All codes with their titles, one on a line.
pub fn list() -> String {
    codes::ALL.iter().map(|e| format!("{}  {}\n", e.code, e.title)).collect()
}
