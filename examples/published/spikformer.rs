//! Single layers of the Spikformer on a Zynq, whose RTL was simulated.

use spiq::hw::Figure;

use super::cases::Failure;
use super::cycles::{Folder, Row, number};
use super::latency::{SPIKFORMER_VARIED, slowest_weights};
use super::on_network::OnNetwork;

/// Cycles of convolutions with empty adders and weights that come from DDR without a latency.
const CONVOLUTIONS: [(&str, f64); 4] = [
    ("patch_embed.proj_conv1", 595_647.0),
    ("patch_embed.proj_conv2", 2_182_081.0),
    ("patch_embed.proj_conv3", 3_691_364.0),
    ("patch_embed.rpe_conv", 3_497_824.0),
];

pub fn figures(folder: &Folder) -> Result<Vec<Figure>, Failure> {
    let network = OnNetwork::new("spikformer-fpga-16", "spikformer_1-384_cifar10", "w8")?;
    let slow = network.changed(slowest_weights)?;
    let [base, slowest] = [network.at(0.2)?, slow.at(0.2)?];
    let figure = |layer: &str, published: f64, predicted: f64, remark: &str| {
        Figure::from(Row {
            machine: "spikformer-fpga-16",
            case: layer.to_owned(),
            published,
            predicted,
            remark: remark.to_owned(),
            ..Row::default()
        })
    };
    let mut figures = Vec::new();
    for (layer, published) in CONVOLUTIONS {
        let most = slow.cycles(&slowest, layer)?.round();
        let remark = "weights from DDR without a latency";
        let predicted = network.cycles(&base, layer)?;
        figures.push(figure(layer, published, predicted, remark).within(&[most], SPIKFORMER_VARIED[0]));
    }
    let linear = folder.json("spikformer_linear.json")?;
    let published = number(&linear["measured"], "cycles")? as f64;
    let layer = "block.0.attn.q_linear";
    let predicted = network.array_cycles(&base, layer)?;
    let whole = network.cycles(&base, layer)?;
    let remark = format!(
        "the array alone, as its RTL ran: operands always there; with memories and neurons {whole:.0}"
    );
    figures.push(figure(layer, published, predicted, &remark));
    Ok(figures)
}
