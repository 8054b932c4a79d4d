//! How a machine runs a network: its area by component, and the loops of every layer.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cost::{AreaMm2, Machine, MappedWorkload, patterns};
use crate::error::Result;
use crate::evaluate::MemoryEvaluation;
use crate::exec::Rates;
use crate::hw::{Hardware, Operand, Resources, resources};
use crate::map::{FixedMapping, Layer, Plan, Workload};
use crate::model::Network;

/// Share of spikes that is taken where nothing is known of them.
const ASSUMED_RATE: f64 = 0.1;

/// What is chosen for a network on a machine.
#[derive(Serialize)]
pub struct MappingDescription {
    hardware: String,
    /// By component; null where the description does not give it.
    area_mm2: Option<AreaMm2>,
    /// What it takes of the part that it is configured into, at least; null for a chip.
    fpga: Option<FpgaUse>,
    /// Where the spikes that the mapper sees come from.
    activity: String,
    /// What on-chip memories hold at the most.
    memories: Vec<MemoryEvaluation>,
    layers: Vec<MappedLayer>,
}

/// What a machine takes of a part.
#[derive(Serialize)]
struct FpgaUse {
    part: String,
    at_least: Resources,
    of: Resources,
}

impl FpgaUse {
    fn new(hardware: &Hardware) -> Option<Self> {
        let fpga = hardware.fpga.as_ref()?;
        Some(Self {
            part: fpga.part.clone(),
            at_least: resources(&hardware.units, &hardware.memories),
            of: fpga.has(),
        })
    }

    fn text(&self) -> String {
        let Self { part, at_least, of } = self;
        let mut text = format!("{part}: at least\n");
        for ((label, used), (_, has)) in at_least.parts().iter().zip(of.parts()) {
            text += &format!("  {label:16} {used:.0} of {has:.0}\n");
        }
        text
    }
}

/// What is chosen for one layer.
#[derive(Serialize)]
struct MappedLayer {
    name: String,
    /// The mapping in words.
    mapping: String,
    /// The loops of its product, line by line; none where there is no product, or no array.
    loops: Vec<String>,
    /// The level that holds each operand which the layer has.
    homes: BTreeMap<String, String>,
}

/// A network on a machine.
pub struct Mapped {
    machine: Machine,
    mapped: MappedWorkload,
    /// Where the spikes that the mapper saw come from.
    activity: String,
}

impl Mapped {
    /// `workload`, that of `network`, as machine `hw` runs it where `fixed` leaves that open, chosen from `rates` or from the
    /// same rate everywhere.
    ///
    /// # Errors
    /// If a file does not load, or the machine cannot run the network.
    pub fn new(
        network: &Network,
        workload: Workload,
        hw: &str,
        rates: Option<&str>,
        fixed: Option<&FixedMapping>,
    ) -> Result<Self> {
        let machine = Machine::new(Hardware::load(hw)?.0)?;
        let (rates, activity) = match rates {
            Some(spec) => {
                let rates = Rates::load(spec, network)?;
                let activity = format!("the rates of {}", rates.path);
                (rates, activity)
            }
            None => {
                let activity = format!("a rate of {} % everywhere (assumed)", ASSUMED_RATE * 100.0);
                (Rates::uniform(network, ASSUMED_RATE)?, activity)
            }
        };
        let expected = rates.activity_with(network, &patterns(std::slice::from_ref(&machine), network));
        let mapped = MappedWorkload::best_of(workload, &machine, std::slice::from_ref(&expected), fixed)?;
        Ok(Self { machine, mapped, activity })
    }

    /// All that was chosen, as a file that fixes it.
    pub fn file(&self) -> String {
        self.mapped.fixed(&self.machine.hardware).text()
    }
}

impl MappingDescription {
    /// The description of a mapping for `spiq map`.
    pub fn new(described: &Mapped) -> Self {
        let Mapped { machine, mapped, activity } = described;
        let layers = mapped.workload.layers.iter().zip(&mapped.plans);
        let on_chip = mapped.occupancy(&machine.hardware);
        Self {
            memories: MemoryEvaluation::all(mapped, &machine.hardware, &on_chip),
            layers: layers
                .map(|(layer, plan)| MappedLayer::new(layer, plan, machine, &mapped.workload))
                .collect(),
            hardware: machine.hardware.name.clone(),
            area_mm2: machine.area_mm2,
            fpga: FpgaUse::new(&machine.hardware),
            activity: activity.clone(),
        }
    }

    /// The mapping as text, for a terminal.
    pub fn text(&self) -> String {
        let mut text = format!("hardware {}\n", self.hardware);
        match (&self.area_mm2, &self.fpga) {
            (_, Some(fpga)) => text += &fpga.text(),
            (None, None) => text += "area not described\n",
            (Some(area), None) => {
                text += &format!("area {:.4} mm2\n", area.total());
                for ((_, label), part) in AreaMm2::LABELS.iter().zip(area.parts()) {
                    text += &format!("  {label:16} {part:.4}\n");
                }
            }
        }
        text += &format!("mapping for spikes at {}\n", self.activity);
        for memory in &self.memories {
            let [peak, capacity] = [memory.peak_bytes.total(), memory.capacity_bytes].map(|x| x / 1024.0);
            let (name, share) = (&memory.name, 100.0 * memory.share());
            let when = if peak > 0.0 { format!(", while {} runs", memory.layer) } else { String::new() };
            text += &format!("{name}: at most {peak:.1} of {capacity:.1} KiB ({share:.0} %){when}\n");
        }
        for layer in &self.layers {
            text += &format!("\n{}: {}\n", layer.name, layer.mapping);
            for (operand, home) in &layer.homes {
                text += &format!("  {operand} in {home}\n");
            }
            for line in &layer.loops {
                text += &format!("  {line}\n");
            }
        }
        text
    }
}

impl MappedLayer {
    fn new(layer: &Layer, plan: &Plan, machine: &Machine, workload: &Workload) -> Self {
        let hardware = &machine.hardware;
        let nest = plan.nest(layer, hardware, workload.timesteps);
        let homes = Operand::ALL.into_iter().filter_map(|operand| {
            let home = plan.home(operand, layer, workload, hardware)?;
            Some((operand.describe().to_owned(), home))
        });
        Self {
            name: layer.name.clone(),
            mapping: plan.describe(layer),
            loops: nest
                .map_or_else(Vec::new, |(nest, _)| nest.to_string().lines().map(str::to_owned).collect()),
            homes: homes.collect(),
        }
    }
}
