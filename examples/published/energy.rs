//! Energies, powers and areas.

use spiq::evaluate::Evaluation;
use spiq::hw::{Figure, Quantity, SpatialDim, Unrolling};

use super::cases::{Failure, setting};
use super::latency::{FIREFLY_T_CONSTANT, FIREFLY_T_RATE};
use super::on_network::{OnNetwork, lanes};

/// Figures of one machine on one network.
struct Of<'a> {
    network: &'a OnNetwork,
    kind: &'a str,
    constant: &'a str,
}

impl Of<'_> {
    fn figure(
        &self,
        part: &str,
        quantity: Quantity,
        [predicted, published]: [f64; 2],
        remark: &str,
    ) -> Figure {
        Figure {
            machine: self.network.machine().to_owned(),
            case: self.network.case(part),
            quantity,
            predicted,
            least: None,
            most: None,
            published,
            kind: self.kind.to_owned(),
            constant: self.constant.to_owned(),
            fits: false,
            remark: remark.to_owned(),
            varied: String::new(),
        }
    }
}

/// Energy of the chip in joules, without off-chip memory.
fn chip_j(evaluation: &Evaluation) -> f64 {
    evaluation.energy_j.total() - evaluation.energy_j.dram + evaluation.leakage_j
}

fn chip_mw(evaluation: &Evaluation) -> f64 {
    chip_j(evaluation) / evaluation.latency_s * 1e3
}

/// What memories on chip draw, without their leakage and their share of clock and control.
fn memory_j(evaluation: &Evaluation) -> f64 {
    let parts = &evaluation.energy_j;
    parts.weight_memory
        + parts.activation_memory
        + parts.partial_sum_memory
        + parts.membrane_memory
        + parts.residual_memory
}

/// Zeros in the network that the power is of (arXiv 2503.19643).
const IAND_ZEROS: f64 = 0.7388;
/// Published power, and what memories have of it.
const IAND_MW: f64 = 90.153;
const IAND_MEMORY_SHARE: f64 = 0.43;
/// 198.46 thousand gates of 0.49 um2, the density that areas are counted at here.
const IAND_LOGIC_MM2: f64 = 198.46e3 * 0.49e-6;

/// The network that the authors name with their frames per second, which fit the larger one.
const IAND_CIFAR10: &str = "Model(name: \"spikeiandformer_4-384_cifar10\", family: Spikformer(dim: 384, depth: 4, heads: 12, \
    mlp_ratio: 4, pooling: (false, false, true, true), layers: Conv, order: KeyValueFirst, scale: 0.125, joins: AndNot), \
    neurons: [Neurons(threshold: 0.5, leak: Beta(0.25))], input: Image(shape: (3, 32, 32), mean: [0.4914, 0.4822, 0.4465], \
    std: [0.2470, 0.2435, 0.2616], bits: 8), timesteps: 4, classes: 10, weights: Seeded(1))";
const IAND_VARIED: &str = "weights of 4 to 8 bits (assumed); 8-384 on ImageNet or 4-384 on CIFAR10 (derived from frames per second)";

/// The accelerator on `network` with weights of `bits`.
fn iand(network: &str, bits: u32) -> Result<OnNetwork, Failure> {
    OnNetwork::new("spikeiand-28", network, &setting(bits, 16, Some(16)))?
        .changed(|hardware| lanes(hardware, "array").max_weight_bits.value = bits)
}

/// Power of the chip and of its memories, in mW, and the area of its logic in mm2.
fn of_iand(network: &OnNetwork) -> Result<[f64; 3], Failure> {
    let evaluation = network.at(1.0 - IAND_ZEROS)?;
    let area = evaluation.area_mm2.as_ref().ok_or("no area")?;
    let memory_mw = memory_j(&evaluation) / evaluation.latency_s * 1e3;
    Ok([chip_mw(&evaluation), memory_mw, area.logic()])
}

