//! Files that are taken for checkpoints and are none, by what they start with.

/// What `bytes` are, with what to do, if they are certainly no checkpoint that is read here.
pub fn name(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.is_empty() {
        return Some("an empty file");
    }
    // A file of safetensors starts with the length of its header in eight bytes, and the header with a brace.
    if let [_, _, _, _, 0, 0, 0, 0, b'{', ..] = bytes {
        return None;
    }
    if starts(LEGACY_MAGIC) {
        return Some(
            "written by torch.save before PyTorch 1.6; convert it with python/convert/to_safetensors.py",
        );
    }
    if starts(b"\x1f\x8b") {
        return Some("compressed by gzip; decompress it first");
    }
    if starts(b"\x93NUMPY") {
        return Some("an array of NumPy; weights have names");
    }
    if starts(b"\x89HDF\r\n") {
        return Some("an HDF5 file; save a state dict with torch.save, or safetensors");
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some("a tar archive; unpack it first");
    }
    if let [0x80, 2..=5, ..] = bytes {
        return Some("a bare pickle; save it with torch.save");
    }
    text(bytes)
}

/// How a file of `torch.save` before PyTorch 1.6 starts: protocol 2, and a magic number of ten bytes.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19";

/// What kind of text `bytes` are, if they are text.
fn text(bytes: &[u8]) -> Option<&'static str> {
    const LOOKED_AT: usize = 4096;
    let start = &bytes[..bytes.len().min(LOOKED_AT)];
    if start.iter().any(|&byte| byte == 0x7f || byte < 0x20 && !b"\t\n\r\x0c".contains(&byte)) {
        return None;
    }
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    Some(match text {
        text if text.starts_with("version https://git-lfs") => {
            "a pointer of git-lfs in the place of the file; git lfs pull fetches it"
        }
        text if text.starts_with('{') && text.contains("\"weight_map\"") => {
            "the index of a checkpoint in several files; merge them into one file of safetensors"
        }
        text if text.starts_with('<') => "a web page, and no checkpoint",
        _ => "text, and no checkpoint",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_not_taken_for_anything_else() {
        for length in [0x7bu64, 0x80, 0x0280, 0x0580, 0x08_8b1f, 0x3c20, 0x2020_2020] {
            let header = [&length.to_le_bytes()[..], b"{\"a\":1}"].concat();
            assert_eq!(name(&header), None, "a header of {length} bytes");
        }
        assert_eq!(name(b"PK\x03\x04"), None);
    }
}
