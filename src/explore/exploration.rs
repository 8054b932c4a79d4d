use serde::Serialize;

use super::constraint::Constraint;
use super::effects::{Effect, effect};
use super::figure::{Figure, Figures};
use super::front::front;
use super::machines::machines;
use super::provenance::Provenance;
use super::sample::Sample;
use super::space::Space;
use crate::error::Result;
use crate::hw::Axis;

/// What came of a point.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The point was evaluated.
    Evaluated(Box<Figures>),
    /// The machine makes no sense, or cannot run the network at the setting.
    Refused(Box<str>),
}

/// Everything that an exploration found out. Points stand machine by machine, of each network by network, of each setting
/// by setting.
#[derive(Debug, Clone)]
pub struct Exploration {
    /// What was asked for.
    pub space: Space,
    /// What it was made of.
    pub provenance: Provenance,
    /// Names of the networks.
    pub networks: Vec<String>,
    /// Names of the settings.
    pub settings: Vec<String>,
    /// Axes of machines: `hardware`, `table`, and the parameters.
    pub axes: Vec<Axis>,
    /// What stands for all machines, if not all were evaluated.
    pub sample: Option<Sample>,
    /// Machines of the whole space.
    pub all_machines: u64,
    /// Machines that were evaluated, by their numbers.
    pub machines: Vec<u64>,
    /// Outcome of every point.
    pub outcomes: Vec<Outcome>,
    /// Fronts of each network: of one objective where there are no more, and of every two and three objectives.
    pub fronts: Vec<FrontOf>,
}

/// What points are called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Names of the networks.
    pub networks: Vec<String>,
    /// Names of the settings.
    pub settings: Vec<String>,
}

/// Where a point is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Per axis of machines.
    pub levels: Vec<usize>,
    /// Number of the network.
    pub network: usize,
    /// Number of the setting.
    pub setting: usize,
}

/// A front: the points of a network that keep all constraints, and that no other beats in some objectives.
#[derive(Debug, Clone, PartialEq)]
pub struct FrontOf {
    /// Number of the network.
    pub network: usize,
    /// The objectives.
    pub figures: Vec<Figure>,
    /// Numbers of the points, the best in the first objective first.
    pub points: Vec<usize>,
}

/// The point that comes closest to keeping the constraints.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    /// Number of the point.
    pub point: usize,
    /// Limits that it exceeds, in words.
    pub exceeded: Vec<String>,
}

impl Exploration {
    /// The exploration of `space`; `outcomes` are those of all points, in order.
    ///
    /// # Errors
    /// If there are too many points.
    pub(crate) fn new(
        space: Space,
        provenance: Provenance,
        Names { networks, settings }: Names,
        sample: Option<Sample>,
        outcomes: Vec<Outcome>,
    ) -> Result<Self> {
        let axes = space.machines.axes();
        let numbered = Axis::numbered(&axes);
        let machines = machines(&space, &numbered, sample)?;
        let all_machines = numbered.count() as u64;
        let fronts = Vec::new();
        let found = Self {
            space,
            provenance,
            networks,
            settings,
            axes,
            sample,
            all_machines,
            machines,
            outcomes,
            fronts,
        };
        Ok(Self { fronts: found.all_fronts(), ..found })
    }

    /// Where point number `point` is.
    pub fn place(&self, point: usize) -> Place {
        let of_machine = self.networks.len() * self.settings.len();
        let (machine, rest) = (point / of_machine, point % of_machine);
        Place {
            levels: Axis::numbered(&self.axes).levels(self.machines[machine]),
            network: rest / self.settings.len(),
            setting: rest % self.settings.len(),
        }
    }

    /// Figures of point number `point`, if it was evaluated.
    pub fn figures(&self, point: usize) -> Option<&Figures> {
        match &self.outcomes[point] {
            Outcome::Evaluated(figures) => Some(figures),
            Outcome::Refused(_) => None,
        }
    }

    /// Limits that `figures` exceed, in words.
    pub fn exceeded(&self, figures: &Figures) -> Vec<String> {
        let of = |constraint: &Constraint| {
            constraint.excess(figures)?;
            let value = constraint.figure.of(figures);
            let value = if value.is_nan() { "not known".to_owned() } else { format!("{value:?}") };
            Some(format!("{constraint}: {value}"))
        };
        self.space.constraints.iter().filter_map(of).collect()
    }

    /// Whether `figures` keep all constraints, and have all objectives.
    pub fn meets(&self, figures: &Figures) -> bool {
        self.space.constraints.iter().all(|constraint| constraint.excess(figures).is_none())
            && self.space.objectives.iter().all(|objective| !objective.of(figures).is_nan())
    }

