//! The space of a search: a weight scheme and a membrane width per tensor, the partitions that tie tensors together, and the
//! machines that it all may run on.

use std::fmt::Write;

use serde::Serialize;

use super::keyword::keywords;
use crate::error::{Error, Result};
use crate::files::sha256;
use crate::model::{Network, Node, Op};
use crate::quant::scheme::Family;
use crate::quant::{FixedPoint, LayerOverride, Setting, WeightRounding, WeightScheme};

/// A weight layer and the neurons between it and the next one.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Name of the weight layer.
    pub layer: String,
    /// Names of its neurons.
    pub neurons: Vec<String>,
    /// Weights.
    pub weights: usize,
    /// Neurons that keep a membrane.
    pub membranes: usize,
    /// Module, block and stage.
    scope: [String; 3],
}

keywords! {
    /// What is chosen together.
    pub enum Granularity {
        Tensor = "tensor": "Each weight layer with its neurons by itself.",
        Module = "module": "An attention, an MLP.",
        Block = "block": "A block.",
        Stage = "stage": "All blocks of one resolution.",
        Network = "network": "Everything.",
    }
}

/// Half of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The weight scheme.
    Weights,
    /// The membrane width.
    Membranes,
}

/// Units that change together, and what of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knob {
    /// Indices of units.
    pub units: Vec<usize>,
    /// Weights or membranes.
    pub part: Part,
}

/// Per unit, an index into the levels of the space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Choice {
    /// Index into [`Space::weights`].
    pub weights: u8,
    /// Index into [`Space::membranes`].
    pub membranes: u8,
}

/// One point of a space: a setting, and the machine that runs it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Candidate {
    /// The setting, unit by unit.
    pub choices: Vec<Choice>,
    /// Index into [`Space::machines`]. What is lost does not depend on it.
    pub machine: usize,
}

/// All points: for every unit any of the weight schemes with any of the membrane widths.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// The units, in order of execution.
    pub units: Vec<Unit>,
    /// Weight schemes, the widest first; of equal widths, in the order of their families.
    pub weights: Vec<WeightScheme>,
    /// Membrane bits, the widest first.
    pub membranes: Vec<u32>,
    /// True where settings round the weights of an output together and match firing rates.
    pub calibrated: bool,
    /// Per machine, its level on every axis; a machine that is given has no axes.
    pub machines: Vec<Vec<usize>>,
    /// The machine of candidates that name none.
    pub base_machine: usize,
}

/// Hexadecimal digits that name a setting.
pub(super) const ID_DIGITS: usize = 16;

/// A weight layer of a setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerChoice {
    /// Name of the layer.
    pub layer: String,
    /// Bits of a weight.
    pub weight_bits: u32,
    /// True for powers of two.
    pub power_of_two: bool,
    /// Shorthand of the scheme of its weights.
    pub scheme: String,
    /// Family of that scheme.
    #[serde(skip)]
    pub family: &'static str,
    /// Bits of the membranes of its neurons; absent where there are none.
    pub membrane_bits: Option<u32>,
}

impl Space {
    /// The units of `network` with these levels, which are put in order.
    pub fn new(network: &Network, mut weights: Vec<WeightScheme>, mut membranes: Vec<u32>) -> Self {
        weights.sort_by_key(|scheme| (std::cmp::Reverse(scheme.bits()), scheme.family()));
        weights.dedup();
        membranes.sort_by_key(|&bits| std::cmp::Reverse(bits));
        membranes.dedup();
        let mut units: Vec<Unit> = Vec::new();
        for (_, node) in network.iter() {
            match (&node.op, units.last_mut()) {
                (Op::Weighted(weighted), _) => {
                    let geometry = &weighted.geometry;
                    units.push(Unit::new(node, geometry.out_channels * geometry.fan_in()));
                }
                (Op::Neuron(_), Some(unit)) => {
                    unit.neurons.push(node.name.clone());
                    unit.membranes += node.shape.values();
                }
                _ => (),
            }
        }
        Self { units, weights, membranes, calibrated: false, machines: vec![Vec::new()], base_machine: 0 }
    }

    /// Distinct settings, as a decimal logarithm.
    pub fn size_log10(&self) -> f64 {
        let choices = |unit: &Unit| {
            let membranes = if unit.neurons.is_empty() { 1 } else { self.membranes.len() };
            ((self.weights.len() * membranes) as f64).log10()
        };
        self.units.iter().map(choices).sum()
    }

    /// The widest of everything.
    pub fn widest(&self) -> Candidate {
        self.uniform(0, 0)
    }

