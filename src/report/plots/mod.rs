//! The pictures of a report, each as SVG and as PNG.

mod axis;
mod backend;
mod bars;
mod comparison;
mod exploration;
mod figures;
mod font;
mod heat_map;
mod labels;
mod lines;
mod palette;
mod scatter;
mod scene;
mod search;
mod sensitivity;

use self::scene::Scene;
use super::file::File;
use crate::error::Result;
use crate::evaluate::{Comparison, Simulation};
use crate::explore::Exploration;
use crate::search::Search;
use crate::sensitivity::Sensitivities;

/// One rendered picture.
struct Picture {
    /// File name without its ending.
    stem: String,
    /// The text of the SVG file.
    svg: String,
    /// The bytes of the PNG file, twice the SVG's size.
    png: Vec<u8>,
}

/// The pictures of a report: every figure of [`figures::FIGURES`] that has something to show.
///
/// # Errors
/// If a renderer fails, as in each function of a command.
pub(super) fn of_simulation(simulation: &Simulation) -> Result<Vec<File>> {
    files(scenes(simulation))
}

/// The pictures of a comparison of machines.
pub(super) fn of_comparison(machines: &Comparison) -> Result<Vec<File>> {
    files(comparison::scenes(machines))
}

/// The pictures of a search: fronts, its trace, and the bits of the best setting.
pub(super) fn of_search(found: &Search) -> Result<Vec<File>> {
    files(search::scenes(found))
}

/// The pictures of an exploration: fronts, and what decides each objective.
pub(super) fn of_exploration(found: &Exploration) -> Result<Vec<File>> {
    files(exploration::scenes(found, &found.fronts))
}

/// The pictures of sensitivities: drops of accuracy, and how measures rank layers.
pub(super) fn of_sensitivities(found: &Sensitivities) -> Result<Vec<File>> {
    files(sensitivity::scenes(found))
}

fn scenes(simulation: &Simulation) -> impl Iterator<Item = (&'static str, Scene)> {
    let shown = figures::FIGURES.iter().filter(|figure| (figure.has_data)(simulation));
    shown.map(|figure| (figure.stem, (figure.draw)(simulation)))
}

/// Paths and bytes of both files of each picture.
fn files<S: Into<String>>(scenes: impl IntoIterator<Item = (S, Scene)>) -> Result<Vec<File>> {
    let both = |Picture { stem, svg, png }| {
        [(format!("plots/{stem}.svg"), svg.into_bytes()), (format!("plots/{stem}.png"), png)]
    };
    Ok(draw(scenes)?.into_iter().flat_map(both).collect())
}

