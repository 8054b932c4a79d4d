//! The colours of what a total consists of, on the page as in the pictures.

/// Red, green, blue.
pub(super) type Colour = (u8, u8, u8);

/// Parts of a stack. Okabe-Ito and Tol colours, chosen so that any two differ by a CIELAB distance
/// of at least 21, for normal sight and for each of the three kinds of colour blindness; the order
/// sets light beside dark.
pub(super) const PARTS: [Colour; 12] = [
    (0x00, 0x72, 0xB2),
    (0xF0, 0xE4, 0x42),
    (0x88, 0x22, 0x55),
    (0x56, 0xB4, 0xE9),
    (0x33, 0x22, 0x88),
    (0xB2, 0xDF, 0x8A),
    (0x5B, 0x2C, 0x06),
    (0xF4, 0xA6, 0xC0),
    (0x99, 0x99, 0x33),
    (0x99, 0x33, 0xFF),
    (0xCC, 0x66, 0x77),
    (0x00, 0x00, 0x00),
];

/// The colours of parts as variables of a style sheet.
pub(super) fn css() -> String {
    let colour =
        |(part, (red, green, blue)): (usize, &Colour)| format!("--p{part}:#{red:02x}{green:02x}{blue:02x};");
    let all: String = PARTS.iter().enumerate().map(colour).collect();
    format!(":root{{{all}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    type Matrix = [[f64; 3]; 3];

    /// What a dichromat sees of linear sRGB: Machado, Oliveira and Fernandes (2009), severity 1, after normal sight.
    const SIGHTS: [(&str, Matrix); 4] = [
        ("normal", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        (
            "protanopia",
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
        ),
        (
            "deuteranopia",
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ),
        (
            "tritanopia",
            [
                [1.255528, -0.076749, -0.178779],
                [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900],
            ],
        ),
    ];

    /// Linear sRGB to XYZ under D65.
    const XYZ: Matrix = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ];

    fn times(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
    }

    /// CIELAB of what somebody sees.
    fn lab((red, green, blue): Colour, sight: &Matrix) -> [f64; 3] {
        let linear = [red, green, blue].map(|byte| {
            let c = f64::from(byte) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        let [x, y, z] = times(&XYZ, times(sight, linear).map(|c| c.clamp(0.0, 1.0)));
        let f = |t: f64| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 };
        let [x, y, z] = [f(x / 0.95047), f(y), f(z / 1.08883)];
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn any_two_parts_differ_for_every_sight() {
        assert!((lab((255, 255, 255), &SIGHTS[0].1)[0] - 100.0).abs() < 0.01);
        for (sight, matrix) in &SIGHTS {
            let seen: Vec<[f64; 3]> = PARTS.iter().map(|&colour| lab(colour, matrix)).collect();
            for (i, a) in seen.iter().enumerate() {
                for (j, b) in seen[..i].iter().enumerate() {
                    let squares: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
                    assert!(squares.sqrt() >= 21.0, "{sight}: parts {j} and {i}: {}", squares.sqrt());
                }
            }
        }
    }
}
