//! Maxima, sums and other folds over the windows of a map, in any number system.

use super::fast::in_tiles;
use crate::model::Window;
use crate::tensor::Frames;

/// Look-ups that take as long as one value.
const LOOKUPS_OF_A_VALUE: usize = 64;

/// Each window folded into one value of `output`, whatever it holds, from `nothing` on.
pub fn fold_windows<T: Copy + Default + Send + Sync>(
    window: &Window,
    input: &Frames<T>,
    mut output: Frames<T>,
    nothing: T,
    fold: impl Fn(T, T) -> T + Sync,
) -> Frames<T> {
    let shape = output.shape;
    let geometry = window.geometry(shape.channels);
    let work = output.data.len() * window.values() * LOOKUPS_OF_A_VALUE;
    in_tiles(work, shape.channels, &mut output.data, |first, out| {
        for (i, out) in out.chunks_exact_mut(shape.channels).enumerate() {
            let (t, position) = ((first + i) / shape.positions(), (first + i) % shape.positions());
            let source = input.at(t);
            out.fill(nothing);
            let taps = geometry.taps_of(input.shape, position / shape.width, position % shape.width);
            for at in taps.filter_map(|(_, at)| at) {
                out.iter_mut().zip(&source[at * shape.channels..]).for_each(|(x, &y)| *x = fold(*x, y));
            }
        }
    });
    output
}
