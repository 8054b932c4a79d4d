//! Pillow's bicubic resizing of 8-bit images, to the byte: `ImagingResample` of `src/libImaging/Resample.c` in
//! Pillow 13, which torchvision's `Resize` calls.
//!
//! An image is resized along its rows and along its columns, and is one of bytes between the two. Weights are
//! computed in double precision, normalized to a sum of 1, and rounded to 22 fraction bits.

use super::picture::Picture;

/// Fraction bits of a weight: 32 without the 8 of a byte and two for sums outside of its range.
const FRACTION_BITS: u32 = 22;
/// Pixels on either side that a weight is given to, where nothing shrinks.
const REACH: f64 = 2.0;

/// `picture` of `width` x `height` pixels.
pub fn resize(picture: Picture, width: usize, height: usize) -> Picture {
    if columns_first(&picture, width, height) {
        resize_rows(resize_columns(picture, height), width)
    } else {
        resize_columns(resize_rows(picture, width), height)
    }
}

/// True where an image loses height, and more than twice what it loses of its width; Pillow before version 13 starts
/// with the rows there, too.
fn columns_first(picture: &Picture, width: usize, height: usize) -> bool {
    let (narrower, lower) = (picture.width as i64 - width as i64, picture.height as i64 - height as i64);
    lower > 0 && lower > 2 * narrower
}

fn resize_rows(picture: Picture, width: usize) -> Picture {
    if picture.width == width {
        return picture;
    }
    let channels = picture.channels;
    let windows = windows(picture.width, width);
    let row = |row: &[u8]| -> Vec<u8> {
        let value = |window: &Window, c: usize| {
            window.sum(row[window.first * channels + c..].iter().step_by(channels))
        };
        windows.iter().flat_map(|window| (0..channels).map(move |c| value(window, c))).collect()
    };
    let pixels = picture.pixels.chunks_exact(picture.width * channels).flat_map(row).collect();
    Picture { width, pixels, ..picture }
}

fn resize_columns(picture: Picture, height: usize) -> Picture {
    if picture.height == height {
        return picture;
    }
    let row = picture.width * picture.channels;
    let value =
        |window: &Window, i: usize| window.sum(picture.pixels[window.first * row + i..].iter().step_by(row));
    let windows = windows(picture.height, height);
    let pixels = windows.iter().flat_map(|window| (0..row).map(move |i| value(window, i))).collect();
    Picture { height, pixels, ..picture }
}

/// What one pixel is the sum of.
struct Window {
    /// The first pixel that counts.
    first: usize,
    /// Weights of that pixel and those behind it, with [`FRACTION_BITS`].
    weights: Vec<i64>,
}

impl Window {
    /// The weighted sum of `values`, rounded to a byte.
    fn sum<'a>(&self, values: impl Iterator<Item = &'a u8>) -> u8 {
        let products = self.weights.iter().zip(values).map(|(weight, &value)| weight * i64::from(value));
        let sum = products.sum::<i64>() + (1 << (FRACTION_BITS - 1));
        (sum >> FRACTION_BITS).clamp(0, 255) as u8
    }
}

/// The windows of `to` pixels on `from` pixels, after `precompute_coeffs` and `normalize_coeffs_8bpc`.
fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    // Where an image shrinks, a window covers as much more as it shrinks.
    let stretch = scale.max(1.0);
    let reach = REACH * stretch;
    let window = |i: usize| {
        let center = (i as f64 + 0.5) * scale;
        // Casts cut fractions off, and negative numbers to 0.
        let first = (center - reach + 0.5) as usize;
        let end = ((center + reach + 0.5) as usize).min(from);
        let weight = |x: usize| bicubic((x as f64 - center + 0.5) * (1.0 / stretch));
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        Window { first, weights: weights.iter().map(|weight| fixed(weight / sum)).collect() }
    };
    (0..to).map(window).collect()
}

