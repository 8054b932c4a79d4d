//! Rates of spikes from a file: what is known of a network's activity where there are no images.

use csv::{ReaderBuilder, StringRecord, Terminator, Trim};

use super::expected;
use super::{Activity, Pattern, Patterns};
use crate::error::{Error, Result};
use crate::files::{Folder, sha256};
use crate::model::{Network, Node, NodeId, Op};
use crate::name::first_of;

/// Missing or unknown layers that a message names before it only counts them.
const NAMED: usize = 3;

/// Per layer, the fraction of values that are not zero: of a weight layer its inputs, of any other its
/// outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// The file, as messages call it.
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// One per node; `None` where neither the file nor the layers around say it.
    nodes: Vec<Option<f64>>,
}

impl Rates {
    /// Loads `spec` for `network`: the name of a default, or a path to a `.csv` file.
    ///
    /// # Errors
    /// Names the file, and the line, the layer or the layers that are missing.
    pub fn load(spec: &str, network: &Network) -> Result<Self> {
        let (folder, name) = Folder::locate_file("models/rates", spec, "csv")?;
        Self::parse(&folder.read_text(&name)?, &folder.path(&name), network)
    }

    /// Parses the text of `path`: a header `layer,rate`, one line per layer, and lines that start with `#`.
    ///
    /// # Errors
    /// As [`Rates::load`].
    pub fn parse(text: &str, path: &str, network: &Network) -> Result<Self> {
        let given = given(text, path, network)?;
        let nodes = expected::complete(network, given);
        check_inputs(network, &nodes, path)?;
        Ok(Self { path: path.to_owned(), sha256: sha256([text]), nodes })
    }

    /// Rates of `rate` in every layer of `network`; what comes from outside is all there.
    ///
    /// # Errors
    /// If the rate is no fraction.
    pub fn uniform(network: &Network, rate: f64) -> Result<Self> {
        let named = network.nodes.iter().filter(|n| matches!(n.op, Op::Weighted(_)) || n.op.is_neuron());
        let row = |node: &Node| {
            let outside = network.input_of(node, 0).op == Op::Input;
            format!("{},{}\n", node.name, if outside { 1.0 } else { rate })
        };
        let rows: String = named.map(row).collect();
        Self::parse(&format!("layer,rate\n{rows}"), "the same rate everywhere", network)
    }

    /// What `network`, which these rates are of, does at them.
    pub fn activity(&self, network: &Network) -> Activity {
        self.activity_with(network, &[])
    }

    /// [`Rates::activity`] with `patterns`, which are those of one random draw of spikes.
    pub fn activity_with(&self, network: &Network, patterns: &[Pattern]) -> Activity {
        let patterns = Patterns::drawn(patterns, network, &self.nodes);
        Activity { patterns, ..expected::activity(network, &self.nodes) }
    }

    /// The fraction of the inputs of weight layer `node` that are not zero.
    pub(crate) fn of_inputs(&self, node: NodeId) -> f64 {
        self.nodes[node.index()].unwrap_or(0.0)
    }

    /// The weight layers and neurons of `network` whose rate is known.
    pub fn known<'a>(&'a self, network: &'a Network) -> impl Iterator<Item = (&'a Node, f64)> {
        let named =
            network.iter().filter(|(_, node)| matches!(node.op, Op::Weighted(_)) || node.op.is_neuron());
        named.filter_map(|(id, node)| Some((node, self.nodes[id.index()]?)))
    }

    /// In words, the neurons of `network` whose rate is not known; `None` where all are.
    pub fn unknown_neurons(&self, network: &Network) -> Option<String> {
        let unknown = |(id, node): &(NodeId, &Node)| node.op.is_neuron() && self.nodes[id.index()].is_none();
        let names: Vec<&str> = network.iter().filter(unknown).map(|(_, node)| node.name.as_str()).collect();
        (!names.is_empty()).then(|| first_of(&names, NAMED))
    }
}

