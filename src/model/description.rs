use serde::{Deserialize, Serialize};

use super::families::{
    Layers, QkFormer, RepConv, SpikeDrivenV1, SpikeDrivenV2, SpikeDrivenV3, Spikformer, Spikingformer,
};
use super::neuron_override::NeuronOverride;
use super::{Network, Node, QuantizedLayers, Weights};
use crate::check::{INPUT_CHANNELS, INPUT_EXTENT, TIMESTEPS, in_range};
use crate::error::{Error, Fault, Result};
use crate::files::{Folder, sha256};
use crate::ron_file::{parse_ron, to_ron};
use crate::tensor::Shape;

/// `models/<name>.ron`: a family with its hyperparameters, its input and its weights.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename = "Model")]
pub struct ModelDescription {
    /// What reports call it.
    #[serde(deserialize_with = "crate::name::title")]
    pub name: String,
    /// Family and hyperparameters.
    pub family: Family,
    /// What differs from the neurons of the family; of several that name a layer, the last one holds.
    #[serde(default)]
    pub neurons: Vec<NeuronOverride>,
    /// How the weights of a checkpoint are stored, where they are no real numbers.
    #[serde(default)]
    pub quantized: Vec<QuantizedLayers>,
    /// What the network looks at.
    pub input: InputSpec,
    /// Timesteps.
    pub timesteps: usize,
    /// Classes.
    pub classes: usize,
    /// Where the weights come from.
    pub weights: WeightSource,
    /// What they reached where they were trained.
    #[serde(default)]
    pub trained: Option<Trained>,
}

/// Accuracy of weights in the float network, as whoever trained them measured it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trained {
    /// Name of the data set.
    #[serde(deserialize_with = "crate::name::title")]
    pub data: String,
    /// Share of its test images whose class is right.
    pub test_accuracy: f64,
}

/// Published families; one more is one file in `families/` and one line in each place here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub enum Family {
    /// Written out layer by layer.
    Layers(Layers),
    /// QKFormer.
    QkFormer(QkFormer),
    /// Spike-driven Transformer v1.
    SpikeDrivenV1(SpikeDrivenV1),
    /// Spike-driven Transformer v2, Meta-SpikeFormer.
    SpikeDrivenV2(SpikeDrivenV2),
    /// Spike-driven Transformer v3, E-SpikeFormer.
    SpikeDrivenV3(SpikeDrivenV3),
    /// Spikformer.
    Spikformer(Spikformer),
    /// Spikingformer.
    Spikingformer(Spikingformer),
}

impl Family {
    /// Name of the family, as a description spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Layers(_) => "Layers",
            Self::QkFormer(_) => "QkFormer",
            Self::SpikeDrivenV1(_) => "SpikeDrivenV1",
            Self::SpikeDrivenV2(_) => "SpikeDrivenV2",
            Self::SpikeDrivenV3(_) => "SpikeDrivenV3",
            Self::Spikformer(_) => "Spikformer",
            Self::Spikingformer(_) => "Spikingformer",
        }
    }

    /// The family as its checkpoints hold it, where that is not how it runs.
    fn unfused(&self) -> Option<Self> {
        match self {
            Self::SpikeDrivenV2(family) if family.rep_conv == RepConv::Fused => {
                Some(Self::SpikeDrivenV2(SpikeDrivenV2 { rep_conv: RepConv::Unfused, ..family.clone() }))
            }
            _ => None,
        }
    }

    fn build(&self, input: Shape, constant: bool, timesteps: usize, classes: usize) -> Result<Network> {
        match self {
            Self::Layers(layers) => layers.build(input, constant, timesteps, classes),
            Self::QkFormer(family) => family.build(input, constant, timesteps, classes),
            Self::SpikeDrivenV1(family) => family.build(input, constant, timesteps, classes),
            Self::SpikeDrivenV2(family) => family.build(input, constant, timesteps, classes),
            Self::SpikeDrivenV3(family) => family.build(input, constant, timesteps, classes),
            Self::Spikformer(family) => family.build(input, constant, timesteps, classes),
            Self::Spikingformer(family) => family.build(input, constant, timesteps, classes),
        }
    }
}