    /// Numbers of the evaluated points of `network`, with their figures.
    pub fn of_network(&self, network: usize) -> impl Iterator<Item = (usize, &Figures)> {
        let settings = self.settings.len();
        let is_here = move |point: &usize| point / settings % self.networks.len() == network;
        (0..self.outcomes.len()).filter(is_here).filter_map(|point| Some((point, self.figures(point)?)))
    }

    fn all_fronts(&self) -> Vec<FrontOf> {
        let objectives = &self.space.objectives;
        let mut sets: Vec<Vec<Figure>> = Vec::new();
        if let [only] = objectives[..] {
            sets.push(vec![only]);
        }
        for (i, &a) in objectives.iter().enumerate() {
            sets.extend(objectives[i + 1..].iter().map(|&b| vec![a, b]));
        }
        for (i, &a) in objectives.iter().enumerate() {
            for (j, &b) in objectives.iter().enumerate().skip(i + 1) {
                sets.extend(objectives[j + 1..].iter().map(|&c| vec![a, b, c]));
            }
        }
        let of = |network: usize| sets.iter().map(move |set| self.front_of(network, set.clone()));
        (0..self.networks.len()).flat_map(of).collect()
    }

    fn front_of(&self, network: usize, figures: Vec<Figure>) -> FrontOf {
        let good: Vec<(usize, &Figures)> = self.of_network(network).filter(|(_, f)| self.meets(f)).collect();
        let costs: Vec<Vec<f64>> =
            good.iter().map(|(_, f)| figures.iter().map(|figure| figure.cost(f)).collect()).collect();
        let mut front = front(&costs);
        front.sort_by(|&i, &j| costs[i][0].total_cmp(&costs[j][0]).then(i.cmp(&j)));
        FrontOf { network, points: front.into_iter().map(|i| good[i].0).collect(), figures }
    }

    /// What each axis with several levels has to do with `figure` of `network`, over all evaluated points.
    pub fn effects(&self, network: usize, figure: Figure) -> Vec<Effect> {
        let points: Vec<(Place, f64)> = self
            .of_network(network)
            .map(|(point, figures)| (self.place(point), figure.of(figures)))
            .filter(|(_, value)| !value.is_nan())
            .collect();
        let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
        let of = |name: &str, labels: &[String], level: &dyn Fn(&Place) -> usize| {
            let levels: Vec<usize> = points.iter().map(|(place, _)| level(place)).collect();
            (labels.len() > 1 && !points.is_empty())
                .then(|| effect(name, labels, &levels, &values, !figure.is_share()))
        };
        let machines = self.axes.iter().enumerate();
        let machines =
            machines.filter_map(|(i, axis)| of(&axis.name, &axis.levels, &|place| place.levels[i]));
        machines.chain(of("setting", &self.settings, &|place| place.setting)).collect()
    }

    /// The best point of `network` in `objective`, of those on the first front that has it; `None` where none keeps all
    /// constraints.
    pub fn best(&self, network: usize, objective: Figure) -> Option<usize> {
        let has = |front: &&FrontOf| front.network == network && front.figures.contains(&objective);
        let front = self.fronts.iter().find(has)?;
        let cost = |point: &usize| self.figures(*point).map_or(f64::NAN, |figures| objective.cost(figures));
        front.points.iter().copied().min_by(|a, b| cost(a).total_cmp(&cost(b)))
    }

    /// Whether some point of `network` keeps all constraints.
    pub fn is_met(&self, network: usize) -> bool {
        self.of_network(network).any(|(_, figures)| self.meets(figures))
    }

    /// The point of `network` whose limits are exceeded the least, added up; `None` where none was evaluated.
    pub fn nearest(&self, network: usize) -> Option<Nearest> {
        let excess = |figures: &Figures| {
            self.space.constraints.iter().filter_map(|constraint| constraint.excess(figures)).sum::<f64>()
        };
        let (point, figures) = self.of_network(network).min_by(|a, b| excess(a.1).total_cmp(&excess(b.1)))?;
        Some(Nearest { point, exceeded: self.exceeded(figures) })
    }

    /// Why the first point that was refused was.
    pub fn first_refusal(&self) -> Option<&str> {
        self.outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Refused(why) => Some(&**why),
            Outcome::Evaluated(_) => None,
        })
    }

    /// How many points were refused.
    pub fn refused(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Refused(_))).count()
    }

    /// The machine of a point as `--hw` takes it.
    pub fn hardware(&self, place: &Place) -> String {
        self.space.machines.spec(&self.axes, &place.levels)
    }
}