/// Per node, what the file says.
fn given(text: &str, path: &str, network: &Network) -> Result<Vec<Option<f64>>> {
    let mut reader = ReaderBuilder::new()
        .comment(Some(b'#'))
        .flexible(true)
        .has_headers(false)
        .terminator(Terminator::Any(b'\n'))
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let mut nodes = vec![None; network.nodes.len()];
    let mut record = StringRecord::new();
    let mut header = true;
    loop {
        let more = reader.read_record(&mut record).expect("text in memory is read, and is UTF-8");
        let end = reader.position().byte() as usize;
        // A record is said to start where the comments before it do, so its line is the one where it ends.
        let refuse = |field: &str, message: String| {
            let line = text[..end].trim_end_matches('\n').lines().count().max(1);
            Error::field(format!("{path}:{line}"), field, message)
        };
        match (more, header) {
            (false, true) => return Err(refuse("header", "there is none: layer,rate".to_owned())),
            (false, false) => return Ok(nodes),
            (true, true) => check_header(&record).map_err(|message| refuse("header", message))?,
            (true, false) => match parse_row(&record, network) {
                Ok((id, _)) if nodes[id.index()].is_some() => {
                    return Err(refuse("layer", format!("{} is given twice", network.node(id).name)));
                }
                Ok((id, rate)) => nodes[id.index()] = Some(rate),
                Err((field, message)) => return Err(refuse(field, message)),
            },
        }
        header = false;
    }
}

fn check_header(header: &StringRecord) -> Result<(), String> {
    if let Some(column) = header.iter().find(|column| !["layer", "rate"].contains(column)) {
        return Err(format!("{column:?} is no column: layer,rate are"));
    }
    if header == ["layer", "rate"].as_slice() {
        Ok(())
    } else {
        Err(format!("{} instead of layer,rate", header.iter().collect::<Vec<_>>().join(",")))
    }
}

/// A layer and its rate, or the column that is wrong and why.
fn parse_row(record: &StringRecord, network: &Network) -> Result<(NodeId, f64), (&'static str, String)> {
    let (Some(layer), Some(rate), 2) = (record.get(0), record.get(1), record.len()) else {
        return Err(("row", format!("{} values instead of a layer and its rate", record.len())));
    };
    let Some((id, node)) = network.iter().find(|(_, node)| node.name == layer) else {
        return Err(("layer", format!("the network has no layer {layer:?}")));
    };
    if !has_rate(node) {
        return Err(("layer", format!("{layer} yields values of many bits, which all count as not zero")));
    }
    match rate.parse::<f64>() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok((id, rate)),
        Ok(rate) => Err(("rate", format!("{rate} of {layer} is not in 0..=1"))),
        Err(_) => Err(("rate", format!("{rate:?} of {layer} is not a number"))),
    }
}

/// Weight layers, and what yields spikes or counts of them.
fn has_rate(node: &Node) -> bool {
    matches!(node.op, Op::Weighted(_)) || node.kind.largest_count().is_some()
}