/// Rounded half away from zero.
fn fixed(weight: f64) -> i64 {
    let scaled = weight * f64::from(1 << FRACTION_BITS);
    (if scaled < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i64
}

/// The cubic convolution kernel with a = -0.5 (Keys, IEEE Transactions on Acoustics, Speech, and Signal Processing
/// 29, 1981), in the order in which Pillow computes it.
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::sha256;

    /// Blocks of black and white beside noise, so that sums leave the range of bytes.
    fn picture([width, height, channels]: [usize; 3]) -> Picture {
        let value = |i: usize| match i / (5 * channels) % 3 {
            0 => 0,
            1 => 255,
            _ => ((i as u64 * 2_654_435_761) as u32 >> 16) as u8,
        };
        Picture { width, height, channels, pixels: (0..width * height * channels).map(value).collect() }
    }

    /// The first 8 bytes of the SHA-256 of what `Image.resize(size, Image.BICUBIC)` of Pillow 13.0.0 makes.
    #[test]
    fn bytes_are_those_of_pillow() {
        let cases = [
            ([11, 8, 3], [7, 5], "b318623a563377cf"),
            ([8, 11, 1], [8, 30], "393e2c0ee9af5348"),
            ([50, 37, 3], [341, 256], "076c570eebb78cdb"),
            ([500, 375, 3], [341, 256], "52d971e1b44b75cb"),
            ([64, 48, 3], [48, 64], "6a3bc30f88c84efb"),
            ([1, 1, 3], [9, 4], "77133f431d5e12dd"),
            ([9, 4, 1], [1, 1], "148de9c5a7a44d19"),
            ([300, 2, 1], [3, 2], "6f9333bf3dd6a71a"),
            ([33, 33, 3], [32, 33], "1d51b12378a99914"),
            ([33, 33, 3], [33, 34], "282ecde6f954dba3"),
            ([37, 1000, 1], [5, 5], "952cec379394577f"),
            ([224, 224, 3], [256, 256], "24e015437e24c1e5"),
            // 20 lower is not more than twice 10 narrower, 21 is; and one lower beside 10 wider.
            ([20, 60, 3], [10, 40], "9524274554debb9a"),
            ([20, 60, 3], [10, 39], "bd58ec252dd5cd1c"),
            ([20, 60, 1], [30, 59], "130e02a7f80f5a3e"),
        ];
        for (from, [width, height], expected) in cases {
            let resized = resize(picture(from), width, height);
            assert_eq!((resized.width, resized.height), (width, height));
            assert_eq!(sha256([resized.pixels])[..16], *expected, "{from:?} to {width} x {height}");
        }
    }

    /// Four pixels become eight. The fourth lies at 1.75: its neighbours' middles are 1.25 and 0.25 before it, 0.75
    /// and 1.75 behind it. The first lies at 0.25, and what it lacks on its left goes to the others.
    #[test]
    fn weights_by_hand() {
        let windows = windows(4, 8);
        let unit = f64::from(1 << FRACTION_BITS);
        let inside = [-0.0703125, 0.8671875, 0.2265625, -0.0234375].map(|weight| (weight * unit) as i64);
        assert_eq!((windows[3].first, &windows[3].weights[..]), (0, &inside[..]));
        // 0.8671875 and -0.0703125 by their sum, 0.796875: 4564389.6 and -370085.6 of 4194304.
        assert_eq!((windows[0].first, &windows[0].weights[..]), (0, &[4_564_390, -370_086][..]));
        assert_eq!((windows[7].first, &windows[7].weights[..]), (2, &[-370_086, 4_564_390][..]));
    }

    /// Along the row, 255 beside 0 overshoots: 255, 260.6, 272.5, 203.2, 51.8, -17.5, -5.6, 0. The column is the
    /// mean of bytes.
    #[test]
    fn bytes_are_cut_off_between_the_passes() {
        let edge = |pixels: &[u8]| Picture {
            width: 4,
            height: pixels.len() / 4,
            channels: 1,
            pixels: pixels.to_vec(),
        };
        assert_eq!(resize(edge(&[255, 255, 0, 0]), 8, 1).pixels, [255, 255, 255, 203, 52, 0, 0, 0]);
        let two = edge(&[255, 255, 0, 0, 0, 0, 0, 0]);
        let middle = resize(two.clone(), 8, 3).pixels[8..16].to_vec();
        assert_eq!(middle, [128, 128, 128, 102, 26, 0, 0, 0]);
        // Columns first: the row is that of 128, 128, 0, 0.
        assert_eq!(resize(two, 8, 1).pixels, [128, 131, 137, 102, 26, 0, 0, 0]);
    }
}
