//! The names that the pickle of a checkpoint may use, and what calling them yields. Nothing is called:
//! each is known by what it means for tensors.

use safetensors::Dtype;

use super::pickle::{Object, Ref, Tensor};

/// A name that a checkpoint of tensors needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Global {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch.Size`, a tuple.
    Size,
    /// `torch._utils._rebuild_tensor_v2`: a view of a storage.
    Tensor,
    /// `torch._utils._rebuild_parameter`: the tensor that it is given.
    Parameter,
    /// `torch.FloatStorage` and its like.
    Storage(Dtype),
    /// `argparse.Namespace`: flags of the training, which are not looked at.
    Namespace,
}

/// Axes of a tensor; convolutions in space and time have five.
const MAX_AXES: usize = 8;

impl Global {
    /// What `module.name` is, if a checkpoint of tensors needs it.
    pub fn find(module: &str, name: &str) -> Option<Self> {
        let storage = match (module, name) {
            ("collections", "OrderedDict") => return Some(Self::OrderedDict),
            ("torch", "Size") => return Some(Self::Size),
            ("torch._utils", "_rebuild_tensor_v2") => return Some(Self::Tensor),
            ("torch._utils", "_rebuild_parameter") => return Some(Self::Parameter),
            ("argparse", "Namespace") => return Some(Self::Namespace),
            ("torch", name) => name.strip_suffix("Storage")?,
            _ => return None,
        };
        let dtype = match storage {
            "Float" => Dtype::F32,
            "Double" => Dtype::F64,
            "Half" => Dtype::F16,
            "BFloat16" => Dtype::BF16,
            "Long" => Dtype::I64,
            "Int" => Dtype::I32,
            "Short" => Dtype::I16,
            "Char" => Dtype::I8,
            "Byte" => Dtype::U8,
            "Bool" => Dtype::BOOL,
            _ => return None,
        };
        Some(Self::Storage(dtype))
    }

    /// What calling it with `arguments` yields: a new object, or one that is there.
    pub fn call<'a>(self, arguments: &[Ref], objects: &[Object<'a>]) -> Result<Called<'a>, String> {
        let object = |i: usize| arguments.get(i).map(|argument| (&objects[argument.0], *argument));
        match (self, object(0)) {
            (Self::OrderedDict, None) => Ok(Called::New(Object::Dict(Vec::new()))),
            (Self::Namespace, _) => Ok(Called::New(Object::Opaque)),
            (Self::Size, Some((Object::Sequence(_), size))) => Ok(Called::Same(size)),
            (Self::Parameter, Some((Object::Tensor(_), tensor))) => Ok(Called::Same(tensor)),
            (Self::Tensor, Some((Object::Storage(storage), _))) => {
                let integers = |i: usize| match object(i) {
                    Some((Object::Sequence(items), _)) => integers(items, objects),
                    _ => Err("a tensor without a shape or strides".to_owned()),
                };
                let offset = match object(1) {
                    Some((Object::Int(offset), _)) => size(*offset)?,
                    _ => return Err("a tensor without an offset".to_owned()),
                };
                let (shape, strides) = (integers(2)?, integers(3)?);
                match shape.len() == strides.len() {
                    true => {
                        Ok(Called::New(Object::Tensor(Tensor { storage: *storage, offset, shape, strides })))
                    }
                    false => Err(format!("a tensor of shape {shape:?} with strides {strides:?}")),
                }
            }
            _ => Err(format!("{self:?} with arguments that it does not take")),
        }
    }
}

/// What a call yields.
pub enum Called<'a> {
    /// A new object.
    New(Object<'a>),
    /// One of the arguments.
    Same(Ref),
}

/// `value` as an extent, an offset or a count.
pub fn size(value: i64) -> Result<usize, String> {
    usize::try_from(value).map_err(|_| format!("a size of {value}"))
}

fn integers(items: &[Ref], objects: &[Object]) -> Result<Vec<usize>, String> {
    if items.len() > MAX_AXES {
        return Err(format!("a tensor of {} axes; at most {MAX_AXES} are read", items.len()));
    }
    let integer = |item: &Ref| match objects[item.0] {
        Object::Int(value) => size(value),
        _ => Err("an extent that is no integer".to_owned()),
    };
    items.iter().map(integer).collect()
}
