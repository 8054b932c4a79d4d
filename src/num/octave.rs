//! Powers of two and logarithms to the base of two that no library rounds: integers depend on them, and a logarithm of
//! the standard library may differ in its last digit from platform to platform.

/// Bits of the fraction of a double.
const FRACTION_BITS: u32 = 52;
/// Exponent of 1.
const BIAS: i32 = 1023;

/// The largest e with 2^e <= `x`, which is positive; 1024 of infinity.
///
/// # Panics
/// In debug builds, unless `x` is positive.
pub fn floor_log2(x: f64) -> i32 {
    debug_assert!(x > 0.0, "{x} has no logarithm");
    if x < f64::MIN_POSITIVE {
        // Below the smallest exponent, digits move into the fraction.
        return x.to_bits().ilog2() as i32 - (FRACTION_BITS as i32 + BIAS - 1);
    }
    (x.to_bits() >> FRACTION_BITS) as i32 - BIAS
}

/// The smallest e with `x` <= 2^e, for a positive `x`.
///
/// # Panics
/// In debug builds, unless `x` is positive.
pub fn ceil_log2(x: f64) -> i32 {
    let floor = floor_log2(x);
    floor + i32::from(power_of_two(floor) < x)
}

/// 2^`exponent`, infinite or zero where a double has no such power.
pub fn power_of_two(exponent: i32) -> f64 {
    match exponent {
        ..-1074 => 0.0,
        -1074..-1022 => f64::from_bits(1 << (exponent + 1074)),
        -1022..=BIAS => f64::from_bits(((exponent + BIAS) as u64) << FRACTION_BITS),
        _ => f64::INFINITY,
    }
}

/// The power of two nearest to `x`, the smaller one where 1.5 times it is `x`: `x` is at least the smallest normal
/// number.
pub fn nearest_power_of_two(x: f64) -> f64 {
    // A fraction above one half carries into the exponent.
    let fraction = (1 << FRACTION_BITS) - 1;
    f64::from_bits((x.to_bits() + (fraction >> 1)) & !fraction)
}

/// 2^(`sixteenths` / 16), a table of correctly rounded sixteenths times a power of two.
pub fn power_of_sixteenths(sixteenths: i32) -> f64 {
    const SIXTEENTHS: [f64; 16] = [
        1.0,
        1.0442737824274138,
        1.0905077326652577,
        1.1387886347566916,
        1.189207115002721,
        1.241857812073484,
        1.2968395546510096,
        1.3542555469368927,
        std::f64::consts::SQRT_2,
        1.4768261459394993,
        1.5422108254079407,
        1.6104903319492543,
        1.681792830507429,
        1.7562521603732995,
        1.8340080864093424,
        1.9152065613971474,
    ];
    SIXTEENTHS[sixteenths.rem_euclid(16) as usize] * power_of_two(sixteenths.div_euclid(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_of_neighbours_of_powers() {
        for exponent in -1074..=1023 {
            let power = power_of_two(exponent);
            assert_eq!((floor_log2(power), ceil_log2(power)), (exponent, exponent));
            assert_eq!(power, f64::from(exponent).exp2());
            let (below, above) = (power.next_down(), power.next_up());
            if below > 0.0 {
                assert_eq!(
                    ceil_log2(below),
                    exponent - i32::from(below == power * 0.5),
                    "below 2^{exponent}"
                );
            }
            assert_eq!(floor_log2(above), exponent + i32::from(exponent == -1074), "above 2^{exponent}");
        }
        assert_eq!((power_of_two(1024), power_of_two(-1075)), (f64::INFINITY, 0.0));
        assert_eq!((floor_log2(f64::INFINITY), ceil_log2(f64::MAX)), (1024, 1024));
    }

    #[test]
    fn nearest_powers_by_hand() {
        for (x, nearest) in
            [(0.51, 0.5), (0.75, 0.5), (0.76, 1.0), (1.5, 1.0), (3.0f64.next_up(), 4.0), (48.0, 32.0)]
        {
            assert_eq!(nearest_power_of_two(x), nearest, "{x}");
            assert_eq!(nearest_power_of_two(x * 1024.0), nearest * 1024.0);
        }
    }

    /// Each sixteenth to the 16th power is 2, half a unit in the last place multiplied sixteen times.
    #[test]
    fn sixteenths_multiply_to_octaves() {
        for i in -64..64 {
            let x = power_of_sixteenths(i);
            assert!((x.powi(16) / power_of_two(i) - 1.0).abs() < 32.0 * f64::EPSILON, "{i}");
            assert_eq!(power_of_sixteenths(i + 16), 2.0 * x);
            assert!(power_of_sixteenths(i + 1) > x);
        }
    }
}
