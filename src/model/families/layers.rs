use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{
    Attention, ClassToken, Conv, Fire, Gate, Grid, IntegerNeuron, Leak, Network, NetworkBuilder, Neuron,
    NodeId, Padding, Parameter, Readout, ReadoutOver, Reset, Sides, Window,
};
use crate::tensor::Shape;

/// A network of no published family, written out layer by layer.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Layers(pub(super) Vec<Layer>);

/// One layer. `name` is that of its tensors in the checkpoint (`{name}.weight`, `{name}.bias`); `input`
/// names what it reads, the layer before where it is left out; `"input"` is the image.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Layer {
    /// The layers behind belong to this part of the network.
    Scope {
        #[serde(deserialize_with = "crate::name::title")]
        stage: String,
        #[serde(deserialize_with = "crate::name::title")]
        block: String,
        #[serde(deserialize_with = "crate::name::title")]
        module: String,
    },
    /// A convolution, followed by the batch normalizations `norms`.
    Conv {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        out_channels: usize,
        kernel: Sides,
        #[serde(default = "one_side", skip_serializing_if = "is_one_side")]
        stride: Sides,
        #[serde(default = "no_side", skip_serializing_if = "is_no_side")]
        pad: Sides,
        #[serde(default = "one_side", skip_serializing_if = "is_one_side")]
        dilation: Sides,
        #[serde(default = "one", skip_serializing_if = "is_one")]
        groups: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        bias: bool,
        #[serde(
            default,
            deserialize_with = "crate::name::plain_list",
            skip_serializing_if = "Vec::is_empty"
        )]
        norms: Vec<String>,
        #[serde(
            default,
            deserialize_with = "crate::name::plain_option",
            skip_serializing_if = "Option::is_none"
        )]
        layer_scale: Option<String>,
        #[serde(default = "zeros", skip_serializing_if = "is_zeros")]
        padding: Padding,
    },
    /// A linear layer: of each position, or with `flatten` of the whole map, channel by channel.
    Linear {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        out_features: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        flatten: bool,
        #[serde(
            default,
            deserialize_with = "crate::name::plain_list",
            skip_serializing_if = "Vec::is_empty"
        )]
        norms: Vec<String>,
        #[serde(
            default,
            deserialize_with = "crate::name::plain_option",
            skip_serializing_if = "Option::is_none"
        )]
        layer_scale: Option<String>,
    },
    /// Maximum over windows; OR on spikes.
    MaxPool {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        size: Sides,
        stride: Sides,
        #[serde(default = "no_side", skip_serializing_if = "is_no_side")]
        pad: Sides,
    },
    /// A mean over windows, with the zeros around the map.
    AvgPool {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        size: Sides,
        stride: Sides,
        #[serde(default = "no_side", skip_serializing_if = "is_no_side")]
        pad: Sides,
    },
    /// A spiking neuron; with `per_channel`, `{name}.threshold` of the checkpoint multiplies `threshold`.
    Neuron {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        #[serde(default = "one_f64")]
        threshold: f64,
        #[serde(default, skip_serializing_if = "is_false")]
        per_channel: bool,
        #[serde(default = "half_with_input")]
        leak: Leak,
        #[serde(default = "to_zero")]
        reset: Reset,
        #[serde(default = "at_threshold")]
        fire: Fire,
    },
    /// A neuron of integer spikes.
    IntegerNeuron {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        max: u32,
        norm: u32,
    },
    /// An OR over 3x3 neighbours in the plane of tokens and channels of a head.
    PlanePool {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        heads: usize,
    },
    /// Brings pre-activations onto a grid.
    Requantize {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        grid: Grid,
    },
    /// Residual join of a stream and a branch.
    Add {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        inputs: (String, String),
    },
    /// stream OR branch, of spikes.
    Or {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        inputs: (String, String),
    },
    /// stream AND NOT branch, of spikes.
    AndNot {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        inputs: (String, String),
    },
    /// The products of an attention.
    Attention {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        inputs: Vec<String>,
        attention: Attention,
    },
    /// Spikes AND a mask.
    Mask {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        spikes: String,
        mask: String,
    },
    /// A learned token in front of all positions, in the tensor `name`; `positions` is the tensor of what is
    /// added to every token.
    ClassToken {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        #[serde(
            default,
            deserialize_with = "crate::name::plain_option",
            skip_serializing_if = "Option::is_none"
        )]
        positions: Option<String>,
    },
    /// The first position alone.
    FirstToken {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
    },
    /// Mean over positions.
    MeanTokens {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
    },
    /// Mean over timesteps.
    MeanTimesteps {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
    },
    /// A leaky integrator without spikes.
    Readout {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<String>,
        leak: Leak,
        over: ReadoutOver,
    },
    /// A tensor that checkpoints hold and no layer reads.
    Unused {
        #[serde(deserialize_with = "crate::name::plain")]
        name: String,
        shape: Vec<usize>,
    },
}

