//! Forks of published models, as `docs/models.md` describes them.

use spiq::exec::FloatExecutor;
use spiq::load;
use spiq::model::{Fire, Leak, Learned, Model, ModelDescription, Neuron, Op, Reset, Sample};
use spiq::tensor::{Frames, Shape};

const DOCUMENTATION: &str = include_str!("../../docs/models.md");

fn section() -> &'static str {
    DOCUMENTATION.split("### Forks\n").nth(1).unwrap().split("QKFormer is computed").next().unwrap()
}

fn base() -> &'static str {
    section().split("```text\n").nth(1).unwrap().split("```").next().unwrap()
}

/// Names and lines of the table.
fn forks() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows =
        section().lines().filter_map(|row| row.strip_prefix("| ")?.strip_suffix("` |")?.split_once(" | `"));
    rows.filter(|(name, _)| *name != "fork")
}

/// The description of a fork: its line in the place of the family's, or behind it.
fn described(line: &str) -> String {
    let family = base().lines().find(|line| line.trim_start().starts_with("family:")).unwrap();
    let written = format!("    {line}");
    let lines = if line.starts_with("family:") { written } else { format!("{family}\n{written}") };
    base().replace(family, &lines)
}

fn built(text: &str) -> Model {
    assert!(text.trim().lines().count() <= 10, "{text}");
    let description = ModelDescription::parse(text, "fork").unwrap();
    let network = description.network("fork").unwrap();
    load::random(description, network, 1).unwrap()
}

fn neurons(model: &Model) -> Vec<(&str, Neuron)> {
    let neurons = model.network.nodes.iter();
    let neurons = neurons
        .filter_map(|node| if let Op::Neuron(n) = node.op { Some((node.name.as_str(), n)) } else { None });
    neurons.collect()
}

fn logits(model: &Model) -> Vec<f32> {
    let shape = model.network.nodes[0].shape;
    let data = (0..shape.values()).map(|i| (i * 37 % 256) as u16).collect();
    FloatExecutor::new(model).run(&Sample::from(Frames { frames: 1, shape, data })).logits
}

/// Each is at most ten lines, runs, and differs from what it is a fork of.
#[test]
fn every_fork_of_the_table_runs() {
    let original = built(base());
    let expected = logits(&original);
    let mut names = Vec::new();
    for (name, line) in forks() {
        let model = built(&described(line));
        assert_eq!(model.network.classes(), 10);
        assert_ne!(model.network, original.network, "{name}");
        assert!(logits(&model).iter().all(|x| x.is_finite()) && expected.len() == 10, "{name}");
        names.push(name);
    }
    assert_eq!(names.len(), 10, "{names:?}");
}

#[test]
fn forks_have_the_neurons_that_they_say() {
    let line = |name: &str| forks().find(|(fork, _)| *fork == name).unwrap().1;
    let of = |name: &str| built(&described(line(name)));
    let leaks = |name: &str| -> Vec<Leak> { neurons(&of(name)).iter().map(|(_, n)| n.leak).collect() };
    assert!(leaks("tau 1.5").iter().all(|leak| *leak == Leak::Tau { tau: 1.5, decay_input: true }));
    assert!(leaks("integrate and fire").iter().all(|leak| *leak == Leak::None));
    for (name, neuron) in neurons(&of("tau 4, input not decayed in front of the second layer of each MLP")) {
        assert_eq!(neuron.leak, Leak::Tau { tau: 4.0, decay_input: !name.ends_with("fc1_lif") }, "{name}");
    }
    let parametric = of("parametric LIF");
    let learned = parametric.network.parameters().iter().filter(|p| p.name.ends_with(".w")).count();
    assert_eq!(learned, neurons(&parametric).len());
    assert!(neurons(&of("soft reset")).iter().all(|(_, n)| n.reset == Reset::Subtract));
    assert!(neurons(&of("threshold 0.5")).iter().all(|(_, n)| n.threshold == 0.5));
    let leaky = Leak::Parametric { decay_input: false, of: Learned::Beta, per_channel: true };
    let as_snntorch =
        |n: &Neuron| (n.leak, n.reset, n.fire) == (leaky, Reset::SubtractDelayed, Fire::AboveThreshold);
    assert!(neurons(&of("snnTorch's `Leaky`")).iter().all(|(_, n)| as_snntorch(n)));
}

