//! The names that the pickle of a checkpoint may use, and what calling them yields. No function is called: each name
//! is known by what it means for tensors.

use safetensors::Dtype;

use super::entries::shown;
use super::objects::{Global, Object, Ref, Tensor};
use super::opaque::is_opaque;

/// Axes of a tensor; convolutions in space and time have five.
const MAX_AXES: usize = 8;

/// What calls of tensors end with: whether a gradient is wanted, and hooks of it.
type Gradient = [Ref; 2];

/// What `module.name` is, if a checkpoint needs it.
pub fn find(module: &str, name: &str) -> Option<Global> {
    let global = match (module, name) {
        ("collections", "OrderedDict") => Global::OrderedDict,
        ("collections", "defaultdict") => Global::DefaultDict,
        ("torch", "Size") => Global::Size,
        ("torch._utils", "_rebuild_tensor_v2") => Global::Tensor,
        ("torch._utils", "_rebuild_parameter") => Global::Parameter,
        ("torch._utils", "_rebuild_parameter_with_state") => Global::ParameterWithState,
        ("torch._tensor", "_rebuild_from_type_v2") => Global::TensorWithState,
        ("torch", "Tensor") | ("torch.nn.parameter", "Parameter" | "Buffer") => Global::TensorClass,
        (module, name) if is_opaque(module, name) => Global::Opaque,
        ("torch", name) => Global::Storage(dtype(name.strip_suffix("Storage")?)?),
        _ => return None,
    };
    Some(global)
}

/// What calling `global` with `arguments` yields: a new object, or one that is there. Every argument is either
/// followed or known to change no value.
pub fn call<'a>(global: Global, arguments: &[Ref], objects: &[Object<'a>]) -> Result<Called<'a>, String> {
    let object = |argument: Ref| &objects[argument.0];
    match (global, arguments) {
        (Global::OrderedDict, []) => Ok(Called::New(Object::Dict(Vec::new()))),
        (Global::DefaultDict, []) => Ok(Called::New(Object::Dict(Vec::new()))),
        // What missing keys would be made of.
        (Global::DefaultDict, &[factory])
            if matches!(object(factory), Object::None | Object::Global(_) | Object::Opaque) =>
        {
            Ok(Called::New(Object::Dict(Vec::new())))
        }
        (Global::Opaque, _) => Ok(Called::New(Object::Opaque)),
        (Global::Size, &[size]) if matches!(object(size), Object::Sequence(_)) => Ok(Called::Same(size)),
        (Global::Parameter, &[tensor, wanted, hooks]) => {
            parameter(tensor, [wanted, hooks], objects).map(Called::Same)
        }
        (Global::ParameterWithState, &[tensor, wanted, hooks, state]) => {
            attributes(object(state))?;
            parameter(tensor, [wanted, hooks], objects).map(Called::Same)
        }
        (Global::TensorWithState, &[rebuild, class, inner, state]) => {
            attributes(object(state))?;
            match (object(rebuild), object(class), object(inner)) {
                (
                    Object::Global(Global::Tensor),
                    Object::Global(Global::TensorClass),
                    Object::Sequence(inner),
                ) => call(Global::Tensor, inner, objects),
                _ => Err("a tensor of a class that is not known".to_owned()),
            }
        }
        (Global::Tensor, &[storage, offset, shape, strides, wanted, hooks]) => {
            let tensor = tensor([storage, offset, shape, strides], [wanted, hooks], objects)?;
            Ok(Called::New(Object::Tensor(tensor)))
        }
        (Global::Tensor, &[storage, offset, shape, strides, wanted, hooks, metadata]) => {
            let mut tensor = tensor([storage, offset, shape, strides], [wanted, hooks], objects)?;
            tensor.negated = negated(object(metadata), objects)?;
            Ok(Called::New(Object::Tensor(tensor)))
        }
        _ => Err(format!("{global:?} with arguments that it does not take")),
    }
}

/// What a call yields.
pub enum Called<'a> {
    /// A new object.
    New(Object<'a>),
    /// An argument of the call, unchanged.
    Same(Ref),
}

fn dtype(storage: &str) -> Option<Dtype> {
    Some(match storage {
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
    })
}

/// `value` as an extent, an offset or a count.
pub fn size(value: i64) -> Result<usize, String> {
    usize::try_from(value).map_err(|_| format!("a size of {value}"))
}

fn parameter(tensor: Ref, gradient: Gradient, objects: &[Object]) -> Result<Ref, String> {
    check_gradient(gradient, objects)?;
    match &objects[tensor.0] {
        Object::Tensor(_) => Ok(tensor),
        _ => Err("a parameter of what is no tensor".to_owned()),
    }
}

fn tensor<'a>(
    [storage, offset, shape, strides]: [Ref; 4],
    gradient: Gradient,
    objects: &[Object<'a>],
) -> Result<Tensor<'a>, String> {
    check_gradient(gradient, objects)?;
    let Object::Storage(storage) = objects[storage.0] else {
        return Err("a tensor of what is no storage".to_owned());
    };
    let offset = match objects[offset.0] {
        Object::Int(offset) => size(offset)?,
        _ => return Err("a tensor without an offset".to_owned()),
    };
    let integers = |list: Ref| match &objects[list.0] {
        Object::Sequence(items) => integers(items, objects),
        _ => Err("a tensor without a shape or strides".to_owned()),
    };
    let (shape, strides) = (integers(shape)?, integers(strides)?);
    if shape.len() != strides.len() {
        return Err(format!("a tensor of shape {shape:?} with strides {strides:?}"));
    }
    Ok(Tensor { storage, offset, shape, strides, negated: false })
}

/// Gradients change no value, whether they are wanted or not.
fn check_gradient([wanted, hooks]: Gradient, objects: &[Object]) -> Result<(), String> {
    let hooked = match &objects[hooks.0] {
        Object::None => false,
        Object::Dict(hooks) => !hooks.is_empty(),
        _ => true,
    };
    if hooked || !matches!(objects[wanted.0], Object::Bool(_)) {
        return Err("a tensor with hooks or a requirement of gradients that is no boolean".to_owned());
    }
    Ok(())
}

/// Attributes that Python code hung on an object: a dict, or a pair of dicts.
fn attributes(state: &Object) -> Result<(), String> {
    match state {
        Object::None | Object::Dict(_) | Object::Sequence(_) => Ok(()),
        _ => Err("attributes that are no dict".to_owned()),
    }
}

/// Whether the metadata of a tensor say that its values are those of the storage with the other sign.
fn negated(metadata: &Object, objects: &[Object]) -> Result<bool, String> {
    let entries = match metadata {
        Object::None => return Ok(false),
        Object::Dict(entries) => entries,
        _ => return Err("metadata of a tensor that are no dict".to_owned()),
    };
    let mut negated = false;
    for (key, value) in entries {
        match (&objects[key.0], &objects[value.0]) {
            (Object::Text("neg"), Object::Bool(neg)) => negated = *neg,
            (Object::Text("conj"), Object::Bool(false)) => {}
            (Object::Text(key), _) => {
                return Err(format!("a tensor with metadata {:?}, which is not known", shown(key)));
            }
            _ => return Err("a tensor with metadata whose name is no string".to_owned()),
        }
    }
    Ok(negated)
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
