//! The contents of quoted strings.

/// What is wrong with a string: the byte range from its opening quote, and why.
#[derive(Debug, PartialEq)]
pub(super) struct BadEscape {
    /// First byte, counted from the opening quote.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The bytes that a quoted string stands for.
pub(super) fn decode(quoted: &str) -> Result<Vec<u8>, BadEscape> {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or("");
    let bytes = inner.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        if b != b'\\' {
            out.push(b);
            at += 1;
            continue;
        }
        let (value, len) = match bytes.get(at + 1) {
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'0') => (0, 2),
            Some(b'e') => (0x1b, 2),
            Some(q @ (b'\\' | b'\'' | b'"')) => (*q, 2),
            Some(b'x') => match hex(bytes.get(at + 2..at + 4)) {
                Some(v) => (v, 4),
                None => return Err(bad(inner, at, 4)),
            },
            _ => return Err(bad(inner, at, 2)),
        };
        out.push(value);
        at += len;
    }
    Ok(out)
}

fn bad(inner: &str, at: usize, len: usize) -> BadEscape {
    let mut end = (at + len).min(inner.len());
    while !inner.is_char_boundary(end) {
        end += 1;
    }
    BadEscape { start: at + 1, end: end + 1 }
}

fn hex(digits: Option<&[u8]>) -> Option<u8> {
    let mut value = 0;
    for &d in digits? {
        value = value * 16 + (d as char).to_digit(16)? as u8;
    }
    Some(value)
}
