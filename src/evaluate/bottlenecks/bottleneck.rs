//! A layer that costs much, why it does, and a change that would help it.

use std::fmt;

use serde::Serialize;

/// A layer that is among those that weigh most in energy times latency.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bottleneck {
    /// Name of the layer.
    pub layer: String,
    /// Share of the layer in the energy of the network, leakage included.
    pub energy_share: f64,
    /// Share of the layer in the cycles of the network.
    pub cycles_share: f64,
    /// What draws most of its energy.
    pub energy_cause: Cause,
    /// What takes most of its cycles.
    pub cycles_cause: Cause,
    /// Changes that were charged for, in words.
    pub tried: Vec<String>,
    /// The one of them that helps the layer most, if one does without harm to the network.
    pub remedy: Option<Remedy>,
}

/// The largest part of what a layer costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// The part, as columns of reports call it.
    pub part: &'static str,
    /// Share of the part in the layer's total.
    pub share: f64,
    /// The cause in words.
    pub words: String,
}

/// A change of the machine, or of a layer's bits, and what it does: the network was mapped and charged again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remedy {
    /// The change, in words.
    pub change: String,
    /// What becomes of the layer.
    pub layer: Effect,
    /// What becomes of the network.
    pub network: Effect,
    /// Area that it adds, mm2; absent where the description does not give enough to know it.
    pub area_mm2: Option<f64>,
}

/// Costs after a change, as multiples of those before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effect {
    /// Energy after the change over energy before, leakage included.
    pub energy_ratio: f64,
    /// Cycles after the change over cycles before.
    pub cycles_ratio: f64,
}

impl Bottleneck {
    /// Name and shares, without what would help.
    pub fn finding(&self) -> String {
        let Self { layer, energy_share, cycles_share, energy_cause, cycles_cause, .. } = self;
        format!(
            "{layer}: {} of the energy, mostly {} ({}); {} of the cycles, mostly {} ({})",
            percent(*energy_share),
            energy_cause.words,
            percent(energy_cause.share),
            percent(*cycles_share),
            cycles_cause.words,
            percent(cycles_cause.share),
        )
    }

    /// What would help, or what does not.
    pub fn advice(&self) -> String {
        match (&self.remedy, &self.tried[..]) {
            (Some(remedy), _) => remedy.to_string(),
            (None, []) => "no change of the machine that is tried here is about this".to_owned(),
            (None, tried) => format!("none of these helps: {}", tried.join(", ")),
        }
    }
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.finding(), self.advice())
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, layer, network, area_mm2 } = self;
        write!(f, "with {change}: {layer}; the network {network}")?;
        match area_mm2 {
            Some(area) if *area > 0.0005 => write!(f, "; {area:.3} mm2 more"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cycles = match self.cycles_ratio {
            0.0 => "no cycles".to_owned(),
            ratio if ratio <= 0.5 => format!("{:.1} times faster", 1.0 / ratio),
            ratio => changed(ratio, "fewer cycles", "more cycles", "cycles"),
        };
        write!(f, "{}, {cycles}", changed(self.energy_ratio, "less energy", "more energy", "energy"))
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// A ratio in words; what changes by less than half a per cent stays as it is.
fn changed(ratio: f64, less: &str, more: &str, what: &str) -> String {
    match 100.0 * (1.0 - ratio) {
        saved if saved >= 0.5 => format!("{saved:.0} % {less}"),
        saved if saved <= -0.5 => format!("{:.0} % {more}", -saved),
        _ => format!("as much {what}").replace("much cycles", "many cycles"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bottleneck() -> Bottleneck {
        let cause = |part, share, words: &str| Cause { part, share, words: words.to_owned() };
        Bottleneck {
            layer: "head".to_owned(),
            energy_share: 0.25,
            cycles_share: 0.1,
            energy_cause: cause("dram", 0.5, "weights from DRAM"),
            cycles_cause: cause("under_utilisation", 0.75, "lanes without work"),
            tried: vec!["twice the bus".to_owned(), "more lanes".to_owned()],
            remedy: None,
        }
    }

    #[test]
    fn sentences_say_cause_and_remedy() {
        let found = "head: 25 % of the energy, mostly weights from DRAM (50 %); 10 % of the cycles, mostly lanes \
                     without work (75 %)";
        let mut bottleneck = bottleneck();
        assert_eq!(
            bottleneck.to_string(),
            format!("{found}. none of these helps: twice the bus, more lanes")
        );
        bottleneck.remedy = Some(Remedy {
            change: "twice the bus".to_owned(),
            layer: Effect { energy_ratio: 0.7, cycles_ratio: 0.025 },
            network: Effect { energy_ratio: 1.02, cycles_ratio: 0.999 },
            area_mm2: Some(0.25),
        });
        let advice = "with twice the bus: 30 % less energy, 40.0 times faster; the network 2 % more energy, as many \
                      cycles; 0.250 mm2 more";
        assert_eq!(bottleneck.advice(), advice);
    }
}
