//! What a file fixes, of one network on one machine.

use super::fixed::{FixedMapping, HomeSpec, LayerSpec, TurnsSpec};
use super::{Home, Layer, Map, Order, Plan, Turns, Workload};
use crate::error::{Error, Result};
use crate::hw::{Hardware, Operand, PerOperand, Placement};

/// What a file fixes of the mapping of a network on a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Wishes {
    /// The file, for messages.
    path: String,
    timesteps: Option<Placement>,
    /// Per layer.
    layers: Vec<Option<Wish>>,
    /// Per map.
    maps: Vec<Option<Home>>,
    turns: Vec<Turns>,
}

/// What a file fixes of one layer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    pub(super) said: LayerSpec,
    unit: Option<usize>,
    /// Per operand, where it is to be.
    home: PerOperand<Option<Home>>,
    /// Output channels whose weights are to stay on chip for good.
    resident_channels: Option<usize>,
    /// True if it is to take turns with others.
    takes_turns: bool,
    /// True if maps get their homes later, and its order of tiles is for those.
    maps_come_later: bool,
}

/// True if every map has a home of its own on `hardware`: without off-chip memory layers have one for all maps while they
/// run.
pub fn maps_have_homes(hardware: &Hardware) -> bool {
    hardware.dram.is_some()
}

/// True if layers may take turns on `hardware`: maps have one on-chip level, and images do not overlap.
pub fn layers_take_turns(hardware: &Hardware) -> bool {
    let one_level = |operand| hardware.levels(operand).count() == 1;
    maps_have_homes(hardware)
        && one_level(Operand::Activations)
        && one_level(Operand::Residual)
        && hardware.images_in_flight() == 1
}

impl FixedMapping {
    /// What it fixes of `workload` on `hardware`.
    ///
    /// # Errors
    /// File and field of what neither of them has, and of what is never possible.
    pub fn on(&self, workload: &Workload, hardware: &Hardware) -> Result<Wishes> {
        let fault = |field: String, message: String| Error::field(&self.path, field, message);
        let placements = &hardware.placements;
        if let Some(placement) = self.spec.timesteps.filter(|p| !placements.contains(p)) {
            let message = format!(
                "{placement:?} is not one of the placements of hardware {}: {placements:?}",
                hardware.name
            );
            return Err(fault("timesteps".to_owned(), message));
        }
        let resolver = Resolver { workload, hardware };
        let known = |name: &str| workload.layers.iter().any(|layer| layer.name == name);
        if let Some(name) = self.spec.layers.names().find(|name| !known(name)) {
            return Err(fault("layers".to_owned(), format!("{name}: no such layer")));
        }
        let wish = |name: &str| {
            let said = self.spec.layers.get(name)?;
            let at = |(field, message)| fault(format!("layers: {name}: {field}"), message);
            Some(resolver.wish(name, said).map_err(at))
        };
        let layers = workload.layers.iter().map(|layer| wish(&layer.name).transpose());
        let mut layers = layers.collect::<Result<Vec<_>>>()?;
        let turns = self.turns(&resolver)?;
        for turns in &turns {
            for wish in &mut layers[turns.range()] {
                *wish = Some(wish.take().unwrap_or_default().in_order(turns.order()).in_turns());
            }
        }
        let (path, timesteps) = (self.path.clone(), self.spec.timesteps);
        let mut wishes = Wishes { path, timesteps, layers, maps: self.maps(&resolver)?, turns };
        wishes.check_passed_on(workload)?;
        let fix_maps = wishes.fix_maps();
        for wish in wishes.layers.iter_mut().flatten() {
            wish.maps_come_later = fix_maps && wish.said.order.is_some();
        }
        Ok(wishes)
    }

    fn maps(&self, resolver: &Resolver) -> Result<Vec<Option<Home>>> {
        let Resolver { workload, hardware } = *resolver;
        let said = &self.spec.maps;
        let fault = |name: &str, message: String| Error::field(&self.path, format!("maps: {name}"), message);
        if let Some(name) = said.names().next().filter(|_| !maps_have_homes(hardware)) {
            return Err(fault(name, resolver.homes_of_layers()));
        }
        let known = |name: &str| workload.maps.iter().any(|map| map.name == name);
        if let Some(name) = said.names().find(|name| !known(name)) {
            return Err(fault(name, "no node of this name yields a map that is stored".to_owned()));
        }
        let home = |name: &str, operand| {
            let home = said.get(name).map(|home| resolver.home_of_map(operand, home));
            home.transpose().map_err(|message| fault(name, message))
        };
        workload.maps.iter().map(|map| home(&map.name, map.operand)).collect()
    }

