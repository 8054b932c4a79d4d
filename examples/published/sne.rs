//! SNE: one engine, with and without loading weights, in both of its modes.

use spiq::hw::Hardware;
use spiq::tensor::Shape;

use crate::cases::{Failure, Recorded, cores, predict_single, setting, single};
use crate::cycles::{Folder, Row, list, number, text};

const TIMESTEPS: usize = 10;

pub fn rows(folder: &Folder) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for case in list(&folder.json("sne_engine.json")?, "cases")? {
        let (name, mode, weights) = (text(case, "spikes")?, text(case, "layer")?, text(case, "weights")?);
        let shape = Shape::new(8, 26, 26);
        let values = folder.packed(name, shape.positions())?;
        let input = Recorded { layer: "layer".to_owned(), timesteps: TIMESTEPS, shape, values };
        let silent = Recorded::silent("spikes", TIMESTEPS, Shape::new(1, 24, 24));
        let conv = r#"Conv(name: "layer", out_channels: 1, kernel: 3)"#;
        let network = single(conv, r#"Neuron(name: "spikes")"#, input, silent);
        let (mut hardware, _) = Hardware::load("sne")?;
        let visits_all = mode == "layer=0";
        if visits_all {
            hardware.units.remove(0);
            cores(&mut hardware, 0).takes = None;
        }
        if weights == "w0" {
            cores(&mut hardware, 0).overheads.layer_cycles = None;
        }
        let outputs = number(case, "outs")?;
        let remarks = [
            if visits_all { "mode that visits all neurons" } else { "convolution mode" },
            if weights == "w0" { "weights are there" } else { "weights loaded" },
            if outputs > 0 && !visits_all {
                "stalls of outputs not modelled"
            } else {
                "no stalls of outputs"
            },
        ];
        rows.push(Row {
            machine: "sne",
            case: format!("{} {mode} {weights}", name.trim_end_matches(".npz")),
            published: number(case, "last")? as f64,
            predicted: predict_single(&network, hardware, &setting(4, 8, Some(8)))?,
            remark: remarks.join("; "),
            ..Row::default()
        });
    }
    Ok(rows)
}
