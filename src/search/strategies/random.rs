use crate::search::{Engine, Part, Quantizer, Stop, Strategy};

/// Draws without success after which the space is taken to hold nothing cheaper.
const DRAWS: usize = 200;

/// Random settings; one is run if it costs less than the best so far.
///
/// A draw first draws how narrow its weights and membranes may be: with every level equally likely in
/// every layer, some layer would nearly always be too narrow.
pub struct Random;

impl Strategy for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn quantizer(&self) -> Quantizer {
        Quantizer::PerChannel
    }

    fn is_random(&self) -> bool {
        true
    }

    fn run(&self, engine: &mut Engine) -> Result<(), Stop> {
        engine.test(&engine.space.widest())?;
        engine.look_around(&engine.space.widest())?;
        let knobs = engine.knobs();
        let mut draws = 0;
        while draws < DRAWS {
            let narrowest = [Part::Weights, Part::Membranes].map(|part| engine.space.levels(part));
            let narrowest = narrowest.map(|levels| 1 + engine.below(levels));
            let mut candidate = engine.space.widest();
            for knob in &knobs {
                let level = engine.below(narrowest[knob.part as usize]);
                candidate = candidate.with(knob, level);
            }
            let candidate = engine.placed(vec![candidate])?.remove(0);
            let least = engine.best().map_or(f64::INFINITY, |(_, cost)| cost);
            draws += 1;
            if engine.cost(&candidate)? < least {
                draws = 0;
                engine.test(&candidate)?;
            }
        }
        Ok(())
    }
}