    fn turns(&self, resolver: &Resolver) -> Result<Vec<Turns>> {
        let mut all: Vec<Turns> = Vec::new();
        for (number, said) in self.spec.turns.iter().enumerate() {
            let fault = |(field, message): (&str, String)| {
                Error::field(&self.path, format!("turns: {number}: {field}"), message)
            };
            let turns = resolver.turns(said).map_err(fault)?;
            let overlaps =
                |other: &&Turns| turns.range().start < other.range().end && other.first < turns.range().end;
            if let Some(other) = all.iter().find(overlaps) {
                let shared = &resolver.workload.layers[turns.first.max(other.first)].name;
                return Err(fault(("layers", format!("{shared} takes turns with others already"))));
            }
            all.push(turns);
        }
        Ok(all)
    }
}

/// Finds what a file names.
struct Resolver<'a> {
    workload: &'a Workload,
    hardware: &'a Hardware,
}

impl Resolver<'_> {
    /// What is `said` of the layer called `name`; a field and what is wrong with it if that is never possible.
    fn wish(&self, name: &str, said: &LayerSpec) -> Result<Wish, (&'static str, String)> {
        let unit = said.unit.as_deref().map(|unit| self.unit(unit)).transpose();
        let unit = unit.map_err(|message| ("unit", message))?;
        let mut home = PerOperand::default();
        for operand in Operand::ALL {
            let Some(wanted) = said.home(operand) else { continue };
            let of_maps = matches!(operand, Operand::Activations | Operand::Residual);
            if of_maps && maps_have_homes(self.hardware) {
                let message = "every map has a home of its own on this machine: say it in `maps`";
                return Err((operand.field(), message.to_owned()));
            }
            home[operand] = Some(self.home(operand, wanted).map_err(|m| (operand.field(), m))?);
        }
        let layer = self.workload.layers.iter().find(|layer| layer.name == name).expect("it was looked for");
        let outputs = layer.outputs();
        let resident_channels = match (home[Operand::Weights], said.resident_channels) {
            (_, Some(channels)) if channels > outputs => {
                let message = format!("{channels} of {outputs} output channels");
                return Err(("resident_channels", message));
            }
            (Some(Home::OnChip(_)), Some(channels)) if channels < outputs => {
                let message =
                    format!("{channels} of {outputs} output channels, where `weights` are all on chip");
                return Err(("resident_channels", message));
            }
            (Some(Home::OnChip(_)), _) => Some(outputs),
            (Some(Home::OffChip), None) => Some(0),
            (_, channels) => channels,
        };
        Ok(Wish { said: said.clone(), unit, home, resident_channels, ..Wish::default() })
    }

    fn unit(&self, name: &str) -> Result<usize, String> {
        let units: Vec<(usize, &str)> =
            self.hardware.product_units().map(|(number, unit)| (number, unit.name())).collect();
        let found = units.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
        let names = || units.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| format!("{name} is none of the units that take products: {}", names()))
    }

    fn home(&self, operand: Operand, wanted: &HomeSpec) -> Result<Home, String> {
        let memories = &self.hardware.memories;
        let levels = || self.hardware.levels(operand).map(|memory| memories[memory].name.as_str());
        match wanted {
            HomeSpec::OffChip if self.hardware.dram.is_some() => Ok(Home::OffChip),
            HomeSpec::OffChip => Err(format!("hardware {} has no dram", self.hardware.name)),
            HomeSpec::OnChip(name) => match levels().zip(0..).find(|(known, _)| known == name) {
                Some((_, level)) => Ok(Home::OnChip(level)),
                None => Err(format!(
                    "{name} holds no {}; what does: {}",
                    operand.describe(),
                    levels().collect::<Vec<_>>().join(", ")
                )),
            },
        }
    }

    /// The home of a map: beside units, in the outermost memory, or off chip.
    fn home_of_map(&self, operand: Operand, wanted: &HomeSpec) -> Result<Home, String> {
        let home = self.home(operand, wanted)?;
        let levels: Vec<usize> = self.hardware.levels(operand).collect();
        match home {
            Home::OnChip(level) if level > 0 && usize::from(level) + 1 < levels.len() => {
                let name = |level: usize| &self.hardware.memories[levels[level]].name;
                let (near, outermost) = (name(0), name(levels.len() - 1));
                let between = name(usize::from(level));
                Err(format!("maps pass {between}: they live in {near}, in {outermost}, or off chip"))
            }
            home => Ok(home),
        }
    }

    fn turns(&self, said: &TurnsSpec) -> Result<Turns, (&'static str, String)> {
        let TurnsSpec { layers, tiles } = said;
        if !maps_have_homes(self.hardware) {
            return Err(("layers", self.homes_of_layers()));
        }
        if !layers_take_turns(self.hardware) {
            let message = "layers take no turns where several images are in flight, or maps have several on-chip levels";
            return Err(("layers", message.to_owned()));
        }
        let names: Vec<&str> = self.workload.layers.iter().map(|layer| layer.name.as_str()).collect();
        let needs_all = |layer: &&Layer| layers.contains(&layer.name) && !layer.is_local();
        if let Some(layer) = self.workload.layers.iter().find(needs_all) {
            return Err((
                "layers",
                format!("{} needs more than some positions of what it reads", layer.name),
            ));
        }
        let first = layers.first().and_then(|name| names.iter().position(|known| known == name));
        let follow = first.is_some_and(|first| {
            layers.len() > 1 && names[first..].iter().take(layers.len()).eq(layers.iter())
        });
        match first.filter(|_| follow) {
            None => {
                let message = "expected two or more layers, in the order in which they follow each other";
                Err(("layers", message.to_owned()))
            }
            Some(_) if *tiles < 2 => Err(("tiles", format!("{tiles} are too few: two or more"))),
            Some(first) => Ok(Turns { first, layers: layers.len(), tiles: *tiles }),
        }
    }

    /// Why maps have no homes.
    fn homes_of_layers(&self) -> String {
        format!(
            "on hardware {} layers have one home for all maps while they run: say it of layers (activations, residual)",
            self.hardware.name
        )
    }
}

