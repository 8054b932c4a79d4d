//! Every row of `results/published` that is not of simulated RTL, recomputed, and what is published of each machine.

use spiq::hw::{Figure, Quantity};

use super::on_network::OnNetwork;
use super::{by_rules, energy, latency};

/// Rows of the tables are those that the descriptions of today yield, to three digits behind the point.
#[test]
fn rows_are_what_the_descriptions_predict() {
    let computed = [latency::figures(), energy::figures(), by_rules::figures()].map(Result::unwrap).concat();
    let bundled: Vec<Figure> =
        Figure::bundled().into_iter().filter(|figure| figure.quantity != Quantity::Cycles).collect();
    assert_eq!(bundled.len(), computed.len());
    for figure in &computed {
        let is_it = |row: &&Figure| {
            row.machine == figure.machine && row.case == figure.case && row.quantity == figure.quantity
        };
        let row = bundled.iter().find(is_it).unwrap_or_else(|| panic!("{figure:?}"));
        let near = |a: f64, b: f64| (a - b).abs() < 5.1e-4;
        let end = |end: Option<f64>| end.unwrap_or(-1.0);
        assert!(
            near(row.predicted, figure.predicted) && near(row.published, figure.published),
            "{row:?} {figure:?}"
        );
        assert!(
            near(end(row.least), end(figure.least)) && near(end(row.most), end(figure.most)),
            "{row:?} {figure:?}"
        );
        let texts = |f: &Figure| [f.kind.clone(), f.constant.clone(), f.remark.clone(), f.varied.clone()];
        assert_eq!((texts(row), row.fits), (texts(figure), figure.fits));
    }
}

/// The figure of `machine` in the tables whose case contains `case`.
fn row(machine: &str, quantity: Quantity, case: &str) -> Figure {
    let is_it = |row: &Figure| row.machine == machine && row.quantity == quantity && row.case.contains(case);
    Figure::bundled().into_iter().find(is_it).unwrap()
}

/// What authors publish, with its source, and how far the description is off, in percent.
#[test]
fn published_figures_and_their_sources() {
    use Quantity::{AreaMm2, LatencyMs, PowerMw};
    let firefly_t = "firefly-t-16";
    let spikformer = "spikformer-fpga-16";
    let iand = "spikeiand-28";
    for (machine, quantity, case, published, off) in [
        // 907 and 630 frames per second; 3,029 GOPS at 696.64 GOPS/W: arXiv 2606.20414, table II.
        (firefly_t, LatencyMs, "4-256", 1e3 / 907.0, -0.794),
        (firefly_t, LatencyMs, "2-512", 1e3 / 630.0, 10.004),
        (firefly_t, PowerMw, "4-256", 3029.0 / 696.64 * 1e3, -85.034),
        // Acta Phys. Sin. 75, 20260085, abstract; 7.007 W in the repository of its RTL (tooddler, commit 9ee1129).
        (spikformer, LatencyMs, "convolutions", 48.0, -0.158),
        (spikformer, LatencyMs, "attention", 4.634, 88.686),
        (spikformer, LatencyMs, "all", 53.0, 8.595),
        (spikformer, PowerMw, "power", 7007.0, -88.597),
        // 90.153 mW, of which memories have 43 %; 198.46 thousand gates, 0.49 um2 each at 28 nm: arXiv 2503.19643.
        (iand, PowerMw, "chip", 90.153, 6.024),
        (iand, PowerMw, "memories", 90.153 * 0.43, -34.254),
        (iand, AreaMm2, "logic", 198_460.0 * 0.49e-6, 134.849),
        // 72.5 GOPS at 42.8 TOPS/W: CICC 2024, 14-6, and JSSC 60(3), 2025, abstracts.
        ("fang-40", PowerMw, "50 MHz", 1.69, -74.197),
        // 67.2157 s for 10,000 images: github.com/xiaoyuehai/ExSpike, commit 51accc7, logs of the board.
        ("exspike", LatencyMs, "vgg11", 6.72157, 4.984),
    ] {
        let row = row(machine, quantity, case);
        assert!((row.published - published).abs() < 5.1e-4, "{row:?}");
        // The table rounds both.
        let rounding = 1e-3 + 100.0 * 1.1e-3 / row.published;
        assert!((row.difference_percent() - off).abs() < rounding, "{row:?}");
    }
}

/// No other rate of three digits is nearer to 907 frames per second.
#[test]
fn the_rate_of_firefly_t_is_fitted() {
    let network = OnNetwork::new("firefly-t-16", "spikingformer_4-256_cifar10", "w4").unwrap();
    let takes = |rate: f64| network.at(rate).unwrap().latency_s;
    let rate = latency::FIREFLY_T_RATE;
    assert!(takes(rate - 5e-4) < 1.0 / 907.0 && 1.0 / 907.0 < takes(rate + 5e-4));
}

/// Convolutions of the Spikformer's array take Co (Ci / 8 (W + ceil(S / 3) (S + 44)) + S^2 + 15) cycles, W = 18 where
/// weights are there, and its linear layers 53 for each 16 inputs of a tile of 16 x 16 outputs: read off its RTL
/// (github.com/tooddler/FPGA_SpikingTransformer, commit 9ee1129). What comes from memories takes up to two thousandths more.
#[test]
fn cycles_of_the_spikformer_by_its_laws() {
    let network = OnNetwork::new("spikformer-fpga-16", "spikformer_1-384_cifar10", "w8").unwrap();
    let evaluation = network.at(0.2).unwrap();
    let convolution = |inputs: f64, outputs: f64, side: f64| {
        outputs * (inputs / 8.0 * (18.0 + (side / 3.0).ceil() * (side + 44.0)) + side * side + 15.0)
    };
    let tiles = 4.0 * 24.0;
    for (layer, law) in [
        ("patch_embed.proj_conv1", convolution(48.0, 96.0, 32.0)),
        ("patch_embed.proj_conv2", convolution(96.0, 192.0, 32.0)),
        ("patch_embed.proj_conv3", convolution(192.0, 384.0, 16.0)),
        ("patch_embed.rpe_conv", convolution(384.0, 384.0, 8.0)),
    ] {
        let found = network.cycles(&evaluation, layer).unwrap();
        assert!((0.0..2e-3).contains(&(found / law - 1.0)), "{layer}: {found} {law}");
        let row = row("spikformer-fpga-16", Quantity::Cycles, layer);
        assert_eq!(row.predicted, found.round(), "{row:?}");
    }
    let linear = "block.0.attn.q_linear";
    let law = tiles * (89.0 + 23.0 * 53.0 + 258.0);
    assert_eq!(network.array_cycles(&evaluation, linear).unwrap(), law);
    let found = network.cycles(&evaluation, linear).unwrap();
    assert!((0.0..2e-3).contains(&(found / law - 1.0)), "{linear}: {found} {law}");
    let row = row("spikformer-fpga-16", Quantity::Cycles, linear);
    assert_eq!((row.predicted, row.published), (law, law), "{row:?}");
}
