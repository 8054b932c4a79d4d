//! The machines that a search chooses among, or the one that it is for.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use crate::cost::Machine;
use crate::error::{Error, Result};
use crate::hw::{Axis, Change, Description, MachineSpace};

/// Most machines: every setting that keeps the accuracy is charged on all of them.
const MAX_MACHINES: u128 = 10_000;

/// Machines by their numbers.
#[derive(Debug)]
pub struct Machines {
    machines: Vec<Machine>,
    /// Levels of each machine on the axes of the space; none of a machine that is given.
    levels: Vec<Vec<usize>>,
    space: Option<Described>,
}

/// A space with what it takes to write its machines.
#[derive(Debug)]
struct Described {
    space: MachineSpace,
    axes: Vec<Axis>,
    descriptions: Vec<Description>,
}

/// The machine of a setting that was found, of several.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FoundMachine {
    /// The machine as `--hw` takes it.
    pub hardware: String,
    /// What varies, by name.
    pub parameters: BTreeMap<String, String>,
    /// Text of its description.
    #[serde(skip)]
    pub text: String,
}

impl Described {
    fn changes(&self, levels: &[usize]) -> Vec<Change> {
        self.space.changes(&self.axes, levels)
    }

    fn machine(&self, levels: &[usize]) -> Result<Machine> {
        let (hardware, _) = self.descriptions[levels[0]].changed(&self.changes(levels))?;
        Machine::new(hardware)
    }
}

impl Machines {
    /// The machine that is given.
    pub fn one(machine: Machine) -> Self {
        Self { machines: vec![machine], levels: vec![Vec::new()], space: None }
    }

    /// All machines of a checked `space`; those that make no sense are left out.
    ///
    /// # Errors
    /// If there are too many, none makes sense, or a parameter is no field of a machine.
    pub fn of(space: &MachineSpace) -> Result<Self> {
        let axes = space.axes();
        let numbered = Axis::numbered(&axes);
        let count = numbered.count();
        if count > MAX_MACHINES {
            return Err(Error::mismatch(format!(
                "{count} machines are more than {MAX_MACHINES}, on all of which a search charges what it finds"
            )));
        }
        let described = Described { space: space.clone(), axes, descriptions: space.descriptions()? };
        let make = |number: u64| {
            let levels = numbered.levels(number);
            described.machine(&levels).map(|machine| (machine, levels))
        };
        let made: Vec<Result<(Machine, Vec<usize>)>> = (0..count as u64).into_par_iter().map(make).collect();
        let mut refusal = None;
        let (mut machines, mut kept) = (Vec::new(), Vec::new());
        for one in made {
            match one {
                Ok((machine, levels)) => {
                    machines.push(machine);
                    kept.push(levels);
                }
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match refusal {
            Some(error) if machines.is_empty() => Err(error),
            _ => Ok(Self { machines, levels: kept, space: Some(described) }),
        }
    }

    /// The machines, by their numbers.
    pub fn all(&self) -> &[Machine] {
        &self.machines
    }

    /// Levels of each machine on the axes of the space.
    pub(super) fn levels(&self) -> &[Vec<usize>] {
        &self.levels
    }

    /// What reports call them.
    pub(super) fn name(&self) -> String {
        match &self.space {
            None => self.machines[0].hardware.name.clone(),
            Some(Described { space, .. }) => {
                format!("one of {} machines: {}", self.machines.len(), space.hardware.join(", "))
            }
        }
    }

    /// What is reported of machine number `machine`; nothing of one that is given.
    ///
    /// # Errors
    /// If its description cannot be read.
    pub(super) fn found(&self, machine: usize) -> Result<Option<FoundMachine>> {
        let Some(described) = &self.space else { return Ok(None) };
        let Described { space, axes, descriptions } = described;
        let levels = &self.levels[machine];
        let varies = axes.iter().zip(levels).filter(|(axis, _)| axis.levels.len() > 1);
        Ok(Some(FoundMachine {
            hardware: space.spec(axes, levels),
            parameters: varies
                .map(|(axis, &level)| (axis.name.clone(), axis.levels[level].clone()))
                .collect(),
            text: descriptions[levels[0]].text_with(&described.changes(levels))?,
        }))
    }
}