impl Wishes {
    /// True if the loop over timesteps may stand at `placement`.
    pub fn allows(&self, placement: Placement) -> bool {
        self.timesteps.is_none_or(|p| p == placement)
    }

    /// What is fixed of layer number `layer`.
    pub(crate) fn layer(&self, layer: usize) -> Option<&Wish> {
        self.layers[layer].as_ref()
    }

    /// Output channels of layer number `layer` whose weights are to stay on chip for good.
    pub fn resident_channels(&self, layer: usize) -> Option<usize> {
        self.layers[layer].as_ref()?.resident_channels
    }

    /// True if something is fixed of the weights that stay.
    pub(crate) fn fix_residents(&self) -> bool {
        (0..self.layers.len()).any(|layer| self.resident_channels(layer).is_some())
    }

    /// The level that all weights of `workload` are to be at, if that is fixed.
    pub(crate) fn weights_home(&self, workload: &Workload) -> Option<Home> {
        let with_weights = self.layers.iter().zip(&workload.layers).filter(|(_, layer)| layer.outputs() > 0);
        let mut homes = with_weights.map(|(wish, _)| wish.as_ref().and_then(|w| w.home[Operand::Weights]));
        let first = homes.next()??;
        homes.all(|home| home == Some(first)).then_some(first)
    }

    /// True if all weights may stay on chip.
    pub(crate) fn let_all_weights_stay(&self, workload: &Workload) -> bool {
        let layers = workload.layers.iter().map(Layer::outputs).enumerate();
        layers.into_iter().all(|(layer, outputs)| self.resident_channels(layer).is_none_or(|n| n == outputs))
    }

    /// True if no weights need stay on chip.
    pub(crate) fn let_no_weights_stay(&self) -> bool {
        (0..self.layers.len()).all(|layer| self.resident_channels(layer).is_none_or(|n| n == 0))
    }

