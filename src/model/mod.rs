//! Models: the layer IR, the families that build it, weights and data sets.
//!
//! ```
//! use spiq::model::ModelDescription;
//!
//! let (description, network, _folder) = ModelDescription::load("sdtv2_15M")?;
//! assert_eq!((description.family.name(), network.timesteps, network.classes()), ("SpikeDrivenV2", 4, 1000));
//! # Ok::<(), spiq::Error>(())
//! ```

mod assumed;
mod builder;
mod checkpoint;
mod class_token;
mod conv;
mod conv_request;
pub mod data;
mod description;
mod families;
mod fit;
mod fold;
mod ir;
mod leak;
mod lookalikes;
mod neuron;
mod neuron_override;
mod parameter;
mod quantized_layers;
mod readout;
mod rep_conv;
mod reset;
mod sides;
mod stored_codes;
mod weights;
mod window;

pub(crate) use assumed::neurons_assumed;
pub use builder::NetworkBuilder;
pub use checkpoint::{Checkpoint, Selection, StoredTensor};
pub use class_token::ClassToken;
pub(crate) use class_token::LearnedTokens;
pub use conv::ConvGeometry;
pub use conv_request::Conv;
pub use data::{DataSet, Images, Sample};
pub use description::{Family, InputSpec, Model, ModelDescription, Trained, WeightSource};
pub use fold::{FoldedLayer, fold};
pub use ir::{
    Attention, Gate, Grid, Join, Kind, Network, Node, NodeId, Op, Operations, Padding, ProductOrder, Scope,
    Weighted,
};
pub use leak::{Decay, FloatLeak, Leak, Learned};
pub(crate) use lookalikes::name_lookalikes;
pub(crate) use neuron::threshold_name;
pub use neuron::{Fire, IntegerNeuron, Neuron};
pub use neuron_override::NeuronOverride;
pub use parameter::Parameter;
pub use quantized_layers::QuantizedLayers;
pub use readout::{Readout, ReadoutOver};
pub use rep_conv::fuse;
pub use reset::Reset;
pub use sides::Sides;
pub use stored_codes::{Codes, Scale, StoredCodes};
pub use weights::{BatchNorm, LayerWeights, Weights};
pub use window::Window;
