//! A learned token in front of those of an image.

use super::Parameter;
use crate::tensor::Shape;

/// A learned token, the same at every timestep, in front of the positions of a map in raster order. Its tensor
/// `[1, 1, channels]` has the name of the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassToken {
    /// The tensor `[1, tokens, channels]` of what is added to every token, the learned one included.
    pub positions: Option<String>,
}

/// What a class token brings to a stream, in real numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedTokens {
    /// `[channel]`: the token, with what is added at its position.
    pub token: Vec<f64>,
    /// `[token][channel]`: what is added to the tokens behind it.
    pub positions: Option<Vec<f64>>,
}

impl ClassToken {
    /// Tensors of the token, for a layer called `name` that yields `shape`.
    pub fn parameters(&self, name: &str, shape: Shape) -> Vec<Parameter> {
        let of_tokens = |name: &String, tokens| {
            let mut shape = vec![1, tokens, shape.channels];
            while shape.last() == Some(&1) {
                shape.pop();
            }
            Parameter { name: name.clone(), shape, trained: true }
        };
        let positions = self.positions.iter().map(|name| of_tokens(name, shape.positions()));
        std::iter::once(of_tokens(&name.to_owned(), 1)).chain(positions).collect()
    }
}

impl LearnedTokens {
    /// Tokens from the tensors of a checkpoint.
    pub fn new(token: &[f32], positions: Option<&[f32]>) -> Self {
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&x| f64::from(x)).collect() };
        let mut token = wide(token);
        let positions = positions.map(|positions| {
            let (first, rest) = positions.split_at(token.len());
            token.iter_mut().zip(first).for_each(|(x, &added)| *x += f64::from(added));
            wide(rest)
        });
        Self { token, positions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_has_a_position_of_its_own() {
        let learned = LearnedTokens::new(&[1.0, -2.0], Some(&[0.5, 0.25, 3.0, 4.0]));
        assert_eq!(learned, LearnedTokens { token: vec![1.5, -1.75], positions: Some(vec![3.0, 4.0]) });
        let parameters =
            ClassToken { positions: Some("pos_embed".into()) }.parameters("cls", Shape::new(2, 1, 5));
        let shapes: Vec<_> = parameters.iter().map(|p| (p.name.as_str(), p.shape.as_slice())).collect();
        assert_eq!(shapes, [("cls", &[1, 1, 2][..]), ("pos_embed", &[1, 5, 2])]);
    }
}
