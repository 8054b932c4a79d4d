//! Checkpoints, and what stands inside of their containers.

use std::io::{Cursor, Write};

use spiq::Result;
use spiq::model::{Checkpoint, Weights};
use spiq::quant::KeptIntegers;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::descriptions::NETWORK;

/// Opens a checkpoint, decodes every tensor, and looks for those of a network.
fn open(bytes: &[u8], path: &str) -> Result<()> {
    let checkpoint = Checkpoint::open(bytes, path)?;
    // A tensor of strings or of complex numbers may stand beside the weights.
    let _ = checkpoint.iter().filter_map(|(_, tensor)| tensor.values().ok()).count();
    // Nor need it be of this network.
    let _ = Weights::parse(bytes, path, &NETWORK);
    Ok(())
}

pub fn checkpoint(bytes: &[u8]) -> Result<()> {
    open(bytes, "input.pth")
}

/// The input is the pickle; the archive around it is sound and has two storages, `0` and `1`.
pub fn pickle(bytes: &[u8]) -> Result<()> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let storages = [[0u8; 24], [1; 24]];
    let records: [(&str, &[u8]); 4] = [
        ("m/data.pkl", bytes),
        ("m/byteorder", b"little"),
        ("m/data/0", &storages[0]),
        ("m/data/1", &storages[1]),
    ];
    for (name, content) in records {
        archive.start_file(name, stored).expect("a short name");
        archive.write_all(content).expect("memory");
    }
    open(&archive.finish().expect("memory").into_inner(), "input.pth")
}

/// The input is the JSON header; its length before it is right, and 96 bytes of values follow.
pub fn safetensors(bytes: &[u8]) -> Result<()> {
    let length = (bytes.len() as u64).to_le_bytes();
    open(&[&length[..], bytes, &[0; 96]].concat(), "input.safetensors")
}

/// Integers that are kept beside a setting.
pub fn integers(bytes: &[u8]) -> Result<()> {
    let kept = KeptIntegers::parse(bytes, "input.safetensors")?;
    let _ = kept.ranges();
    Ok(())
}
