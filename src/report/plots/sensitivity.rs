//! The pictures of `spiq sensitivity`.

use super::heat_map::HeatMap;
use super::scene::Scene;
use crate::sensitivity::Sensitivities;

/// Name and scene of the accuracy drop of every layer, and of how well the measures foretell it.
pub(super) fn scenes(found: &Sensitivities) -> [(&'static str, Scene); 2] {
    [("accuracy_drops", drops(found)), ("rank_correlations", correlations(found))]
}

fn subtitle(found: &Sensitivities) -> String {
    let Sensitivities { model, data, base, images, .. } = found;
    format!("{model}, one layer changed from {base}, {images} validation images of {data}")
}

fn drops(found: &Sensitivities) -> Scene {
    let choices = found.choices.len().max(1);
    let layers: Vec<_> = found.candidates.chunks(choices).collect();
    let percent = |drop: f64| 100.0 * drop;
    let largest = found.candidates.iter().map(|c| percent(c.accuracy_drop)).fold(0.0, f64::max);
    let map = HeatMap {
        title: "Accuracy drop of one quantized layer (points)".to_owned(),
        subtitle: subtitle(found),
        rows: layers.iter().map(|layer| layer[0].layer.as_str()).collect(),
        columns: found.choices.iter().map(String::as_str).collect(),
        values: layers
            .iter()
            .map(|layer| layer.iter().map(|c| Some(percent(c.accuracy_drop))).collect())
            .collect(),
        full: if largest > 0.0 { largest } else { 1.0 },
        decimals: 2,
    };
    map.scene()
}

fn correlations(found: &Sensitivities) -> Scene {
    let columns = std::iter::once("all").chain(found.choices.iter().map(String::as_str));
    let map = HeatMap {
        title: "Rank correlation of each measure with the accuracy drop".to_owned(),
        subtitle: subtitle(found),
        rows: found.measures.iter().map(|measure| measure.name.as_str()).collect(),
        columns: columns.collect(),
        values: found
            .measures
            .iter()
            .map(|m| std::iter::once(m.correlation).chain(m.correlation_by_choice.iter().copied()).collect())
            .collect(),
        full: 1.0,
        decimals: 2,
    };
    map.scene()
}

#[cfg(test)]
mod tests {
    use super::super::draw;
    use super::*;
    use crate::sensitivity::{MeasureSummary, MeasuredCandidate};

    fn found(layers: usize, choices: usize) -> Sensitivities {
        let measure = |name: &str, correlation| MeasureSummary {
            name: name.to_owned(),
            correlation,
            correlation_by_choice: vec![Some(-0.4); choices],
            seconds: 1.0,
        };
        let candidate = |i: usize| MeasuredCandidate {
            layer: format!("block.{}.a_rather_long_name_of_a_convolution", i / choices),
            choice: i % choices,
            accuracy_drop: i as f64 / 100.0,
            figures: vec![0.0; 2],
        };
        Sensitivities {
            model: "m".to_owned(),
            data: "d".to_owned(),
            base: "w8".to_owned(),
            images: 10,
            base_accuracy: 0.9,
            accuracy_seconds: 1.0,
            choices: (0..choices).map(|i| format!("w{i}")).collect(),
            candidates: (0..layers * choices).map(candidate).collect(),
            measures: vec![measure("weight error", Some(0.75)), measure("drift", None)],
        }
    }

    #[test]
    fn pictures_say_what_they_show() {
        let pictures = draw(scenes(&found(3, 2))).unwrap();
        let svg = |i: usize| &pictures[i].svg;
        // The last layer at the second choice drops by 5 points.
        for word in ["Accuracy drop", "block.2.a_rather", "w1", "5.00"] {
            assert!(svg(0).contains(word), "{word}");
        }
        for word in ["weight error", "0.75", "-0.40", "all", "w8"] {
            assert!(svg(1).contains(word), "{word}");
        }
    }

    #[test]
    fn nothing_and_much_can_be_drawn() {
        for (layers, choices) in [(0, 1), (1, 1), (120, 9)] {
            let found = found(layers, choices);
            for scene in [drops(&found), correlations(&found)] {
                let inside = |b: [f64; 4]| b[0] >= 0.0 && b[2] <= scene.width && b[3] <= scene.height;
                assert!(scene.text_boxes().iter().all(|(_, bounds)| inside(*bounds)), "{layers} {choices}");
            }
            assert_eq!(draw(scenes(&found)).unwrap().len(), 2);
        }
    }
}