    /// The candidate of one choice everywhere.
    pub fn uniform(&self, weights: usize, membranes: usize) -> Candidate {
        let choice = Choice { weights: weights as u8, membranes: membranes as u8 };
        Candidate { choices: vec![choice; self.units.len()], machine: self.base_machine }
    }

    /// What can be changed at `granularity`: the weights of every group, then the membranes of those that
    /// have any.
    pub fn knobs(&self, granularity: Granularity) -> Vec<Knob> {
        let groups = self.groups(granularity);
        let knob = |part| move |units: Vec<usize>| Knob { units, part };
        let with_neurons = |units: &Vec<usize>| -> Option<Vec<usize>> {
            let units: Vec<usize> =
                units.iter().copied().filter(|&u| !self.units[u].neurons.is_empty()).collect();
            (!units.is_empty()).then_some(units)
        };
        let membranes: Vec<Knob> =
            groups.iter().filter_map(with_neurons).map(knob(Part::Membranes)).collect();
        groups
            .into_iter()
            .map(knob(Part::Weights))
            .chain(membranes)
            .filter(|k| self.levels(k.part) > 1)
            .collect()
    }

    /// A partition of the units: consecutive ones with the same name at `granularity`.
    pub fn groups(&self, granularity: Granularity) -> Vec<Vec<usize>> {
        let name = |unit: &Unit| match granularity {
            Granularity::Tensor => unit.layer.clone(),
            Granularity::Module => unit.scope[0].clone(),
            Granularity::Block => unit.scope[1].clone(),
            Granularity::Stage => unit.scope[2].clone(),
            Granularity::Network => String::new(),
        };
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for (i, unit) in self.units.iter().enumerate() {
            let name = name(unit);
            match groups.iter_mut().find(|(other, _)| *other == name) {
                Some((_, units)) => units.push(i),
                None => groups.push((name, vec![i])),
            }
        }
        groups.into_iter().map(|(_, units)| units).collect()
    }

    /// How many levels `part` has.
    pub fn levels(&self, part: Part) -> usize {
        match part {
            Part::Weights => self.weights.len(),
            Part::Membranes => self.membranes.len(),
        }
    }

    /// Bits of a level.
    pub fn bits(&self, part: Part, level: usize) -> u32 {
        match part {
            Part::Weights => self.weights[level].bits(),
            Part::Membranes => self.membranes[level],
        }
    }

    /// The families of its weight schemes, in their order.
    pub fn families(&self) -> Vec<Family> {
        let mut families: Vec<Family> = self.weights.iter().map(WeightScheme::family).collect();
        families.sort_unstable();
        families.dedup();
        families
    }

    /// The levels of `part` by family, each from wide to narrow; membranes are one.
    pub fn ladders(&self, part: Part) -> Vec<Vec<usize>> {
        let all = 0..self.levels(part);
        match part {
            Part::Membranes => vec![all.collect()],
            Part::Weights => {
                let of = |family| all.clone().filter(|&l| self.weights[l].family() == family).collect();
                self.families().into_iter().map(of).collect()
            }
        }
    }

    /// One step down from `level`: the next narrower level of each family.
    pub fn below(&self, part: Part, level: usize) -> Vec<usize> {
        let next = |ladder: Vec<usize>| ladder.into_iter().find(|&l| l > level);
        self.ladders(part).into_iter().filter_map(next).collect()
    }

    /// One step up from `level`: the next wider level of its family, or else of any.
    pub fn above(&self, part: Part, level: usize) -> Option<usize> {
        let own = self.ladders(part).into_iter().find(|ladder| ladder.contains(&level));
        let wider = own.and_then(|ladder| ladder.into_iter().rfind(|&l| l < level));
        wider.or(level.checked_sub(1))
    }

    /// The setting file of a candidate: one line per weight layer and per layer of neurons.
    pub fn ron(&self, candidate: &Candidate, name: &str) -> String {
        let scheme = |level: u8| ron::to_string(&self.weights[usize::from(level)]).expect("plain numbers");
        let bits = |level: u8| self.membranes[usize::from(level)];
        let first = self.first(candidate);
        let calibration =
            if self.calibrated { "    rounding: SecondOrder,\n    rate_matching: true,\n" } else { "" };
        let mut text = format!(
            "Setting(\n    name: {name:?},\n    weights: {},\n    membrane_bits: {},\n    residual_bits: 16,\n{calibration}    layers: [\n",
            scheme(first.weights),
            bits(first.membranes)
        );
        for (unit, choice) in self.units.iter().zip(&candidate.choices) {
            let _ = writeln!(text, "        ({:?}, Layer(weights: {})),", unit.layer, scheme(choice.weights));
            for neuron in &unit.neurons {
                let _ =
                    writeln!(text, "        ({neuron:?}, Layer(membrane_bits: {})),", bits(choice.membranes));
            }
        }
        text.push_str("    ],\n)\n");
        text
    }

