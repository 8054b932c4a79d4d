use super::table::Table;
use crate::search::{Engine, Granularity, Quantizer, Stop, Strategy};

/// Batches per entry of the table.
const BATCHES: usize = 2;
/// Steps of gradient descent.
const STEPS: usize = 400;
/// Temperature of the first and of the last step.
const TEMPERATURES: [f64; 2] = [2.0, 0.1];
/// Learning rate.
const RATE: f64 = 0.5;
/// Weights of cost against loss that are tried, each halving the interval of the right one.
const WEIGHTS: usize = 10;

/// SpikeHQ: every layer chooses uniform or power of two and its bits by a relaxed choice, annealed from
/// soft to hard with Gumbel noise (Jang et al., 2017), under loss and hardware cost. The paper trains
/// through the network; here the loss is the table of single changes, and the weight of the cost is found
/// by testing.
pub struct SpikeHq {
    /// With scales per channel, membranes, and sequential tests.
    pub accelerated: bool,
}

impl Strategy for SpikeHq {
    fn name(&self) -> &'static str {
        if self.accelerated { "spikehq accelerated" } else { "spikehq" }
    }

    fn quantizer(&self) -> Quantizer {
        if self.accelerated { Quantizer::PerChannel } else { Quantizer::Hybrid }
    }

    fn is_random(&self) -> bool {
        true
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        let knobs = engine.space.knobs(Granularity::Tensor);
        let table = Table::measure(engine, knobs, BATCHES)?;
        // Nats per unit of cost: from hardly any loss to any.
        let (mut low, mut high) = (1e-5f64.ln(), 1e3f64.ln());
        for _ in 0..WEIGHTS {
            let middle = (low + high) / 2.0;
            let levels = relax(engine, &table, middle.exp());
            if engine.test(&table.candidate(&levels))?.within {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(())
    }
}

/// Minimises loss + `weight` x cost over relaxed choices; returns the likeliest levels.
fn relax(engine: &mut Engine, table: &Table, weight: f64) -> Vec<usize> {
    let choose = |(losses, costs): (&Vec<f64>, &Vec<f64>)| {
        let values: Vec<f64> = losses.iter().zip(costs).map(|(loss, cost)| loss + weight * cost).collect();
        anneal(&values, &mut || -(-engine.unit().ln()).ln())
    };
    table.losses.iter().zip(&table.costs).map(choose).collect()
}

/// Gradient descent on the expected value of a choice: p = softmax((x + g) / t), g Gumbel noise.
fn anneal(values: &[f64], gumbel: &mut dyn FnMut() -> f64) -> usize {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let (least, most) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), v| (l.min(v), m.max(v)));
    // Values between 0 and 1: the rate then means the same for all layers; what is refused is the worst.
    let scaled: Vec<f64> = values
        .iter()
        .map(|v| if v.is_finite() { (v - least) / (most - least).max(1e-12) } else { 2.0 })
        .collect();
    let mut logits = vec![0.0; values.len()];
    for step in 0..STEPS {
        let part = step as f64 / (STEPS - 1) as f64;
        let temperature = TEMPERATURES[0] * (TEMPERATURES[1] / TEMPERATURES[0]).powf(part);
        let noisy: Vec<f64> = logits.iter().map(|x| (x + gumbel()) / temperature).collect();
        let largest = noisy.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = noisy.iter().map(|x| (x - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let expected: f64 = powers.iter().zip(&scaled).map(|(p, v)| p / sum * v).sum();
        for ((logit, power), value) in logits.iter_mut().zip(&powers).zip(&scaled) {
            *logit -= RATE * power / sum * (value - expected) / temperature;
        }
    }
    let likeliest = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]).then(b.cmp(&a)));
    likeliest.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annealing_without_noise_finds_the_least() {
        assert_eq!(anneal(&[3.0, 1.0, 2.0, f64::INFINITY], &mut || 0.0), 1);
        assert_eq!(anneal(&[5.0], &mut || 0.0), 0);
    }
}