/// A class token in front of 64 tokens of an average pooling, read alone by the head.
#[test]
fn a_fork_that_is_written_as_layers_runs() {
    let text = section().split("```ron\n").nth(1).unwrap().split("```").next().unwrap();
    let model = built(text);
    let positions =
        |name: &str| model.network.nodes.iter().find(|node| node.name == name).unwrap().shape.positions();
    assert_eq!(["pool", "cls_token", "attn", "first"].map(positions), [64, 65, 65, 1]);
    assert!(logits(&model).iter().any(|&x| x != 0.0));
}

/// Attention reads tokens in raster order; columns before rows is the transposed map, which only weights of positions
/// tell from it.
#[test]
fn the_order_of_tokens_shows_only_where_positions_have_weights() {
    let block = "Neuron(name: \"lif\", threshold: 0.2), \
         Linear(name: \"q\", out_features: 8), Neuron(name: \"q_lif\", threshold: 0.1), \
         Linear(name: \"k\", input: \"lif\", out_features: 8), Neuron(name: \"k_lif\", threshold: 0.1), \
         Linear(name: \"v\", input: \"lif\", out_features: 8), Neuron(name: \"v_lif\", threshold: 0.1), \
         Attention(name: \"attn\", inputs: [\"q_lif\", \"k_lif\", \"v_lif\"], \
         attention: Product(heads: 2, scale: 0.25, order: QueryKeyFirst)), Neuron(name: \"attn_lif\", threshold: 0.5)";
    let built = |token: &str, rest: &str, head: &str| {
        let stem =
            "Conv(name: \"stem\", out_channels: 8, kernel: 1), Requantize(name: \"stream\", grid: Residual)";
        built(&format!(
            "Model(name: \"m\", family: Layers([{stem}, {token} {block}, {rest} {head}, MeanTimesteps(name: \"t\")]), \
             input: Events(shape: (2, 4, 4), max: 3), timesteps: 3, classes: 5, weights: Seeded(1))"
        ))
    };
    let linear = "Linear(name: \"head\", out_features: 5)";
    let flat = "Linear(name: \"head\", out_features: 5, flatten: true)";
    let token = "ClassToken(name: \"cls\"),";
    let first = "FirstToken(name: \"first\"),";
    let mean = "MeanTokens(name: \"mean\"),";
    // A third of the values are events, as it happens: most tokens differ from those around them.
    let value = |t: usize, y: usize, x: usize, c: usize| {
        let place = (t * 64 + y * 16 + x * 4 + c) as u32;
        u16::from((place.wrapping_mul(2_654_435_761) >> 13).is_multiple_of(3))
    };
    let image = |transposed: bool, brightness: u16| {
        let place = |i: usize| (i / 32, i / 8 % 4, i / 2 % 4, i % 2);
        let of = |(t, y, x, c)| brightness * if transposed { value(t, x, y, c) } else { value(t, y, x, c) };
        Sample::from(Frames {
            frames: 3,
            shape: Shape::new(2, 4, 4),
            data: (0..96).map(|i| of(place(i))).collect(),
        })
    };
    for (model, alike) in
        [(built("", mean, linear), true), (built(token, first, linear), true), (built("", "", flat), false)]
    {
        let executor = FloatExecutor::new(&model);
        let [rows, columns, dark] = [(false, 1), (true, 1), (false, 0)]
            .map(|(turned, light)| executor.run(&image(turned, light)).logits);
        let differ = |other: &[f32]| rows.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(differ(&dark) > 1e-3 && (differ(&columns) < 1e-5) == alike, "{rows:?} {columns:?} {dark:?}");
    }
}
