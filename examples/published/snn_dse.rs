//! SNN-DSE: single layers, whose machines differ in the channels in step, and the hybrid network.

use serde_json::Value;
use spiq::hw::{Done, Hardware, SpikeSearch};
use spiq::tensor::Shape;

use crate::cases::{Failure, Network, Recorded, cores, predict, predict_single, setting, single};
use crate::cycles::{Folder, Row, list, number, text, unpooled};

/// The layers of the hybrid network: name, kernel, output channels and side of the map, and whether a pooling follows.
const NETWORK: [(&str, usize, usize, bool); 7] = [
    ("conv1_1", 64, 32, false),
    ("conv1_2", 28, 32, true),
    ("conv2_1", 32, 16, false),
    ("conv2_2", 36, 16, true),
    ("conv3_1", 40, 8, false),
    ("conv3_2", 42, 8, false),
    ("conv3_3", 40, 8, true),
];

pub fn rows(folder: &Folder) -> Result<Vec<Row>, Failure> {
    let json = folder.json("snndse.json")?;
    let mut rows = Vec::new();
    for case in list(&json, "cases")? {
        rows.extend(of_layer(folder, case)?);
    }
    rows.extend(of_network(folder, &json["network"])?);
    Ok(rows)
}

fn of_layer(folder: &Folder, case: &Value) -> Result<Vec<Row>, Failure> {
    let layer = &case["layer"];
    let size = |field| number(layer, field);
    let (timesteps, outputs) = (size("timesteps")?, size("output_channels")?);
    let shape = Shape::new(size("input_channels")?, size("height")?, size("width")?);
    let spikes = text(case, "spikes")?;
    let conv = format!("Conv(name: \"layer\", out_channels: {outputs}, kernel: {}, pad: 1)", size("kernel")?);
    let input = || -> Result<Recorded, Failure> {
        let values = folder.packed(spikes, shape.positions())?;
        Ok(Recorded { layer: "layer".to_owned(), timesteps, shape, values })
    };
    let channels = u32::try_from(size("channels_at_once")?)?;
    let mut rows = Vec::new();
    for (done, field) in [(Done::HandedOver, "cycles"), (Done::Drained, "cycles_drained")] {
        let silent = Recorded::silent("spikes", timesteps, Shape { channels: outputs, ..shape });
        let network = single(&conv, r#"Neuron(name: "spikes")"#, input()?, silent);
        let (mut hardware, _) = Hardware::load("snn-dse")?;
        cores(&mut hardware, 0).channels.value = channels;
        if let Some(SpikeSearch::Lists(lists)) = &mut cores(&mut hardware, 0).search {
            lists.done.value = done;
        }
        rows.push(Row {
            machine: "snn-dse",
            case: format!("{} {field}", spikes.trim_end_matches(".npz")),
            published: number(case, field)? as f64,
            predicted: predict_single(&network, hardware, &setting(4, 16, None))?,
            remark: format!("{channels} channels in step"),
            ..Row::default()
        });
    }
    Ok(rows)
}

fn of_network(folder: &Folder, json: &Value) -> Result<Vec<Row>, Failure> {
    let published = list(json, "layers")?;
    let mut layers = Vec::new();
    let mut recorded = vec![Recorded::silent("conv1_1", 1, Shape::new(3, 32, 32))];
    let (mut channels, mut before_pooling) = (3, None);
    for (name, outputs, side, pooled) in NETWORK {
        layers.push(format!(
            "Conv(name: \"{name}\", out_channels: {outputs}, kernel: 3, pad: 1), Neuron(name: \"{name}_spikes\")"
        ));
        if name != "conv1_1" {
            let shape = Shape::new(channels, side, side);
            let values = folder.packed(&format!("snndse_net_{name}.npz"), side * side)?;
            let read = Recorded { layer: name.to_owned(), timesteps: 2, shape, values };
            recorded.extend(before_pooling.take().map(|layer| unpooled(layer, &read)));
            recorded.push(read);
        }
        if pooled {
            layers.push(format!("MaxPool(name: \"{name}_pool\", size: 2, stride: 2)"));
            before_pooling = Some(format!("{name}_spikes"));
        }
        channels = outputs;
    }
    layers.push(
        r#"Linear(name: "fc1", out_features: 64, flatten: true), Neuron(name: "fc1_spikes"),
        Linear(name: "fc2", out_features: 40, flatten: true), Neuron(name: "fc2_spikes")"#
            .to_owned(),
    );
    let read = Recorded::silent("fc1", 2, Shape::new(40, 4, 4));
    recorded.extend(before_pooling.map(|layer| unpooled(layer, &read)));
    recorded.push(read);
    recorded.push(Recorded::silent("fc2", 2, Shape::new(64, 1, 1)));
    recorded.push(Recorded::silent("fc2_spikes", 2, Shape::new(40, 1, 1)));
    let network = Network {
        input: "Image(shape: (3, 32, 32), mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], bits: 8)".to_owned(),
        layers: layers.join(", "),
        timesteps: 2,
        classes: 40,
        recorded,
    };
    let predicted = predict(&network, Hardware::load("snn-dse")?.0, &setting(4, 16, None))?;
    let mut rows = Vec::new();
    for layer in published {
        let name = text(layer, "layer")?;
        let own = predicted.iter().find(|l| l.layer == name).ok_or("a layer of another network")?;
        rows.push(Row {
            machine: "snn-dse",
            case: format!("network {name}"),
            published: number(layer, "cycles")? as f64,
            predicted: own.cycles,
            ..Row::default()
        });
    }
    rows.push(Row {
        machine: "snn-dse",
        case: "network".to_owned(),
        published: number(json, "total_cycles")? as f64,
        predicted: predicted.iter().map(|l| l.cycles).sum(),
        ..Row::default()
    });
    Ok(rows)
}