fn spike_iand() -> Result<Vec<Figure>, Failure> {
    let imagenet = "spikeiandformer_8-384_imagenet";
    let network = iand(imagenet, 8)?;
    let predicted = of_iand(&network)?;
    let ends =
        [of_iand(&iand(imagenet, 4)?)?, of_iand(&iand(IAND_CIFAR10, 8)?)?, of_iand(&iand(IAND_CIFAR10, 4)?)?];
    let of = Of { network: &network, kind: "synthesis, no layout", constant: "" };
    let parts = [
        (
            "power of the chip",
            Quantity::PowerMw,
            IAND_MW,
            "network, widths and division of SRAM are not known; clock and control take an assumed 30 %",
        ),
        (
            "power of memories",
            Quantity::PowerMw,
            IAND_MW * IAND_MEMORY_SHARE,
            "without leakage and clocks of memories",
        ),
        ("area of logic", Quantity::AreaMm2, IAND_LOGIC_MM2, "weights of 8 bits assumed"),
    ];
    let figure = |(i, (part, quantity, published, remark)): (usize, (&str, Quantity, f64, &str))| {
        of.figure(part, quantity, [predicted[i], published], remark)
            .within(&ends.map(|end| end[i]), IAND_VARIED)
    };
    Ok(parts.into_iter().enumerate().map(figure).collect())
}

/// Published power at 0.56 V and 50 MHz, inferred from 72.5 GOPS and 42.8 TOPS/W.
const FANG_MW: f64 = 1.69;
const FANG_CONSTANT: &str =
    "energy of an operation at 0.56 V, 0.078 pJ, memories, neurons and control included (events/fang-40.ron)";
/// Spike rate of every layer; what is published does not say it.
const FANG_RATES: [f64; 3] = [0.2, 0.1, 0.3];
const FANG_VARIED: &str = "zeros count as operations or not, spike rates of 0.1 to 0.3, 256 or 512 adders, 8-384 or 8-512 (assumed)";

/// Power in mW of the chip with adders for so many output channels, at each of its rates: where operations are those that
/// it executes, and where inputs that are zero count, too.
fn fang_mw(network: &OnNetwork, channels: u32) -> Result<Vec<f64>, Failure> {
    use SpatialDim::{Inputs, OutputChannels, Timesteps};
    let adders = Unrolling::of(&[(Timesteps, 4), (Inputs, 4), (OutputChannels, channels)]);
    let network = network.changed(|hardware| lanes(hardware, "arrays").layouts[0].lanes = adders)?;
    let network = network.charged_by("fang-40")?;
    let dense_mj = chip_j(&network.at(1.0)?) * 1e3;
    let mut powers = Vec::new();
    for rate in FANG_RATES {
        let evaluation = network.at(rate)?;
        powers.extend([chip_mw(&evaluation), dense_mj / evaluation.latency_s]);
    }
    Ok(powers)
}

fn fang() -> Result<Figure, Failure> {
    let [large, small] = ["spikformer_8-512_imagenet", "spikformer_8-384_imagenet"]
        .map(|network| OnNetwork::new("fang-40", network, "w8"));
    let (large, small) = (large?, small?);
    let predicted = fang_mw(&large, 32)?;
    let mut ends = predicted.clone();
    for (network, channels) in [(&large, 16), (&small, 32), (&small, 16)] {
        ends.extend(fang_mw(network, channels)?);
    }
    let of = Of { network: &large, kind: "silicon, inferred from efficiency", constant: FANG_CONSTANT };
    let remark = "arrays, memories, network, rates and what counts as an operation are not published";
    let figure = of.figure("power at 50 MHz", Quantity::PowerMw, [predicted[0], FANG_MW], remark);
    Ok(figure.within(&ends, FANG_VARIED))
}

/// Powers of designs on FPGAs, by the vendor's tool.
fn fpgas() -> Result<Vec<Figure>, Failure> {
    let kind = "FPGA: estimate of the vendor's tool";
    let firefly_t = OnNetwork::new("firefly-t-16", "spikingformer_4-256_cifar10", "w4")?;
    let of = Of { network: &firefly_t, kind, constant: FIREFLY_T_CONSTANT };
    let published = 3029.0 / 696.64 * 1e3;
    let logic = "no split is published; DDR left out";
    let first = chip_mw(&firefly_t.at(FIREFLY_T_RATE)?);
    let spikformer = OnNetwork::new("spikformer-fpga-16", "spikformer_1-384_cifar10", "w8")?;
    let dense = Of { network: &spikformer, kind, constant: "" };
    let second = chip_mw(&spikformer.at(0.2)?);
    Ok(vec![
        of.figure("power", Quantity::PowerMw, [first, published], logic),
        dense.figure("power", Quantity::PowerMw, [second, 7007.0], logic),
    ])
}

pub fn figures() -> Result<Vec<Figure>, Failure> {
    let mut figures = spike_iand()?;
    figures.extend(fpgas()?);
    figures.push(fang()?);
    Ok(figures)
}
