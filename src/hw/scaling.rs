//! The energy of an operation at another technology node, by the factors of Stillmaker and Baas and no other rule.

/// Where the factors are from.
pub const SOURCE: &str = "A. Stillmaker, B. Baas, Scaling equations for the accurate prediction of CMOS device \
                          performance from 180 nm to 7 nm, Integration 58, 2017, at 0.9 V (28 and 22 nm \
                          interpolated, at 0.8 V)";

/// Node in nm, and the energy of an operation there relative to 45 nm.
const FACTORS: [(f64, f64); 9] = [
    (45.0, 1.0),
    (32.0, 0.641),
    (28.0, 0.513),
    (22.0, 0.294),
    (20.0, 0.238),
    (16.0, 0.187),
    (14.0, 0.150),
    (10.0, 0.127),
    (7.0, 0.102),
];

/// Energy at `to_nm` relative to `from_nm`.
///
/// # Errors
/// A message, where there is no factor of a node.
pub fn energy_factor(from_nm: f64, to_nm: f64) -> Result<f64, String> {
    let factor = |nm: f64| match FACTORS.iter().find(|(node, _)| *node == nm) {
        Some((_, factor)) => Ok(*factor),
        None => {
            let known: Vec<String> = FACTORS.iter().map(|(node, _)| node.to_string()).collect();
            Err(format!("no factor of Stillmaker and Baas for {nm} nm: there are {} nm", known.join(", ")))
        }
    };
    Ok(factor(to_nm)? / factor(from_nm)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_of_the_paper_and_nothing_between() {
        assert_eq!(energy_factor(45.0, 32.0), Ok(0.641));
        assert_eq!(energy_factor(28.0, 28.0), Ok(1.0));
        assert!((energy_factor(28.0, 14.0).unwrap() - 0.150 / 0.513).abs() < 1e-15);
        let message = energy_factor(40.0, 28.0).unwrap_err();
        assert_eq!(
            message,
            "no factor of Stillmaker and Baas for 40 nm: there are 45, 32, 28, 22, 20, 16, 14, 10, 7 nm"
        );
    }
}
