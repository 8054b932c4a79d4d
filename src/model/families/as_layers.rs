//! Any network written out layer by layer, as a start for one that differs.

use super::layers::{Layer, Layers};
use crate::model::{Gate, Network, Node, NodeId, Op, Scope, Weighted};

impl Layers {
    /// The layers that build `network`.
    pub fn of(network: &Network) -> Self {
        let mut scope = Scope::default();
        let mut layers = Vec::new();
        for (id, node) in network.iter().skip(1) {
            if node.scope != scope {
                scope = node.scope.clone();
                let Scope { stage, block, module } = scope.clone();
                layers.push(Layer::Scope { stage, block, module });
            }
            layers.push(layer(network, id, node));
        }
        let unused = network.unused.iter();
        layers.extend(unused.map(|p| Layer::Unused { name: p.name.clone(), shape: p.shape.clone() }));
        Self(layers)
    }
}

fn layer(network: &Network, id: NodeId, node: &Node) -> Layer {
    let name = node.name.clone();
    let called = |i: usize| network.input_of(node, i).name.clone();
    // What is left out is the layer before.
    let input = (node.inputs[0].index() + 1 != id.index()).then(|| called(0));
    match &node.op {
        Op::Weighted(weighted) => weight_layer(network, node, weighted, input),
        Op::Neuron(n) => Layer::Neuron {
            name,
            input,
            threshold: n.threshold,
            per_channel: n.per_channel,
            leak: n.leak,
            reset: n.reset,
            fire: n.fire,
        },
        Op::IntegerNeuron(n) => Layer::IntegerNeuron { name, input, max: n.max, norm: n.norm },
        Op::MaxPool(w) => Layer::MaxPool { name, input, size: w.size, stride: w.stride, pad: w.pad },
        Op::AvgPool(w) => Layer::AvgPool { name, input, size: w.size, stride: w.stride, pad: w.pad },
        Op::PlanePool { heads } => Layer::PlanePool { name, input, heads: *heads },
        Op::Requantize(grid) => Layer::Requantize { name, input, grid: *grid },
        Op::Add(_) => Layer::Add { name, inputs: (called(0), called(1)) },
        Op::Gate(Gate::Or) => Layer::Or { name, inputs: (called(0), called(1)) },
        Op::Gate(Gate::AndNot) => Layer::AndNot { name, inputs: (called(0), called(1)) },
        Op::Attention(attention) => {
            let inputs = (0..node.inputs.len()).map(called).collect();
            Layer::Attention { name, inputs, attention: *attention }
        }
        Op::Mask => Layer::Mask { name, spikes: called(0), mask: called(1) },
        Op::ClassToken(token) => Layer::ClassToken { name, input, positions: token.positions.clone() },
        Op::FirstToken => Layer::FirstToken { name, input },
        Op::MeanTokens => Layer::MeanTokens { name, input },
        Op::MeanTimesteps => Layer::MeanTimesteps { name, input },
        Op::Readout(r) => Layer::Readout { name, input, leak: r.leak, over: r.over },
        Op::Input => unreachable!("the first node alone"),
    }
}

fn weight_layer(network: &Network, node: &Node, weighted: &Weighted, input: Option<String>) -> Layer {
    let (name, norms, g) = (node.name.clone(), weighted.norms.clone(), &weighted.geometry);
    let layer_scale = weighted.layer_scale.clone();
    if weighted.linear {
        let from = network.input_of(node, 0).shape;
        let flatten = g.taps() > 1 && g.kernel == [from.height, from.width];
        return Layer::Linear { name, input, out_features: g.out_channels, flatten, norms, layer_scale };
    }
    Layer::Conv {
        name,
        input,
        out_channels: g.out_channels,
        kernel: g.kernel.into(),
        stride: g.stride.into(),
        pad: g.pad.into(),
        dilation: g.dilation.into(),
        groups: g.groups,
        bias: weighted.bias,
        norms,
        layer_scale,
        padding: weighted.padding,
    }
}

#[cfg(test)]
mod tests {
    use crate::files::Folder;
    use crate::model::ModelDescription;

    /// Layers that are written of every built-in model build the network that they were written from.
    #[test]
    fn layers_of_every_model_build_it() {
        let mut count = 0;
        for name in Folder::Bundled("models").names("ron") {
            let (description, network, _) = ModelDescription::load(name).unwrap();
            let text = description.as_layers(&network);
            let again =
                ModelDescription::parse(&text, name).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
            assert_eq!((&again.name, &again.input), (&description.name, &description.input));
            assert_eq!(again.network(name).unwrap(), network, "{name}");
            count += 1;
        }
        assert!(count > 30, "{count}");
    }

    /// Layers that no built-in model has are written as they were read.
    #[test]
    fn layers_of_forks_are_written_as_they_were_read() {
        let text = "Model(name: \"m\", family: Layers([\
            Conv(name: \"c\", out_channels: 4, kernel: (3, 2), pad: (2, 1), dilation: 2, layer_scale: Some(\"g\")), \
            AvgPool(name: \"p\", size: (2, 1), stride: (2, 1), pad: (1, 0)), \
            Requantize(name: \"s\", grid: Residual), ClassToken(name: \"cls\", positions: Some(\"pos\")), \
            Neuron(name: \"n\"), Linear(name: \"a\", out_features: 4, layer_scale: Some(\"h\")), \
            Neuron(name: \"k\"), AndNot(name: \"i\", inputs: (\"n\", \"k\")), \
            Or(name: \"o\", inputs: (\"k\", \"i\")), Requantize(name: \"r\", grid: Residual), \
            Add(name: \"j\", inputs: (\"a\", \"r\")), Neuron(name: \"m\"), FirstToken(name: \"f\"), \
            Linear(name: \"fc\", out_features: 3), MeanTimesteps(name: \"t\")]), \
            input: Events(shape: (2, 6, 5), max: 3), timesteps: 2, classes: 3, weights: Seeded(1))";
        let description = ModelDescription::parse(text, "m").unwrap();
        let network = description.network("m").unwrap();
        let again = ModelDescription::parse(&description.as_layers(&network), "m").unwrap();
        assert_eq!(again.network("m").unwrap(), network);
    }
}