    /// The setting of a candidate, as its file reads.
    ///
    /// # Errors
    /// If a level is out of the range of settings.
    pub fn setting(&self, candidate: &Candidate, name: &str) -> Result<Setting> {
        let weights = |choice: Choice| self.weights[usize::from(choice.weights)];
        let membrane_bits = |choice: Choice| self.membranes[usize::from(choice.membranes)];
        let first = self.first(candidate);
        let mut fixed = FixedPoint::uniform(name, weights(first), membrane_bits(first));
        if self.calibrated {
            (fixed.rounding, fixed.rate_matching) = (WeightRounding::SecondOrder, true);
        }
        for (unit, &choice) in self.units.iter().zip(&candidate.choices) {
            let layer = LayerOverride { weights: Some(weights(choice)), ..LayerOverride::default() };
            fixed.layers.push((unit.layer.clone(), layer));
            let membranes = Some(membrane_bits(choice));
            let neurons = LayerOverride { membrane_bits: membranes, ..LayerOverride::default() };
            fixed.layers.extend(unit.neurons.iter().map(|neuron| (neuron.clone(), neurons)));
        }
        Setting::of(fixed)
    }

    /// What stands for the layers that a setting does not name.
    fn first(&self, candidate: &Candidate) -> Choice {
        candidate.choices.first().copied().unwrap_or(Choice { weights: 0, membranes: 0 })
    }

    /// What names the setting of a candidate wherever it was found: the first digits of its SHA-256.
    pub fn id(&self, candidate: &Candidate) -> String {
        let mut id = sha256([self.ron(candidate, "")]);
        id.truncate(ID_DIGITS);
        id
    }

    /// What names the setting `id` on a machine: the setting alone where there is one machine.
    pub fn design_id(&self, id: &str, machine: usize) -> String {
        if self.machines.len() == 1 {
            return id.to_owned();
        }
        let mut design = sha256([format!("{id} {machine}")]);
        design.truncate(ID_DIGITS);
        design
    }

    /// What a candidate chooses per weight layer.
    pub fn layers(&self, candidate: &Candidate) -> Vec<LayerChoice> {
        let layer = |(unit, choice): (&Unit, &Choice)| {
            let scheme = &self.weights[usize::from(choice.weights)];
            let membrane_bits = self.membranes[usize::from(choice.membranes)];
            LayerChoice {
                layer: unit.layer.clone(),
                weight_bits: scheme.bits(),
                power_of_two: scheme.family() == Family::PowerOfTwo,
                scheme: scheme.shorthand(),
                family: scheme.family().name(),
                membrane_bits: (!unit.neurons.is_empty()).then_some(membrane_bits),
            }
        };
        self.units.iter().zip(&candidate.choices).map(layer).collect()
    }

    /// Refuses a space of one point.
    pub fn check(&self) -> Result<()> {
        if self.size_log10() > 0.0 {
            Ok(())
        } else {
            Err(Error::mismatch(
                "the space has one point, one weight scheme and one membrane width: there is nothing to search",
            ))
        }
    }
}

impl Unit {
    fn new(node: &Node, weights: usize) -> Self {
        let scope = [&node.scope.module, &node.scope.block, &node.scope.stage].map(String::clone);
        Self { layer: node.name.clone(), neurons: Vec::new(), weights, membranes: 0, scope }
    }
}

impl Candidate {
    /// The level of `part` in the unit `unit`.
    pub fn level(&self, unit: usize, part: Part) -> usize {
        usize::from(match part {
            Part::Weights => self.choices[unit].weights,
            Part::Membranes => self.choices[unit].membranes,
        })
    }

    /// The narrowest level of the units of `knob`.
    pub(crate) fn narrowest(&self, knob: &Knob) -> usize {
        knob.units.iter().map(|&unit| self.level(unit, knob.part)).max().unwrap_or(0)
    }

    /// The widest level of the units of `knob`.
    pub fn widest(&self, knob: &Knob) -> usize {
        knob.units.iter().map(|&unit| self.level(unit, knob.part)).min().unwrap_or(0)
    }

    /// With the same setting on another machine.
    pub fn on(&self, machine: usize) -> Self {
        Self { choices: self.choices.clone(), machine }
    }

    /// With all units of `knob` at `level`.
    pub fn with(&self, knob: &Knob, level: usize) -> Self {
        let mut changed = self.clone();
        for &unit in &knob.units {
            match knob.part {
                Part::Weights => changed.choices[unit].weights = level as u8,
                Part::Membranes => changed.choices[unit].membranes = level as u8,
            }
        }
        changed
    }
}
