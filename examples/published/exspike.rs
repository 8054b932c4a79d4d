//! ExSpike: layers with their weights on chip, and VGG11 with weights that stream.

use serde_json::Value;
use spiq::hw::{Hardware, SpikeSearch};
use spiq::tensor::Shape;

use crate::cases::{
    Failure, Network, Recorded, cores, of_positions, predict, predict_single, setting, single,
};
use crate::cycles::{Folder, Row, list, number, text, unpooled};

/// What was fitted of the weight stream, and the layers that it was fitted to.
const CONSTANTS: &str =
    "160 cycles of a stream that starts anew and 57 of a half of the buffer (weight_stream)";
const FITTED: [usize; 2] = [3, 11];

pub fn rows(folder: &Folder) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let layers = folder.json("exspike_layers.json")?;
    for (i, case) in layers.as_array().ok_or("no list")?.iter().enumerate() {
        rows.push(of_layer(i, case)?);
    }
    let vgg11 = folder.json("exspike_vgg11.json.gz")?;
    for run in list(&vgg11, "runs")? {
        rows.extend(of_network(&vgg11, run)?);
    }
    Ok(rows)
}

/// Spikes `[C, H, W]` of the positions of a layer.
fn spikes(rows: &Value, channels: usize) -> Result<Vec<u8>, Failure> {
    let rows: Option<Vec<&str>> = rows.as_array().ok_or("rows: no list")?.iter().map(Value::as_str).collect();
    of_positions(&rows.ok_or("rows: no text")?, channels)
}

fn grouping(hardware: &mut Hardware, positions: usize) -> Result<(), Failure> {
    if let Some(SpikeSearch::Queue(queue)) = &mut cores(hardware, 0).search {
        queue.group.value = u32::try_from(positions)?;
    }
    Ok(())
}

fn of_layer(i: usize, case: &Value) -> Result<Row, Failure> {
    let size = |field| number(case, field);
    let (group, side, inputs, outputs) = (size("G")?, size("S")?, size("Ci")?, size("Co")?);
    let shape = Shape::new(inputs, side, side);
    let values = spikes(&case["rows"], inputs)?;
    let input = Recorded { layer: "layer".to_owned(), timesteps: 1, shape, values };
    let silent = Recorded::silent("spikes", 1, Shape::new(outputs, side, side));
    let conv = format!("Conv(name: \"layer\", out_channels: {outputs}, kernel: 3, pad: 1)");
    let network = single(&conv, r#"Neuron(name: "spikes")"#, input, silent);
    let (mut hardware, _) = Hardware::load("exspike")?;
    grouping(&mut hardware, group)?;
    // Weights are on chip.
    cores(&mut hardware, 0).weight_stream = None;
    hardware.memories[0].capacity_bytes.value = 1 << 24;
    hardware.dram = None;
    Ok(Row {
        machine: "exspike",
        case: format!("layer {i}: {inputs} to {outputs} channels {side} x {side}"),
        published: size("cycles")? as f64,
        predicted: predict_single(&network, hardware, &setting(8, 16, Some(16)))?,
        remark: format!("positions in groups of {group}; weights on chip"),
        ..Row::default()
    })
}

fn of_network(json: &Value, run: &Value) -> Result<Vec<Row>, Failure> {
    let (group, latency) = (number(run, "positions_per_group")?, number(run, "ddr_latency")?);
    let layers = list(json, "layers")?;
    let mut texts = Vec::new();
    let (mut recorded, mut before_pooling) = (Vec::new(), None);
    for (i, layer) in layers.iter().enumerate() {
        match text(layer, "type")? {
            "conv" => {
                let (inputs, outputs, side) =
                    (number(layer, "ci")?, number(layer, "co")?, number(layer, "i")?);
                texts.push(format!(
                    "Conv(name: \"layer{i}\", out_channels: {outputs}, kernel: 3, pad: 1), Neuron(name: \"spikes{i}\")"
                ));
                let shape = Shape::new(inputs, side, side);
                let mut values = spikes(&json["rows"][format!("{i},0")], inputs)?;
                values.extend(spikes(&json["rows"][format!("{i},1")], inputs)?);
                let read = Recorded { layer: format!("layer{i}"), timesteps: 2, shape, values };
                recorded.extend(before_pooling.take().map(|layer| unpooled(layer, &read)));
                recorded.push(read);
                match layers.get(i + 1).map(|next| &next["type"]) {
                    Some(next) if next == "conv" => {}
                    Some(next) if next == "pool" => before_pooling = Some(format!("spikes{i}")),
                    _ => {
                        let shape = Shape::new(outputs, side, side);
                        recorded.push(Recorded::silent(&format!("spikes{i}"), 2, shape));
                    }
                }
            }
            "pool" => texts.push(format!("MaxPool(name: \"layer{i}\", size: 2, stride: 2)")),
            _ => {}
        }
    }
    let (input, classes) = ("Events(shape: (24, 32, 32), max: 1)".to_owned(), 512);
    let network = Network { input, layers: texts.join(", "), timesteps: 2, classes, recorded };
    let (mut hardware, _) = Hardware::load("exspike")?;
    grouping(&mut hardware, group)?;
    if let Some(stream) = &mut cores(&mut hardware, 0).weight_stream {
        stream.latency_cycles.value = u32::try_from(latency)?;
    }
    let predicted = predict(&network, hardware, &setting(8, 16, Some(16)))?;
    let mut rows = Vec::new();
    for own in &predicted {
        let layer: usize = own.layer.trim_start_matches("layer").parse()?;
        let pooled = layers.get(layer + 1).is_some_and(|next| next["type"] == "pool");
        let is_own = |l: &usize| *l == layer || (pooled && *l == layer + 1);
        let mut published = 0;
        for taken in list(run, "per_layer")? {
            if is_own(&number(taken, "layer")?) {
                published += number(taken, "cycles")?;
            }
        }
        rows.push(Row {
            machine: "exspike",
            case: format!("VGG11 layer {layer}: groups of {group}; latency {latency}"),
            published: published as f64,
            predicted: own.cycles,
            constant: CONSTANTS,
            fits: FITTED.contains(&layer),
            remark: if pooled { "with the pooling behind it".to_owned() } else { String::new() },
        });
    }
    Ok(rows)
}
