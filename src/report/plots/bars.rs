//! Horizontal bars, stacked where there is more than one series: a line of text names each bar
//! in full, however many there are.

use super::super::units::{Scale, decimals, fixed};
use super::axis::Axis;
use super::font;
use super::palette::{Colour, INK, WHITE};
use super::scene::{Align, HEAD, LABEL, MARGIN, Mark, Scene, WIDTH};

/// Pixels of axis texts and title under the bars.
const FOOT: f64 = 58.0;
/// Pixels between two lines of the legend.
const LEGEND_PITCH: f64 = 20.0;
/// Widest name of a bar, pixels.
const NAME_LIMIT: f64 = 260.0;
/// Bars from which on the axis is repeated above them.
const TALL: usize = 30;

/// One part of every bar.
pub(super) struct Series {
    /// Name of the series in the legend.
    pub label: &'static str,
    /// Colour of the series.
    pub colour: Colour,
    /// One value per bar, in base units.
    pub values: Vec<f64>,
}

/// What to draw.
pub(super) struct Bars {
    /// Title of the figure.
    pub title: String,
    /// Second line of the title.
    pub subtitle: String,
    /// What a bar is: `Layer`, `Setting`.
    pub category: &'static str,
    /// What its length is; the unit is added.
    pub quantity: &'static str,
    /// Unit for the longest bar.
    pub scale: fn(f64) -> Scale,
    /// Name of each bar, from top to bottom.
    pub names: Vec<String>,
    /// Parts of the bars, from left to right.
    pub series: Vec<Series>,
}

/// Where everything goes, in pixels.
struct Layout {
    left: f64,
    right: f64,
    legend: f64,
    top: f64,
    pitch: f64,
    height: f64,
}

/// How often longer than all others a bar is that is cut, so that those can be read.
const FAR_LONGER: f64 = 2.5;

impl Bars {
    /// The `most` longest bars in their order, and all others as one behind them.
    #[must_use]
    pub fn of_longest(mut self, most: usize, others: &str) -> Self {
        let count = self.names.len();
        if count <= most + 1 {
            return self;
        }
        let mut longest: Vec<usize> = (0..count).collect();
        longest.sort_by(|&a, &b| self.total(b).total_cmp(&self.total(a)).then(a.cmp(&b)));
        let (kept, rest) = longest.split_at_mut(most);
        kept.sort_unstable();
        for series in &mut self.series {
            let sum = rest.iter().map(|&bar| series.values[bar]).sum();
            series.values = kept.iter().map(|&bar| series.values[bar]).chain([sum]).collect();
        }
        let names = kept.iter().map(|&bar| self.names[bar].clone());
        self.names = names.chain([format!("{} {others}", rest.len())]).collect();
        self
    }

    /// Where the axis ends: at the longest of `totals`, or behind the second longest where it is far longer than that.
    fn end(totals: &[f64]) -> f64 {
        let mut sorted = totals.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        match sorted[..] {
            [first, second, _, ..] if second > 0.0 && first > FAR_LONGER * second => 1.25 * second,
            [first, ..] => first,
            [] => 0.0,
        }
    }

    /// Draws the chart.
    pub fn scene(&self) -> Scene {
        let totals: Vec<f64> = (0..self.names.len()).map(|bar| self.total(bar)).collect();
        let longest = Self::end(&totals);
        let scale = (self.scale)(longest);
        let axis = Axis::from_zero(scale.apply(longest));
        // Three digits of each bar: a short one beside a long one is read as exactly.
        let text = |total: f64| fixed(total, decimals(total, 3).min(3));
        let totals: Vec<String> = totals.iter().map(|&total| text(scale.apply(total))).collect();
        let layout = self.layout(&totals);
        let bottom = layout.top + layout.height;
        let mut scene = Scene::new(WIDTH, bottom + FOOT, &self.title, &self.subtitle);
        let is_cut = (0..self.names.len()).any(|bar| self.total(bar) > longest);
        let unit =
            if is_cut { format!("{}; a bar with a gap is longer", scale.unit) } else { scale.unit.clone() };
        self.draw_axis(&mut scene, &layout, &axis, &unit);
        for (bar, total) in totals.iter().enumerate() {
            self.draw_bar(&mut scene, &layout, &axis, &scale, (bar, total, longest));
        }
        self.draw_legend(&mut scene, &layout);
        scene
    }

    fn total(&self, bar: usize) -> f64 {
        self.series.iter().map(|series| series.values[bar].max(0.0)).sum()
    }

    /// Series with something to show; a single one needs no legend.
    fn legend(&self) -> Vec<&Series> {
        let shown = |series: &&Series| series.values.iter().any(|&value| value > 0.0);
        if self.series.len() < 2 { Vec::new() } else { self.series.iter().filter(shown).collect() }
    }

    fn layout(&self, totals: &[String]) -> Layout {
        let widest = |widths: &mut dyn Iterator<Item = f64>| widths.fold(0.0, f64::max);
        let names = widest(&mut self.names.iter().map(|name| font::width(name, LABEL))).min(NAME_LIMIT);
        let totals = widest(&mut totals.iter().map(|text| font::width(text, LABEL)));
        let legend = self.legend();
        let labels = widest(&mut legend.iter().map(|series| font::width(series.label, LABEL)));
        let legend_left = if legend.is_empty() { WIDTH - MARGIN } else { WIDTH - MARGIN - labels - 20.0 };
        let bars = self.names.len() as f64;
        let pitch = if bars > 60.0 { 18.0 } else { 24.0 };
        let height = (bars * pitch).max(legend.len() as f64 * LEGEND_PITCH).max(150.0);
        Layout {
            left: MARGIN + 26.0 + names + 8.0,
            right: legend_left - totals - 28.0,
            legend: legend_left,
            top: if self.names.len() > TALL { HEAD + 20.0 } else { HEAD },
            pitch: if bars > 0.0 { height / bars } else { height },
            height,
        }
    }

