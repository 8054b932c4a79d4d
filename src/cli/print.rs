//! What commands write to standard output.

use crate::error::{Error, Result};
use crate::name::{Printable, is_printable};

/// Writes lines to standard output, such that a terminal shows whatever the names in them hold.
pub fn print(text: &str) -> Result<()> {
    let lines: Vec<String> = text.split('\n').map(|line| Printable(line).to_string()).collect();
    print_bytes(lines.join("\n").as_bytes())
}

/// Writes JSON to standard output, with what a terminal would not show as JSON escapes.
pub fn print_json(text: &str) -> Result<()> {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || is_printable(c) {
            shown.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown.push_str(&format!("\\u{unit:04x}")));
        }
    }
    print_bytes(shown.as_bytes())
}

/// Writes `bytes` to standard output as they are; a reader that went away ends the program quietly.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().lock().write_all(bytes) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(Error::io("standard output", e)),
        Ok(()) => Ok(()),
    }
}
