use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::print::print;
use super::set::SetArguments;
use super::subject::{Subject, SubjectArguments};
use crate::error::{Error, Result};
use crate::exchange::{
    FloatType, Units, export_golden, export_rtl, export_setting, export_torch, export_torch_float,
};
use crate::hw::Hardware;
use crate::rtl::{DesignRequest, check_machine, export_design};

/// Arguments of `spiq export`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Format {
    /// Weights and thresholds for PyTorch, as safetensors under the original names.
    Torch(TorchArguments),
    /// Every integer of a run, for `spiq validate` and other programs [default: 2 images].
    Golden(FolderArguments),
    /// Stimuli and expected values of each layer for a hardware test bench [default: 1 image].
    Rtl(RtlArguments),
    /// A setting file, and beside it the integers that calibration made of the model: with them the setting needs no
    /// images and no time.
    Setting(SettingArguments),
}

#[derive(Debug, Args)]
struct SettingArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// Write here: a name that ends in .ron, with a .safetensors file beside it.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Keep the integers for the weights that the model description names, which --weights were trained from.
    #[arg(long, requires = "weights")]
    trained: bool,
}

#[derive(Debug, Args)]
struct FolderArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// Write here.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct RtlArguments {
    #[command(flatten)]
    folder: FolderArguments,
    /// A whole machine: its RTL, programs, memory images and a bench that counts cycles (docs/rtl.md).
    #[arg(long)]
    design: bool,
    /// The machine: a built-in accelerator, or the path of a hardware description [default: edge-28].
    #[arg(long, value_name = "H", requires = "design")]
    hw: Option<String>,
    #[command(flatten)]
    set: SetArguments,
    /// Only these weight layers, comma-separated [default: all that the design runs].
    #[arg(long, value_name = "L", value_delimiter = ',', requires = "design")]
    layers: Vec<String>,
}

#[derive(Debug, Args)]
struct TorchArguments {
    #[command(flatten)]
    folder: FolderArguments,
    /// What the values are worth: those of the float network, or steps, which float64 computes exactly.
    #[arg(long, value_enum, default_value = "real")]
    units: UnitsArgument,
    /// Type of the values [default: float32, and float64 for integers].
    #[arg(long, value_enum)]
    dtype: Option<Dtype>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum UnitsArgument {
    Real,
    Integers,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dtype {
    Float32,
    Float64,
}

/// Runs `spiq export`.
pub fn run(arguments: &Arguments) -> Result<()> {
    let (told, out) = match &arguments.format {
        Format::Torch(TorchArguments { folder, units, dtype }) => {
            let subject = Subject::load(&folder.subject, Some(1))?;
            let (units, natural) = match units {
                UnitsArgument::Real => (Units::Real, FloatType::Float32),
                UnitsArgument::Integers => (Units::Integers, FloatType::Float64),
            };
            let float = dtype.map_or(natural, |dtype| match dtype {
                Dtype::Float32 => FloatType::Float32,
                Dtype::Float64 => FloatType::Float64,
            });
            match (subject.quantized()?, units) {
                (Some(quantized), _) => {
                    export_torch(&quantized, subject.names(), units, float, &folder.out)?;
                }
                (None, Units::Real) => export_torch_float(subject.model(), float, &folder.out)?,
                (None, Units::Integers) => {
                    return Err(Error::mismatch("--units integers: fp32 has no integers"));
                }
            }
            ("weights of every layer".to_owned(), &folder.out)
        }
        Format::Golden(folder) => {
            let subject = Subject::load(&folder.subject, Some(2))?;
            let quantized = subject.integers("a golden bundle")?;
            let count = export_golden(&quantized, subject.names(), &subject.images, &folder.out)?;
            (format!("{count} integers of {} images", subject.images.len()), &folder.out)
        }
        Format::Rtl(RtlArguments { folder, design: false, set, .. }) => {
            set.of_optional(None)?;
            let subject = Subject::load(&folder.subject, Some(1))?;
            let quantized = subject.integers("a test bench")?;
            let layers = export_rtl(&quantized, subject.names(), &subject.images, &folder.out)?;
            (format!("{layers} layers, {} images", subject.images.len()), &folder.out)
        }
        Format::Rtl(arguments) => (design(arguments)?, &arguments.folder.out),
        Format::Setting(SettingArguments { subject: arguments, out, trained }) => {
            let subject = Subject::load(arguments, Some(1))?;
            let origin = trained.then(|| arguments.model.load_untrained()).transpose()?;
            let (setting, integers) = subject.kept(origin.as_ref())?;
            export_setting(setting, &integers, out)?;
            ("with its integers beside it".to_owned(), out)
        }
    };
    print(&format!("Wrote {} ({told})\n", out.display()))
}

/// Writes a machine; returns what is told of it.
fn design(arguments: &RtlArguments) -> Result<String> {
    let RtlArguments { folder, hw, set, layers, .. } = arguments;
    let (hardware, _) = Hardware::load(&set.of(hw.as_deref().unwrap_or("edge-28"))?)?;
    check_machine(&hardware)?;
    let subject = Subject::load(&folder.subject, Some(1))?;
    let model = &subject.integers("a machine that executes")?;
    let (names, images) = (subject.names(), &subject.images);
    let request = DesignRequest { model, names, hardware: &hardware, images, layers };
    let export = export_design(&request, &folder.out)?;
    let left_out: String =
        export.left_out.iter().map(|(layer, why)| format!("; not {layer}: {why}")).collect();
    Ok(format!("{} layers on {}{left_out}", export.layers.len(), hardware.name))
}