/// Renders scenes by the names of their files.
fn draw<S: Into<String>>(scenes: impl IntoIterator<Item = (S, Scene)>) -> Result<Vec<Picture>> {
    let draw = |(stem, scene): (S, Scene)| {
        let stem = stem.into();
        Ok(Picture { svg: backend::svg(&scene, &stem)?, png: backend::png(&scene, &stem)?, stem })
    };
    scenes.into_iter().map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::cost::{Cycles, EnergyJ};

    fn render(simulation: &Simulation) -> Vec<Picture> {
        draw(scenes(simulation)).unwrap()
    }

    fn decode(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        (info.width, info.height, pixels)
    }

    /// Simulations that leave an axis without a range, a chart without bars, or little room.
    fn degenerate() -> Vec<Simulation> {
        let mut zero = fixture::simulation(3, 4);
        for setting in &mut zero.settings {
            (setting.energy_j, setting.cycles, setting.leakage_j) = Default::default();
            (setting.footprint_bytes, setting.power_w, setting.accuracy) =
                (Default::default(), 0.0, Some(0.0));
            for layer in &mut setting.layers {
                (layer.energy_j, layer.cycles, layer.leakage_j) =
                    (EnergyJ::default(), Cycles::default(), 0.0);
            }
        }
        let mut same = fixture::simulation(40, 1);
        let first = same.settings[0].clone();
        for setting in &mut same.settings {
            *setting = crate::evaluate::Evaluation { name: setting.name.clone(), ..first.clone() };
        }
        let mut long = fixture::simulation(2, 3);
        long.model.name = "m".repeat(200);
        long.settings[1].name = "a very long name of a setting ".repeat(8);
        long.settings[1].layers[0].name = "block.".repeat(40);
        let empty = [(0, 0), (1, 0), (1, 1), (2, 2), (40, 20), (8, 220)];
        let empty = empty.iter().map(|&(settings, layers)| fixture::simulation(settings, layers));
        empty.chain([zero, same, long, fixture::expected(3, 4)]).collect()
    }

    fn overlap(a: [f64; 4], b: [f64; 4]) -> bool {
        a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
    }

    fn assert_readable(scene: &Scene, what: &str) {
        let boxes = scene.text_boxes();
        for (index, (text, a)) in boxes.iter().enumerate() {
            let inside = a[0] >= 0.0 && a[1] >= 0.0 && a[2] <= scene.width && a[3] <= scene.height;
            assert!(inside, "{what}: `{text}` is clipped: {a:?}");
            for (other, b) in &boxes[..index] {
                assert!(!overlap(*a, *b), "{what}: `{text}` covers `{other}`: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn no_text_is_clipped_or_covered() {
        for (index, simulation) in degenerate().iter().chain([&fixture::simulation(8, 22)]).enumerate() {
            for figure in figures::FIGURES {
                assert_readable(&(figure.draw)(simulation), &format!("{} of case {index}", figure.stem));
            }
        }
    }

    #[test]
    fn every_degenerate_figure_renders() {
        for simulation in degenerate() {
            let drawn = figures::FIGURES.iter().filter(|figure| (figure.has_data)(&simulation)).count();
            assert_eq!(render(&simulation).len(), drawn);
        }
    }

    /// A picture without a point says nothing.
    #[test]
    fn without_images_no_accuracy_is_drawn() {
        let stems: Vec<_> =
            render(&fixture::expected(2, 3)).iter().map(|picture| picture.stem.clone()).collect();
        assert_eq!(stems, ["energy_per_layer", "cycles_per_layer", "footprint", "energy", "power"]);
    }

    #[test]
    fn many_layers_are_drawn_where_all_are_asked_for() {
        let mut simulation = fixture::simulation(1, 120);
        let height = |simulation: &Simulation| (figures::FIGURES[0].draw)(simulation).height;
        assert!(height(&simulation) < 1000.0);
        simulation.presentation.all_layers = true;
        assert!(height(&simulation) > 2000.0);
    }

    #[test]
    fn png_has_the_size_of_its_scene_and_is_not_blank() {
        let simulation = fixture::simulation(8, 20);
        for (figure, picture) in figures::FIGURES.iter().zip(render(&simulation)) {
            let scene = (figure.draw)(&simulation);
            let (width, height, pixels) = decode(&picture.png);
            assert_eq!((width, height), (2 * scene.width as u32, 2 * scene.height as u32));
            assert_eq!(pixels.len(), (width * height * 3) as usize);
            let inked = pixels.iter().filter(|&&byte| byte < 128).count();
            assert!(inked > 5000, "{}: {inked}", picture.stem);
        }
    }

    #[test]
    fn svg_names_its_axes_units_and_settings() {
        let simulation = fixture::simulation(8, 20);
        let pictures = render(&simulation);
        let svg = |stem: &str| pictures.iter().find(|p| p.stem == stem).unwrap().svg.as_str();
        for (stem, words) in [
            ("energy_per_layer", ["Energy per inference (µJ)", "Layer", "w4"]),
            ("cycles_per_layer", ["Cycles per inference (kcycles)", "Layer", "imbalance"]),
            ("footprint", ["Footprint (KiB", "Setting", "membranes"]),
            ("energy", ["Energy per inference (µJ", "Setting", "leakage"]),
            ("accuracy_footprint", ["Footprint (KiB", "Accuracy (%)", "w4u8"]),
            ("accuracy_energy", ["Energy per inference (µJ", "Accuracy (%)", "pot3"]),
            ("power", ["Average power (mW", "Setting", "mixed"]),
        ] {
            for word in words {
                assert!(svg(stem).contains(word), "{stem}: {word}");
            }
        }
        assert!(!svg("cycles_per_layer").contains("DRAM stall"), "a cause without cycles is in the legend");
    }
}
