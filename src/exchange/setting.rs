//! A setting with the integers that it made, in two files.

use std::path::Path;

use crate::error::{Error, Result};
use crate::output::write_durably;
use crate::quant::{FixedPoint, Setting};

/// Writes `setting` to `path`, a `.ron` file, and to a `.safetensors` file beside it the `integers` that it made of a
/// model ([`crate::quant::KeptIntegers`]). Loaded from there, it needs no calibration images for that model.
///
/// # Errors
/// If the path ends otherwise, or a file cannot be written.
pub fn export_setting(setting: &FixedPoint, integers: &[u8], path: &Path) -> Result<()> {
    let named = path.file_stem().and_then(|name| name.to_str());
    let (Some(stem), Some("ron")) = (named, path.extension().and_then(|extension| extension.to_str())) else {
        let message = "a setting is a file whose name ends in .ron";
        return Err(Error::field(path.display().to_string(), "name", message));
    };
    let file = format!("{stem}.safetensors");
    let text = Setting::of(setting.keeping(&file))?.to_ron().expect("a fixed-point setting");
    // The setting comes last: it is never there without its integers.
    write_durably(&path.with_file_name(&file), integers)?;
    write_durably(path, text.as_bytes())
}