fn one() -> usize {
    1
}

fn one_side() -> Sides {
    1.into()
}

fn no_side() -> Sides {
    0.into()
}

fn one_f64() -> f64 {
    1.0
}

fn half_with_input() -> Leak {
    Leak::HalfWithInput
}

fn to_zero() -> Reset {
    Reset::Zero
}

fn at_threshold() -> Fire {
    Fire::AtThreshold
}

fn zeros() -> Padding {
    Padding::Zero
}

fn is_one(groups: &usize) -> bool {
    *groups == 1
}

fn is_one_side(stride: &Sides) -> bool {
    *stride == one_side()
}

fn is_no_side(pad: &Sides) -> bool {
    *pad == no_side()
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zeros(padding: &Padding) -> bool {
    *padding == Padding::Zero
}

impl Layers {
    /// The network; `constant` input is the same image at every timestep.
    pub fn build(&self, input: Shape, constant: bool, timesteps: usize, classes: usize) -> Result<Network> {
        let (mut net, image) = NetworkBuilder::new(input, constant, timesteps);
        net.scope("layers", "layers", "layers");
        let mut known = Known { ids: BTreeMap::from([("input".to_owned(), image)]), last: image };
        for layer in &self.0 {
            if let Some((name, id)) = layer.add(&mut net, &known)? {
                known.ids.insert(name.to_owned(), id);
                known.last = id;
            }
        }
        let yields = net.shape(known.last).channels;
        if yields != classes {
            let message = format!("Layers: the last layer yields {yields} values for {classes} classes");
            return Err(Error::mismatch(message));
        }
        let unused = self.0.iter().filter_map(|layer| match layer {
            Layer::Unused { name, shape } => {
                Some(Parameter { name: name.clone(), shape: shape.clone(), trained: true })
            }
            _ => None,
        });
        net.finish(unused.collect())
    }
}

/// The layers so far.
struct Known {
    ids: BTreeMap<String, NodeId>,
    last: NodeId,
}

impl Known {
    /// The layer called `input`, or the last one.
    fn input(&self, of: &str, input: Option<&str>) -> Result<NodeId> {
        let Some(name) = input else { return Ok(self.last) };
        self.ids.get(name).copied().ok_or_else(|| {
            Error::mismatch(format!("Layers: layer {of}: no layer before it is called {name:?}"))
        })
    }

    /// A stream and a branch.
    fn pair(&self, of: &str, (stream, branch): &(String, String)) -> Result<[NodeId; 2]> {
        Ok([self.input(of, Some(stream))?, self.input(of, Some(branch))?])
    }
}

impl Layer {
    /// Adds the layer; yields its name and what it became, nothing for a scope or an unused tensor.
    fn add(&self, net: &mut NetworkBuilder, known: &Known) -> Result<Option<(&str, NodeId)>> {
        let one = |name: &str, input: &Option<String>| known.input(name, input.as_deref());
        let (name, id) = match self {
            Self::Scope { stage, block, module } => {
                net.scope(stage, block, module);
                return Ok(None);
            }
            Self::Unused { .. } => return Ok(None),
            Self::Conv { name, input, .. } | Self::Linear { name, input, .. } => {
                (name, net.conv(name, one(name, input)?, self.conv())?)
            }
            Self::MaxPool { name, input, size, stride, pad } => {
                let window = Window { size: *size, stride: *stride, pad: *pad };
                (name, net.max_pool(name, one(name, input)?, window)?)
            }
            Self::AvgPool { name, input, size, stride, pad } => {
                let window = Window { size: *size, stride: *stride, pad: *pad };
                (name, net.avg_pool(name, one(name, input)?, window)?)
            }
            &Self::Neuron { ref name, ref input, threshold, per_channel, leak, reset, fire } => {
                let neuron = Neuron { threshold, per_channel, leak, reset, fire };
                (name, net.neuron(name, one(name, input)?, neuron)?)
            }
            &Self::IntegerNeuron { ref name, ref input, max, norm } => {
                (name, net.integer_neuron(name, one(name, input)?, IntegerNeuron { max, norm })?)
            }
            Self::PlanePool { name, input, heads } => {
                (name, net.plane_pool(name, one(name, input)?, *heads)?)
            }
            Self::Requantize { name, input, grid } => (name, net.requantize(name, one(name, input)?, *grid)?),
            Self::Add { name, inputs } => {
                let [stream, branch] = known.pair(name, inputs)?;
                (name, net.add(name, stream, branch)?)
            }
            Self::Or { name, inputs } | Self::AndNot { name, inputs } => {
                let gate = if matches!(self, Self::Or { .. }) { Gate::Or } else { Gate::AndNot };
                let [stream, branch] = known.pair(name, inputs)?;
                (name, net.gate(name, stream, branch, gate)?)
            }
            Self::Attention { name, inputs, attention } => {
                let inputs: Result<Vec<_>> =
                    inputs.iter().map(|input| known.input(name, Some(input))).collect();
                (name, net.attention(name, &inputs?, *attention)?)
            }
            Self::Mask { name, spikes, mask } => {
                (name, net.mask(name, known.input(name, Some(spikes))?, known.input(name, Some(mask))?)?)
            }
            Self::ClassToken { name, input, positions } => {
                let token = ClassToken { positions: positions.clone() };
                (name, net.class_token(name, one(name, input)?, token)?)
            }
            Self::FirstToken { name, input } => (name, net.first_token(name, one(name, input)?)?),
            Self::MeanTokens { name, input } => (name, net.mean_tokens(name, one(name, input)?)?),
            Self::MeanTimesteps { name, input } => (name, net.mean_timesteps(name, one(name, input)?)?),
            &Self::Readout { ref name, ref input, leak, over } => {
                (name, net.readout(name, one(name, input)?, Readout { leak, over })?)
            }
        };
        Ok(Some((name, id)))
    }

    /// The convolution of a weight layer.
    fn conv(&self) -> Conv {
        let (conv, norms, layer_scale) = match self {
            Self::Conv {
                out_channels,
                kernel,
                stride,
                pad,
                dilation,
                groups,
                bias,
                norms,
                layer_scale,
                padding,
                ..
            } => {
                let conv = Conv::new(*out_channels, *kernel)
                    .stride(*stride)
                    .pad(*pad)
                    .dilation(*dilation)
                    .groups(*groups);
                let conv = if *padding == Padding::Zero { conv } else { conv.pad_with_bias() };
                (if *bias { conv.bias() } else { conv }, norms, layer_scale)
            }
            Self::Linear { out_features, flatten, norms, layer_scale, .. } => {
                let conv = Conv::linear(*out_features);
                (if *flatten { conv.flatten() } else { conv }, norms, layer_scale)
            }
            other => unreachable!("{other:?} is no weight layer"),
        };
        let conv = norms.iter().fold(conv, |conv, norm| conv.norm(norm));
        layer_scale.iter().fold(conv, |conv, name| conv.layer_scale(name))
    }
}