/// What a network looks at.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum InputSpec {
    /// An image of unsigned bytes, presented at every timestep (direct coding).
    Image {
        /// Channels, height, width.
        shape: Shape,
        /// Per channel, of values in 0..=1.
        mean: Vec<f64>,
        /// Per channel, of values in 0..=1.
        std: Vec<f64>,
        /// Width of a pixel; 1.0 is 2^bits - 1.
        bits: u32,
    },
    /// Events counted into one frame per timestep, as an event camera yields them; used as they are.
    Events {
        /// Channels (polarities), height, width.
        shape: Shape,
        /// Largest count of a pixel; recordings with a larger one are refused.
        max: u16,
    },
    /// Unsigned integers used as they are, presented at every timestep: for networks that are integers
    /// already.
    Integers {
        /// Channels, height, width.
        shape: Shape,
        /// Largest value.
        max: u16,
        /// The value that stands for 0, at most `max`: networks of signed integers read what exceeds it.
        #[serde(default, skip_serializing_if = "is_zero")]
        zero_point: u16,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(zero_point: &u16) -> bool {
    *zero_point == 0
}

impl InputSpec {
    /// Shape of one frame.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Image { shape, .. } | Self::Events { shape, .. } | Self::Integers { shape, .. } => *shape,
        }
    }

    /// True where every timestep sees the same frame (direct coding).
    pub fn is_constant(&self) -> bool {
        !matches!(self, Self::Events { .. })
    }

    /// The integer that stands for 0, where that is one for all channels.
    pub fn zero_point(&self) -> u16 {
        if let Self::Integers { zero_point, .. } = self { *zero_point } else { 0 }
    }

    /// Largest integer of a frame; of an image, the pixel that stands for 1.0.
    pub fn max(&self) -> u16 {
        match self {
            Self::Image { bits, .. } => ((1u32 << bits) - 1) as u16,
            Self::Events { max, .. } | Self::Integers { max, .. } => *max,
        }
    }
}

/// Where weights come from.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub enum WeightSource {
    /// A checkpoint beside the description: safetensors, or a file of `torch.save`.
    File(String),
    /// Random weights of this seed, with batch normalizations calibrated on noise: for what a network
    /// costs, where there is no checkpoint.
    Seeded(u64),
}

/// Values that one node may hold for one image: half a gigabyte of floats. Runs keep a few nodes at a
/// time, and counters of 32 bits count their events.
const MAX_VALUES: usize = 1 << 27;

/// Random parameters that are made: four gigabytes of floats.
const MAX_SEEDED: u64 = 1 << 30;

/// A described model with its network and its weights.
#[derive(Debug)]
pub struct Model {
    /// The description.
    pub description: ModelDescription,
    /// The network that the family builds.
    pub network: Network,
    /// Parameters of the network.
    pub weights: Weights,
    /// SHA-256 of the weights file, or of the seeded weights.
    pub sha256: String,
}

impl Model {
    /// SHA-256 of layers, input, timesteps and parameters: equal for models that compute the same, whatever they are
    /// called.
    pub fn identity(&self) -> String {
        let weights = WeightSource::Seeded(0);
        let unnamed = ModelDescription { name: String::new(), weights, ..self.description.clone() };
        sha256([unnamed.as_layers(&self.network), self.sha256.clone()])
    }
}