/// Refuses weight layers that read spikes of unknown rate.
fn check_inputs(network: &Network, nodes: &[Option<f64>], path: &str) -> Result<()> {
    let unknown = network.weighted().filter(|(id, ..)| nodes[id.index()].is_none());
    let names: Vec<&str> = unknown.map(|(_, node, _)| node.name.as_str()).collect();
    if names.is_empty() {
        Ok(())
    } else {
        let message = format!("no rate of {}, nor of the neurons that feed them", first_of(&names, NAMED));
        Err(Error::field(path, "layer", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Conv, Grid, NetworkBuilder, Neuron, Window};
    use crate::tensor::Shape;

    /// conv -> LIF -> pool -> (conv a, conv b) -> joined -> LIF -> conv -> LIF -> head
    fn network() -> Network {
        let (mut net, image) = NetworkBuilder::new(Shape::new(3, 8, 8), true, 4);
        let conv = |channels| Conv::new(channels, 3).pad(1);
        let lif = Neuron::lif(1.0);
        let x = net.conv("stem", image, conv(4)).unwrap();
        let x = net.neuron("stem_lif", x, lif).unwrap();
        let pooled = net.max_pool("pool", x, Window::square(2, 2, 0)).unwrap();
        let a = net.conv("a", pooled, conv(4)).unwrap();
        let a = net.requantize("stream", a, Grid::Residual).unwrap();
        let b = net.conv("b", pooled, conv(4)).unwrap();
        let x = net.add("add", a, b).unwrap();
        let x = net.neuron("add_lif", x, lif).unwrap();
        let x = net.conv("c", x, conv(4)).unwrap();
        let x = net.neuron("c_lif", x, lif).unwrap();
        let x = net.mean_tokens("mean", x).unwrap();
        let x = net.mean_timesteps("mean_time", x).unwrap();
        net.conv("head", x, Conv::linear(10)).unwrap();
        net.finish(Vec::new()).unwrap()
    }

    fn rate(rates: &Rates, network: &Network, layer: &str) -> Option<f64> {
        let (id, _) = network.iter().find(|(_, node)| node.name == layer).unwrap();
        rates.nodes[id.index()]
    }

    #[test]
    fn what_is_not_given_follows_from_what_is_read() {
        let network = network();
        let text = "# measured\nlayer,rate\nstem_lif,0.5\n# one of two readers\nb,0.25\nc,0.125\n";
        let rates = Rates::parse(text, "r.csv", &network).unwrap();
        for (layer, wanted) in [
            ("stem", Some(1.0)),
            ("stem_lif", Some(0.5)),
            ("pool", Some(1.0 - 0.5f64.powi(4))),
            ("a", Some(1.0 - 0.5f64.powi(4))),
            ("b", Some(0.25)),
            // By its reader.
            ("add_lif", Some(0.125)),
            ("c_lif", None),
            ("head", Some(1.0)),
        ] {
            assert_eq!(rate(&rates, &network, layer), wanted, "{layer}");
        }
        assert_eq!(rates.unknown_neurons(&network).unwrap(), "c_lif");
        let activity = rates.activity(&network);
        let total = |layer: &str| {
            let (id, _) = network.iter().find(|(_, node)| node.name == layer).unwrap();
            activity.nodes[id.index()].total()
        };
        // The image is the same at every timestep and read once: all taps but those outside 8 x 8.
        assert_eq!((total("stem").multiplications, total("stem").accumulations), (22 * 22 * 3 * 4, 0));
        assert_eq!((total("c").accumulations, total("c").multiplications), (4 * 50 * 4, 0));
        assert_eq!((total("add_lif").neuron_updates, total("add_lif").output_events), (256, 32));
        assert_eq!((total("c_lif").neuron_updates, total("c_lif").output_events), (256, 0));
    }

    #[test]
    fn a_rate_of_a_pooling_counts_for_its_readers() {
        let network = network();
        let rates = Rates::parse("layer,rate\r\npool,0.5\r\nc,0\r\nc_lif,1", "r.csv", &network).unwrap();
        assert_eq!(rate(&rates, &network, "a"), Some(0.5));
        assert_eq!(rates.unknown_neurons(&network).unwrap(), "stem_lif");
    }

    fn refusal(text: &str) -> String {
        Rates::parse(text, "r.csv", &network()).unwrap_err().to_string()
    }

    #[test]
    fn missing_layers_are_listed() {
        assert_eq!(
            refusal("layer,rate\n"),
            "r.csv: layer: no rate of a, b, c, nor of the neurons that feed them"
        );
    }

    /// The line is that of the row, whatever stands before it.
    #[test]
    fn lines_are_counted_with_comments_and_gaps() {
        for (text, line) in [
            ("layer,rate\nx,0", 2),
            ("# a\n#b\nlayer,rate\n\n# c\nx,0\nc,0\n", 6),
            ("layer,rate\r\n# c\r\nx,0\r\n", 3),
        ] {
            assert_eq!(refusal(text), format!("r.csv:{line}: layer: the network has no layer \"x\""));
        }
    }
}
