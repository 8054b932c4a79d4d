//! Energies, powers and areas.

use spiq::evaluate::Evaluation;
use spiq::hw::{Figure, Quantity};

use crate::cases::{Failure, setting};
use crate::latency::{FIREFLY_T_CONSTANT, FIREFLY_T_RATE};
use crate::on_network::OnNetwork;

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
            published,
            kind: self.kind.to_owned(),
            constant: self.constant.to_owned(),
            fits: false,
            remark: remark.to_owned(),
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

fn spike_iand() -> Result<Vec<Figure>, Failure> {
    let network =
        OnNetwork::new("spikeiand-28", "spikeiandformer_8-384_imagenet", &setting(8, 16, Some(16)))?;
    let evaluation = network.at(1.0 - IAND_ZEROS)?;
    let area = evaluation.area_mm2.as_ref().ok_or("no area")?;
    let memory_mw = memory_j(&evaluation) / evaluation.latency_s * 1e3;
    let total_mw = chip_mw(&evaluation);
    let of = Of { network: &network, kind: "synthesis, no layout", constant: "" };
    let unknown =
        "network, widths and division of SRAM are not known; clock and control take an assumed 30 %";
    let split = "without leakage and clocks of memories";
    Ok(vec![
        of.figure("power of the chip", Quantity::PowerMw, [total_mw, IAND_MW], unknown),
        of.figure("power of memories", Quantity::PowerMw, [memory_mw, IAND_MW * IAND_MEMORY_SHARE], split),
        of.figure(
            "area of logic",
            Quantity::AreaMm2,
            [area.logic(), IAND_LOGIC_MM2],
            "weights of 8 bits assumed",
        ),
    ])
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
    Ok(figures)
}
