//! What pages are drawn from.

use spiq::report::html_page;
use spiq::{Error, Result};

pub fn results(bytes: &[u8]) -> Result<()> {
    let text = std::str::from_utf8(bytes).map_err(|e| Error::field("input.json", "text", e.to_string()))?;
    html_page(text, "input.json").map(drop)
}