impl ModelDescription {
    /// Parses and checks a description; `path` is for messages.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let description: Self = parse_ron(text, path)?;
        description.check().map_err(|fault| fault.at(path))?;
        Ok(description)
    }

    /// Loads `spec`, the name of a default or a path to a `.ron` file, and builds its network; the
    /// weights are not read. Yields the folder of the file, too.
    pub fn load(spec: &str) -> Result<(Self, Network, Folder)> {
        let (folder, name) = Folder::locate("models", spec)?;
        let path = folder.path(&name);
        let description = Self::parse(&folder.read_text(&name)?, &path)?;
        let network = description.network(&path)?;
        Ok((description, network, folder))
    }

    /// The description as a checkpoint holds its network, where layers are fused to run: the weights
    /// of that network [`fuse`](super::fuse) into those of this.
    pub fn unfused(&self) -> Option<Self> {
        Some(Self { family: self.family.unfused()?, ..self.clone() })
    }

    /// The network, without weights.
    pub fn network(&self, path: &str) -> Result<Network> {
        let mut network = self
            .family
            .build(self.input.shape(), self.input.is_constant(), self.timesteps, self.classes)
            .map_err(|e| Error::field(path, "family", e.to_string()))?;
        for neurons in &self.neurons {
            neurons.apply(&mut network).map_err(|e| Error::field(path, "neurons", e.to_string()))?;
        }
        for layers in &self.quantized {
            layers.apply(&mut network).map_err(|e| Error::field(path, "quantized", e.to_string()))?;
        }
        if !self.quantized.is_empty() && self.family.unfused().is_some() {
            let message = "convolutions that are fused have no codes of their own: rep_conv is Unfused";
            return Err(Error::field(path, "quantized", message));
        }
        if matches!(self.weights, WeightSource::Seeded(_)) && network.parameter_count() > MAX_SEEDED {
            let message = format!("{} random values are more than {MAX_SEEDED}", network.parameter_count());
            return Err(Error::field(path, "weights", message));
        }
        let values = |node: &Node| node.shape.values() * node.frames(self.timesteps);
        match network.nodes.iter().find(|node| values(node) > MAX_VALUES) {
            Some(node) => {
                let message =
                    format!("layer {}: {} values of an image exceed {MAX_VALUES}", node.name, values(node));
                Err(Error::field(path, "input.shape", message))
            }
            None => Ok(network),
        }
    }

    /// A description of `network`, layer by layer, that is else this one.
    pub fn as_layers(&self, network: &Network) -> String {
        #[derive(Serialize)]
        enum Family {
            Layers(Layers),
        }
        #[derive(Serialize)]
        #[serde(rename = "Model")]
        struct Written<'a> {
            name: &'a str,
            family: Family,
            #[serde(skip_serializing_if = "<[QuantizedLayers]>::is_empty")]
            quantized: &'a [QuantizedLayers],
            input: &'a InputSpec,
            timesteps: usize,
            classes: usize,
            weights: &'a WeightSource,
        }
        // One line per layer.
        let written = Written {
            name: &self.name,
            family: Family::Layers(Layers::of(network)),
            quantized: &self.quantized,
            input: &self.input,
            timesteps: self.timesteps,
            classes: self.classes,
            weights: &self.weights,
        };
        to_ron(&written, 2)
    }

    fn check(&self) -> Result<(), Fault> {
        in_range("timesteps", self.timesteps, &TIMESTEPS)?;
        in_range("classes", self.classes, &(1..=100_000))?;
        if let Some(Trained { test_accuracy, .. }) = &self.trained
            && !(0.0..=1.0).contains(test_accuracy)
        {
            return Err(Fault::new("trained.test_accuracy", format!("{test_accuracy:?} is not in 0..=1")));
        }
        let shape = self.input.shape();
        in_range("input.shape: channels", shape.channels, &INPUT_CHANNELS)?;
        in_range("input.shape: height", shape.height, &INPUT_EXTENT)?;
        in_range("input.shape: width", shape.width, &INPUT_EXTENT)?;
        let InputSpec::Image { mean, std, bits, .. } = &self.input else {
            in_range("input.max", self.input.max(), &(1..=u16::MAX))?;
            return in_range("input.zero_point", self.input.zero_point(), &(0..=self.input.max()));
        };
        in_range("input.bits", *bits, &(1..=8))?;
        for (field, values) in [("input.mean", mean), ("input.std", std)] {
            if values.len() != shape.channels {
                return Err(Fault::new(
                    field,
                    format!("{} values for {} channels", values.len(), shape.channels),
                ));
            }
        }
        if let Some(m) = mean.iter().find(|m| !(0.0..=1.0).contains(*m)) {
            return Err(Fault::new("input.mean", format!("{m:?} is not in 0..=1")));
        }
        if let Some(s) = std.iter().find(|s| !(1e-3..=10.0).contains(*s)) {
            return Err(Fault::new("input.std", format!("{s:?} is not in 0.001..=10")));
        }
        Ok(())
    }
}
