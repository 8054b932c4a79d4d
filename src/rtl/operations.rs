//! The operations between weight layers of a design: which run, and their files.

use std::collections::BTreeMap;

use super::layer::{DesignLayer, NeuronRule};
use super::machine::DesignMachine;
use super::manifest::{DesignRequest, ExportedLayer, Frames};
use super::operation::{DesignOperation, Finish};
use super::operation_images::{OperationPlaces, fields, operands, parameters, yielded};
use super::predicted::predicted_operation;
use super::program::{Placed, mem};
use crate::cost::{Machine, MappedWorkload};
use crate::error::{Error, Result};
use crate::exec::Activity;
use crate::map::{Epilogue, Layer, Plan};
use crate::model::NodeId;

/// An operation with its places in memories, and the layer that it belongs to.
#[derive(Debug, Clone)]
pub struct PlacedOperation<'a> {
    /// The operation.
    pub operation: DesignOperation<'a>,
    places: OperationPlaces,
    layer: (&'a Layer, &'a Plan),
    words: [usize; 2],
}

/// Blocks of channels, and thresholds of an integer spike, that have parameters in the largest of `operations`.
pub fn parameter_places(operations: &[PlacedOperation<'_>], channels: usize) -> [usize; 2] {
    operations.iter().fold([1, 1], |[blocks, levels], placed| {
        let operation = &placed.operation;
        [blocks.max(operation.parameter_blocks(channels)), levels.max(operation.levels())]
    })
}

/// Words of activations and of sums that the largest of `operations` needs.
pub fn memory_words(operations: &[PlacedOperation<'_>]) -> [usize; 2] {
    operations.iter().fold([0, 0], |most, placed| [0, 1].map(|i| most[i].max(placed.words[i])))
}

/// Operations that run, and those that do not with the reason: all but the neurons that `layers` run.
pub fn chosen<'a>(
    request: &DesignRequest<'a>,
    mapped: &'a MappedWorkload,
    design: &DesignMachine,
    layers: &[(DesignLayer<'a>, Placed)],
) -> Result<(Vec<PlacedOperation<'a>>, BTreeMap<String, String>)> {
    let network = request.model.network();
    let name = |epilogue: &Epilogue| &network.node(epilogue.node).name;
    let in_a_layer =
        |id: NodeId| layers.iter().any(|(layer, _)| layer.neuron.is_some_and(|(own, _)| own == id));
    let mut rule = layers.iter().find_map(|(layer, _)| layer.rule());
    let (mut chosen, mut left_out) = (Vec::new(), BTreeMap::new());
    for (layer, plan) in mapped.workload.layers.iter().zip(&mapped.plans) {
        for epilogue in layer.epilogue.iter().filter(|epilogue| !in_a_layer(epilogue.node)) {
            let name = name(epilogue);
            let is_named = request.layers.contains(name);
            if !request.layers.is_empty() && !is_named {
                continue;
            }
            match placed(request, epilogue, (layer, plan), design, &mut rule) {
                Ok(placed) => chosen.push(placed),
                Err(why) if is_named => return Err(Error::mismatch(format!("--layers: {name}: {why}"))),
                Err(why) => _ = left_out.insert(name.clone(), why),
            }
        }
    }
    Ok((chosen, left_out))
}

fn placed<'a>(
    request: &DesignRequest<'a>,
    epilogue: &'a Epilogue,
    layer: (&'a Layer, &'a Plan),
    design: &DesignMachine,
    shared: &mut Option<NeuronRule>,
) -> std::result::Result<PlacedOperation<'a>, String> {
    let operation = DesignOperation::new(request.model, epilogue, design)?;
    let rule = shared.or(operation.rule());
    if operation.rule().is_some_and(|own| Some(own) != rule) {
        return Err("neurons that differ from those before".to_owned());
    }
    *shared = rule;
    let places = OperationPlaces::new(&operation, design);
    let a = operation.a.words(design.channels);
    let words = [places.out + places.out_words, if places.a_is_sums { a } else { 0 }];
    Ok(PlacedOperation { operation, places, layer, words })
}

impl PlacedOperation<'_> {
    /// True if it reads or yields what node `id` does.
    pub fn touches(&self, id: NodeId) -> bool {
        let DesignOperation { a, b, out, .. } = &self.operation;
        id == a.node || id == out.node || b.is_some_and(|b| b.node == id)
    }

    /// What the bench reads, with `frames` of all nodes.
    pub fn files(
        &self,
        design: &DesignMachine,
        frames: &Frames,
        parameter_places: [usize; 2],
    ) -> Vec<(String, String)> {
        let Self { operation, places, .. } = self;
        let of = |id: NodeId| -> Vec<&[i64]> {
            (0..).map_while(|t| frames.get(&(id, t)).map(Vec::as_slice)).collect()
        };
        let (a, b) = (of(operation.a.node), operation.b.map_or(Vec::new(), |b| of(b.node)));
        let [inputs, sums] = operands(operation, design, places, [&a, &b]);
        let expected = yielded(operation, design, &of(operation.out.node));
        let about: String = [inputs.len(), sums.len(), places.out, places.out_words]
            .iter()
            .map(|number| format!("{number:08x}\n"))
            .collect();
        let file = |file: &str, text: String| (format!("{}/{file}.mem", operation.name), text);
        vec![
            file("layer", about),
            file("program", mem(&fields(operation, design, places))),
            file("parameters", parameters(operation, design, parameter_places)),
            file("inputs", inputs.mem()),
            file("sums", sums.mem()),
            file("expected", expected.mem()),
        ]
    }

    /// The entry of the manifest for it.
    pub fn described(&self, machine: &Machine, activity: &Activity, timesteps: usize) -> ExportedLayer {
        let Self { operation, layer, .. } = self;
        ExportedLayer {
            name: operation.name.to_owned(),
            mapping: self.words(),
            values: operation.values() as u64,
            sums: false,
            tile_channels: [operation.out.shape.channels; 2],
            tiles: 1,
            last_rows: 0,
            element_bits: Some(operation.out.room),
            cycles: predicted_operation(*layer, operation.epilogue, machine, activity, timesteps),
        }
    }

    /// What it does.
    fn words(&self) -> String {
        let DesignOperation { window, conjunction, maximum, over_timesteps, finish, b, .. } = &self.operation;
        let [rows, columns] = window.size.0;
        let of = if *conjunction { "values of A and B" } else { "values" };
        let what = match (maximum, over_timesteps, rows * columns) {
            (true, ..) => format!("largest of {rows} x {columns} {of}"),
            (false, true, _) => format!("sum over {rows} timesteps"),
            (false, false, 1) => of.to_owned(),
            (false, false, _) => format!("sum of {rows} x {columns} {of}"),
        };
        match finish {
            Finish::Nothing => what,
            Finish::Rescales(..) if b.is_some() => format!("{what}, requantized, added to B"),
            Finish::Rescales(..) => format!("{what}, requantized"),
            Finish::Fires(_) => format!("{what}, through neurons"),
            Finish::Counts(_) => format!("{what}, as integer spikes"),
        }
    }
}