    /// Where `operand` of layer number `layer` is to be.
    pub fn home(&self, layer: usize, operand: Operand) -> Option<Home> {
        self.layers[layer].as_ref()?.home[operand]
    }

    /// True if the order of tiles of layer number `layer` is fixed.
    pub(crate) fn fixes_order(&self, layer: usize) -> bool {
        self.layers[layer].as_ref().is_some_and(|wish| wish.said.order.is_some())
    }

    /// Where map number `map` is to be.
    pub fn map(&self, map: usize) -> Option<Home> {
        self.maps[map]
    }

    /// Layers that are to take turns.
    pub fn turns(&self) -> &[Turns] {
        &self.turns
    }

    /// True if something is fixed of maps, or of layers that take turns because of them.
    pub(crate) fn fix_maps(&self) -> bool {
        !self.turns.is_empty() || self.maps.iter().any(Option::is_some)
    }

    /// Refuses a home for a map of which layers that take turns pass on a tile.
    fn check_passed_on(&self, workload: &Workload) -> Result<()> {
        let passed_on = |&(map, _): &(&Map, &Option<Home>)| self.turns.iter().any(|turns| turns.holds(map));
        let maps = workload.maps.iter().zip(&self.maps).filter(|(_, home)| home.is_some());
        match maps.into_iter().find(passed_on) {
            Some((map, _)) => {
                let message = "layers that take turns (turns) pass on a tile of it at a time";
                Err(self.fault(format!("maps: {}", map.name), message))
            }
            None => Ok(()),
        }
    }

    /// An error of `field`.
    pub fn fault(&self, field: impl Into<String>, message: impl Into<String>) -> Error {
        Error::field(&self.path, field, message)
    }
}

impl Wish {
    /// Where it wants `operand`.
    pub(super) fn home(&self, operand: Operand) -> Option<Home> {
        self.home[operand]
    }

    /// With its tiles in `order`, if no other one is fixed.
    pub(super) fn in_order(mut self, order: Order) -> Self {
        self.said.order.get_or_insert(order);
        self
    }

    /// True if maps get their homes later, so that nothing is wrong if they have none yet.
    pub(super) fn maps_come_later(&self) -> bool {
        self.maps_come_later
    }

    fn in_turns(self) -> Self {
        Self { takes_turns: true, ..self }
    }

    /// `plan` as it wants it, possible or not.
    pub(super) fn forced(&self, plan: &Plan) -> Plan {
        let LayerSpec { dataflow, lanes, channels, order, recompute, .. } = self.said;
        Plan {
            unit: self.unit.unwrap_or(plan.unit),
            dataflow: dataflow.unwrap_or(plan.dataflow),
            lanes: lanes.unwrap_or(plan.lanes),
            channels: channels.unwrap_or(plan.channels),
            order: order.unwrap_or(plan.order),
            recompute: recompute.unwrap_or(plan.recompute),
            ..*plan
        }
    }

    /// All of it but `field`.
    pub(super) fn without(&self, field: &str) -> Self {
        let mut less = self.clone();
        match field {
            "unit" => less.unit = None,
            "dataflow" => less.said.dataflow = None,
            "lanes" => less.said.lanes = None,
            "channels" => less.said.channels = None,
            "order" => less.said.order = None,
            "recompute" => less.said.recompute = None,
            home => {
                let operands = Operand::ALL.into_iter().filter(|&operand| operand.field() == home);
                operands.for_each(|operand| less.home[operand] = None);
            }
        }
        less
    }

    /// True if `plan` computes as it wants; where operands are is another matter.
    pub(super) fn allows(&self, plan: &Plan) -> bool {
        let LayerSpec { dataflow, lanes, channels, order, recompute, .. } = &self.said;
        let suits_turns = !self.takes_turns || plan.dataflow.comes_in_positions();
        suits_turns
            && self.unit.is_none_or(|unit| unit == plan.unit)
            && dataflow.is_none_or(|dataflow| dataflow == plan.dataflow)
            && lanes.is_none_or(|lanes| lanes == plan.lanes)
            && channels.is_none_or(|channels| channels == plan.channels)
            && order.is_none_or(|order| order == plan.order)
            && recompute.is_none_or(|recompute| recompute == plan.recompute)
    }
}
