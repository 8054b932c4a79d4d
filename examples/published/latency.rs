//! Latencies. Spikes of most of these networks are not published. The array of a Spikformer skips no zeros; the rate at
//! which FireFly-T reaches the published frames of one network is its one fitted constant, and predicts those of the
//! other.

use spiq::hw::{Figure, Hardware, Quantity, Step};

use super::cases::{Failure, cores, setting};
use super::on_network::{OnNetwork, lanes, pause};

/// Frames per second that the authors of FireFly-T publish of two networks.
const FIREFLY_T_FPS: [f64; 2] = [907.0, 630.0];
const FIREFLY_T_NETWORKS: [&str; 2] = ["spikingformer_4-256_cifar10", "spikingformer_2-512_cifar100"];
/// Spike rate of every layer, fitted to the first of them to three digits.
pub const FIREFLY_T_RATE: f64 = 0.046;
/// The rate in words.
pub const FIREFLY_T_CONSTANT: &str = "a spike rate of 0.046 everywhere, for the frames of the first network";

/// Bytes of the weight buffer of FireFly-T, which is not known, with the rate that then fits best. The least is
/// assumed; with the most, all buffers take 96 of the 100 block memories that are published.
const FIREFLY_T_BUFFERS: [(u64, f64); 2] = [(65_536, 0.042), (196_608, 0.048)];
const FIREFLY_T_VARIED: &str =
    "weight buffer of 64 (assumed) to 192 KiB (derived from 100 block memories), the rate fitted anew";

fn firefly_t() -> Result<Vec<Figure>, Failure> {
    let [first, second] = FIREFLY_T_NETWORKS.map(|network| OnNetwork::new("firefly-t-16", network, "w4"));
    let networks = [first?, second?];
    let published = FIREFLY_T_FPS.map(|fps| 1e3 / fps);
    let figure = |i: usize| -> Result<Figure, Failure> {
        Ok(Figure {
            machine: networks[i].machine().to_owned(),
            case: networks[i].case("all"),
            quantity: Quantity::LatencyMs,
            predicted: networks[i].at(FIREFLY_T_RATE)?.latency_s * 1e3,
            least: None,
            most: None,
            published: published[i],
            kind: "FPGA: frames per second, timer or count not said".to_owned(),
            constant: FIREFLY_T_CONSTANT.to_owned(),
            fits: i == 0,
            remark: "spikes of each layer, M of the evaluated build and buffers are not published".to_owned(),
            varied: String::new(),
        })
    };
    let mut ends = Vec::new();
    for (bytes, rate) in FIREFLY_T_BUFFERS {
        let buffer = |hardware: &mut Hardware| hardware.memories[0].capacity_bytes.value = bytes;
        ends.push(networks[1].changed(buffer)?.at(rate)?.latency_s * 1e3);
    }
    Ok(vec![figure(0)?, figure(1)?.within(&ends, FIREFLY_T_VARIED)])
}

/// Cycles between two groups of 8 input channels: 18 where weights wait in their FIFO, and 32 in the layer of the simulated
/// RTL that waits longest for them; 2 and 16 words are part of either.
const SLOWEST_WEIGHTS: u32 = 32;
/// Cycles of a slice of 16 inputs beside the 16 of its positions, as the RTL reads: without a pause between slices.
const SLICE_PAUSE: u32 = 16;
pub const SPIKFORMER_VARIED: [&str; 2] = [
    "18 (RTL, read: derived) to 32 cycles (RTL, simulated: measured) for the weights of 8 input channels",
    "slices of 32 cycles with Q, K and V side by side (RTL, read: derived) to 53 one after the other (RTL, simulated: \
     measured)",
];

/// Weights of convolutions come as late as they may.
pub fn slowest_weights(hardware: &mut Hardware) {
    pause(lanes(hardware, "convolution array"), Step::Inputs).value = SLOWEST_WEIGHTS;
}