    fn draw_axis(&self, scene: &mut Scene, layout: &Layout, axis: &Axis, unit: &str) {
        let (top, bottom) = (layout.top, layout.top + layout.height);
        for (value, text) in axis.ticks() {
            let x = layout.left + axis.place(value) * (layout.right - layout.left);
            scene.grid_up(x, top, bottom + 4.0);
            scene.label(&text, x, bottom + 14.0, Align::Middle);
            if self.names.len() > TALL {
                scene.label(&text, x, top - 10.0, Align::Middle);
            }
        }
        let middle = (layout.left + layout.right) / 2.0;
        scene.title_below(&format!("{} ({unit})", self.quantity), middle, bottom + 44.0);
        scene.title_beside(self.category, (top + bottom) / 2.0);
        if self.names.is_empty() {
            scene.label("nothing to show", middle, (top + bottom) / 2.0, Align::Middle);
        }
    }

    fn draw_bar(
        &self,
        scene: &mut Scene,
        layout: &Layout,
        axis: &Axis,
        scale: &Scale,
        (bar, total, end): (usize, &str, f64),
    ) {
        let middle = layout.top + (bar as f64 + 0.5) * layout.pitch;
        let half = (0.38 * layout.pitch).min(16.0);
        let name = font::shorten(&self.names[bar], LABEL, NAME_LIMIT);
        scene.label(&name, layout.left - 8.0, middle, Align::End);
        // The parts of a bar that is cut keep their shares.
        let shrunk = if self.total(bar) > end { end / self.total(bar) } else { 1.0 };
        let pixel =
            |value: f64| layout.left + axis.place(scale.apply(value * shrunk)) * (layout.right - layout.left);
        let mut sum = 0.0;
        for series in &self.series {
            let start = pixel(sum);
            sum += series.values[bar].max(0.0);
            let end = pixel(sum);
            scene.marks.push(Mark::Rect([start, middle - half, end, middle + half], series.colour));
            // A hairline keeps neighbours apart where they are wide enough to lose a pixel.
            if end - start > 4.0 && start > layout.left {
                scene.marks.push(Mark::Rect([start, middle - half, start + 1.0, middle + half], WHITE));
            }
        }
        if shrunk < 1.0 {
            let gap = pixel(0.93 * sum);
            scene.marks.push(Mark::Rect([gap, middle - half - 2.0, gap + 5.0, middle + half + 2.0], WHITE));
        }
        let left = pixel(sum) + 5.0;
        let behind = [left - 2.0, middle - 7.0, left + font::width(total, LABEL) + 2.0, middle + 7.0];
        scene.marks.push(Mark::Rect(behind, WHITE));
        scene.label(total, left, middle, Align::Start);
    }

    /// The legend beside the first bars and, where those are far away, beside the last ones too.
    fn draw_legend(&self, scene: &mut Scene, layout: &Layout) {
        let bottom = layout.top + layout.height;
        scene.marks.push(Mark::Rect([layout.left - 1.0, layout.top, layout.left, bottom], INK));
        let legend = self.legend();
        let mut tops = vec![layout.top];
        if self.names.len() > 2 * TALL {
            tops.push(bottom - legend.len() as f64 * LEGEND_PITCH);
        }
        for top in tops {
            for (line, series) in legend.iter().enumerate() {
                let middle = top + (line as f64 + 0.5) * LEGEND_PITCH;
                let left = layout.legend;
                scene.marks.push(Mark::Rect([left, middle - 6.0, left + 12.0, middle + 6.0], series.colour));
                scene.label(series.label, left + 20.0, middle, Align::Start);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[f64]) -> Bars {
        Bars {
            title: String::new(),
            subtitle: String::new(),
            category: "Layer",
            quantity: "Cycles",
            scale: |largest| Scale::count(largest, "cycles"),
            names: (0..values.len()).map(|bar| format!("layer {bar}")).collect(),
            series: vec![Series { label: "all", colour: INK, values: values.to_vec() }],
        }
    }

    #[test]
    fn the_longest_stay_in_their_order_and_the_rest_is_one() {
        let short = bars(&[1.0, 5.0, 2.0, 9.0, 3.0]).of_longest(2, "others");
        assert_eq!(short.names, ["layer 1", "layer 3", "3 others"]);
        assert_eq!(short.series[0].values, [5.0, 9.0, 6.0]);
        // A bar for one other layer would be no shorter than that layer.
        assert_eq!(bars(&[1.0, 5.0, 2.0]).of_longest(2, "others").names.len(), 3);
    }

    #[test]
    fn one_bar_that_is_far_longer_is_cut() {
        assert_eq!(Bars::end(&[100.0, 20.0, 10.0]), 25.0);
        assert_eq!(Bars::end(&[40.0, 20.0, 10.0]), 40.0);
        // Neither of two bars is an exception.
        assert_eq!(Bars::end(&[100.0, 20.0]), 100.0);
        assert_eq!(Bars::end(&[]), 0.0);
        let words = |values: &[f64]| {
            let boxes = bars(values).scene().text_boxes();
            boxes.into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(" ")
        };
        let cut = words(&[100.0, 20.0, 10.0]);
        assert!(cut.contains("a bar with a gap is longer") && cut.contains("100"), "{cut}");
        assert!(!words(&[40.0, 20.0, 10.0]).contains("gap"));
    }
}
