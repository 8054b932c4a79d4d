//! What a mapper chose, as a file that fixes it.

use super::fixed::{FixedMapping, HomeSpec, LayerSpec, MappingSpec, Named, TurnsSpec};
use super::wishes::maps_have_homes;
use super::{Home, Layer, Plan, Turns, Workload};
use crate::hw::{Hardware, Operand};

impl FixedMapping {
    /// All that `plans`, one per layer of `workload`, and the homes of its `maps` say of a mapping onto `hardware`.
    pub fn of(workload: &Workload, hardware: &Hardware, plans: &[Plan], maps: &[Home]) -> Self {
        let layers = workload.layers.iter().zip(plans);
        let layer =
            |(layer, plan): (&Layer, &Plan)| (layer.name.clone(), plan.spec(layer, workload, hardware));
        let turns = turns(plans);
        let homes = workload.maps.iter().zip(maps).filter(|_| maps_have_homes(hardware));
        // A map that is passed on in turns is on chip a tile at a time, and has no home.
        let homes = homes.filter(|(map, _)| !turns.iter().any(|turns| turns.holds(map)));
        let spec = MappingSpec {
            timesteps: plans.first().map(|plan| plan.placement),
            layers: Named(layers.map(layer).collect()),
            maps: Named(
                homes.map(|(map, home)| (map.name.clone(), home.spec(map.operand, hardware))).collect(),
            ),
            turns: turns.iter().map(|turns| turns.spec(workload)).collect(),
        };
        Self { path: hardware.name.clone(), spec }
    }
}

/// Layers that take turns by `plans`.
fn turns(plans: &[Plan]) -> Vec<Turns> {
    let of = |(number, plan): (usize, &Plan)| {
        let group = plan.group.filter(|group| group.first == number)?;
        Some(Turns { first: number, layers: group.layers, tiles: plan.position_tiles() as usize })
    };
    plans.iter().enumerate().filter_map(of).collect()
}

impl Turns {
    /// The turns as a mapping file states them.
    fn spec(self, workload: &Workload) -> TurnsSpec {
        let layers = workload.layers[self.range()].iter().map(|layer| layer.name.clone());
        TurnsSpec { layers: layers.collect(), tiles: self.tiles }
    }
}

impl Home {
    /// The home as a mapping file states it of `operand`.
    pub(super) fn spec(self, operand: Operand, hardware: &Hardware) -> HomeSpec {
        match self {
            Self::OffChip => HomeSpec::OffChip,
            Self::OnChip(level) => {
                let memory = hardware.levels(operand).nth(usize::from(level)).expect("a home of it");
                HomeSpec::OnChip(hardware.memories[memory].name.clone())
            }
        }
    }
}

impl Plan {
    /// The plan as a mapping file states it of `layer`.
    fn spec(&self, layer: &Layer, workload: &Workload, hardware: &Hardware) -> LayerSpec {
        let mut spec = match &layer.product {
            None => LayerSpec::default(),
            Some(product) => LayerSpec {
                unit: Some(hardware.unit(self.unit).name().to_owned()),
                dataflow: Some(self.dataflow),
                lanes: Some(self.lanes),
                channels: Some(self.channels),
                order: Some(self.order),
                recompute: product.is_constant().then_some(self.recompute),
                resident_channels: Some(self.resident_channels)
                    .filter(|&channels| channels > 0 && self.is_off_chip(Operand::Weights)),
                ..LayerSpec::default()
            },
        };
        for operand in Operand::ALL {
            let of_maps = matches!(operand, Operand::Activations | Operand::Residual);
            let has = self.home(operand, layer, workload, hardware).is_some();
            let is_said = has || self.home[operand] != Home::default();
            if is_said && !(of_maps && maps_have_homes(hardware)) {
                spec.put(operand, self.home[operand].spec(operand, hardware));
            }
        }
        spec
    }
}