/// The Spikformer on a Zynq, whose authors publish two parts of its latency.
fn spikformer_fpga() -> Result<Vec<Figure>, Failure> {
    let network = OnNetwork::new("spikformer-fpga-16", "spikformer_1-384_cifar10", "w8")?;
    let slow = network.changed(slowest_weights)?;
    let fast = network.changed(|hardware| {
        let array = lanes(hardware, "linear array");
        pause(array, Step::Inputs).value = SLICE_PAUSE;
        array.overheads.retain(|overhead| overhead.per != Step::OutputChannels);
    })?;
    let [base, slow_run, fast_run] = [network.at(0.2)?, slow.at(0.2)?, fast.at(0.2)?];
    // The first convolution is on an array of its own and not in the published part.
    let convolution = |name: &str| name.starts_with("patch_embed") && name != "patch_embed.proj_conv";
    let block = |name: &str| name.starts_with("block");
    let beside_q = |name: &str| name.ends_with(".k_linear") || name.ends_with(".v_linear");
    let convolutions = network.milliseconds(&base, convolution);
    let blocks = network.milliseconds(&base, block);
    let all = network.milliseconds(&base, |_| true);
    let most = slow.milliseconds(&slow_run, convolution);
    let least = fast.milliseconds(&fast_run, |name| block(name) && !beside_q(name));
    let figure = |part: &str, predicted: f64, published: f64, remark: &str| Figure {
        machine: network.machine().to_owned(),
        case: network.case(part),
        quantity: Quantity::LatencyMs,
        predicted,
        least: None,
        most: None,
        published,
        kind: "FPGA: latency, board or simulation not said".to_owned(),
        constant: String::new(),
        fits: false,
        remark: remark.to_owned(),
        varied: String::new(),
    };
    let [weights, slices] = SPIKFORMER_VARIED;
    Ok(vec![
        figure("convolutions", convolutions, 48.0, "latency of DDR is not known: at most 2 ms")
            .within(&[most], weights),
        figure(
            "attention and MLP",
            blocks,
            4.634,
            "follows the simulated array, 53 cycles for each 16 inputs; arrays that work side by side are not known",
        )
        .within(&[least], slices),
        figure("all", all, 53.0, "the sum of both parts and the first convolution")
            .within(&[all - blocks + least, all - convolutions + most], "both parts"),
    ])
}

/// Cycles that a burst waits where the events that pairs save are those of the paper's text, and not of its figure.
const LONGEST_DDR3: u32 = 60;

/// ExSpike on the board: the mean of 10,000 images by a timer of the fabric.
fn exspike() -> Result<Figure, Failure> {
    let network = OnNetwork::new("exspike", "vgg11_cifar10", &setting(8, 16, Some(16)))?;
    let longer = network.changed(|hardware| {
        if let Some(stream) = &mut cores(hardware, 0).weight_stream {
            stream.latency_cycles.value = LONGEST_DDR3;
        }
    })?;
    let figure = Figure {
        machine: network.machine().to_owned(),
        case: network.case("all but the classifier"),
        quantity: Quantity::LatencyMs,
        predicted: network.at_its_rates()?.latency_s * 1e3,
        least: None,
        most: None,
        published: 1_344_314.0 / 200e6 * 1e3,
        kind: "FPGA: timer on the board".to_owned(),
        constant: "57 cycles that a burst waits for DDR3 (weight_stream.latency_cycles)".to_owned(),
        fits: true,
        remark: "independent spikes of published densities: pairs of positions save 12 % of events, in the paper 25 %"
            .to_owned(),
        varied: String::new(),
    };
    let most = longer.at_its_rates()?.latency_s * 1e3;
    Ok(figure
        .within(&[most], "57 to 60 cycles for DDR3 (derived: what the RTL takes at either saving of events)"))
}

pub fn figures() -> Result<Vec<Figure>, Failure> {
    let mut figures = spikformer_fpga()?;
    figures.extend(firefly_t()?);
    figures.push(exspike()?);
    Ok(figures)
}
