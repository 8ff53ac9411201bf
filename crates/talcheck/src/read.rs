//! Reading files within the checker's limit.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use talcore::limits;

/// Why there is no content.
#[derive(Debug)]
pub enum Failure {
    /// The system said no.
    Io(std::io::Error),
    /// It is larger than [`limits::FILE_BYTES`].
    TooLarge,
}

/// The content of a file, or of standard input for `-`.
///
/// # Errors
/// When it cannot be read or is too large. At most [`limits::FILE_BYTES`] + 1 bytes are read.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let content = if path.as_os_str() == "-" {
        limited(std::io::stdin().lock(), limits::FILE_BYTES)
    } else {
        let file = File::open(path).map_err(Failure::Io)?;
        // A file that says that it is too large need not be read. (A pipe says that it has 0 bytes.)
        if file.metadata().is_ok_and(|m| m.len() > limits::FILE_BYTES as u64) {
            return Err(Failure::TooLarge);
        }
        limited(file, limits::FILE_BYTES)
    }?;
    content.ok_or(Failure::TooLarge)
}

fn limited(from: impl Read, most: usize) -> Result<Option<Vec<u8>>, Failure> {
    let mut content = Vec::new();
    from.take(most as u64 + 1).read_to_end(&mut content).map_err(Failure::Io)?;
    Ok((content.len() <= most).then_some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_at_the_limit() {
        assert_eq!(limited(&b"abc"[..], 3).unwrap().unwrap(), b"abc");
        assert!(limited(&b"abcd"[..], 3).unwrap().is_none());
        assert!(limited(std::io::repeat(0), 1000).unwrap().is_none());
    }
}
