//! Latencies. Spikes of most of these networks are not published. The array of a Spikformer skips no zeros; the rate at
//! which FireFly-T reaches the published frames of one network is its one fitted constant, and predicts those of the
//! other.

use spiq::hw::{Figure, Quantity};

use crate::cases::{Failure, setting};
use crate::on_network::OnNetwork;

/// Frames per second that the authors of FireFly-T publish of two networks.
const FIREFLY_T_FPS: [f64; 2] = [907.0, 630.0];
/// Spike rate of every layer, fitted to the first of them to three digits.
pub const FIREFLY_T_RATE: f64 = 0.047;
/// In words.
pub const FIREFLY_T_CONSTANT: &str = "a spike rate of 0.047 everywhere, for the frames of the first network";

fn firefly_t() -> Result<Vec<Figure>, Failure> {
    let figure = |network: &str, fps: f64, fits: bool| -> Result<Figure, Failure> {
        let network = OnNetwork::new("firefly-t-16", network, "w4")?;
        Ok(Figure {
            machine: network.machine().to_owned(),
            case: network.case("all"),
            quantity: Quantity::LatencyMs,
            predicted: network.at(FIREFLY_T_RATE)?.latency_s * 1e3,
            published: 1e3 / fps,
            kind: "FPGA: frames per second, timer or count not said".to_owned(),
            constant: FIREFLY_T_CONSTANT.to_owned(),
            fits,
            remark: "spikes of each layer, M of the evaluated build and buffers are not published".to_owned(),
        })
    };
    let [first, second] = FIREFLY_T_FPS;
    Ok(vec![
        figure("spikingformer_4-256_cifar10", first, true)?,
        figure("spikingformer_2-512_cifar100", second, false)?,
    ])
}

/// The Spikformer on a Zynq, whose authors publish two parts of its latency.
fn spikformer_fpga() -> Result<Vec<Figure>, Failure> {
    let network = OnNetwork::new("spikformer-fpga-16", "spikformer_1-384_cifar10", "w8")?;
    let evaluation = network.at(0.2)?;
    // The first convolution is on an array of its own and not in the published part.
    let convolution = |name: &str| name.starts_with("patch_embed") && name != "patch_embed.proj_conv";
    let milliseconds = |takes: &dyn Fn(&str) -> bool| network.milliseconds(&evaluation, takes);
    let parts = [
        ("convolutions", milliseconds(&convolution), 48.0, "latency of DDR is not known: at most 2 ms"),
        (
            "attention and MLP",
            milliseconds(&|name| name.starts_with("block")),
            4.634,
            "follows the simulated array, 53 cycles for each 16 inputs; arrays that work side by side are not known",
        ),
        ("all", milliseconds(&|_| true), 53.0, "the sum of both parts and the first convolution"),
    ];
    let figure = |(part, predicted, published, remark): (&str, f64, f64, &str)| Figure {
        machine: network.machine().to_owned(),
        case: network.case(part),
        quantity: Quantity::LatencyMs,
        predicted,
        published,
        kind: "FPGA: latency, board or simulation not said".to_owned(),
        constant: String::new(),
        fits: false,
        remark: remark.to_owned(),
    };
    Ok(parts.map(figure).into())
}

/// ExSpike on the board: the mean of 10,000 images by a timer of the fabric.
fn exspike() -> Result<Figure, Failure> {
    let network = OnNetwork::new("exspike", "vgg11_cifar10", &setting(8, 16, Some(16)))?;
    Ok(Figure {
        machine: network.machine().to_owned(),
        case: network.case("all but the classifier"),
        quantity: Quantity::LatencyMs,
        predicted: network.at_its_rates()?.latency_s * 1e3,
        published: 1_344_314.0 / 200e6 * 1e3,
        kind: "FPGA: timer on the board".to_owned(),
        constant: "57 cycles that a burst waits for DDR3 (weight_stream.latency_cycles)".to_owned(),
        fits: true,
        remark: "independent spikes of published densities: pairs of positions save 12 % of events, in the paper 25 %"
            .to_owned(),
    })
}

pub fn figures() -> Result<Vec<Figure>, Failure> {
    let mut figures = spikformer_fpga()?;
    figures.extend(firefly_t()?);
    figures.push(exspike()?);
    Ok(figures)
}
