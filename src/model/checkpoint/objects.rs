//! The values that a pickle is made of.
//!
//! Objects live in one list and refer to each other by index, so neither deep nesting nor an object
//! that contains itself needs recursion.

use safetensors::Dtype;

/// Index of an object of a [`Pickle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ref(pub usize);

/// What a pickle is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum Object<'a> {
    /// A value that no tensor needs: floats, bytes, long integers, dates, settings. Nothing in it is looked at.
    Opaque,
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A string.
    Text(&'a str),
    /// A tuple, a list or a set.
    Sequence(Vec<Ref>),
    /// Keys and values in the order of writing.
    Dict(Vec<(Ref, Ref)>),
    /// A class or a function.
    Global(Global),
    /// Values of tensors.
    Storage(Storage<'a>),
    /// A view of a storage.
    Tensor(Tensor<'a>),
}

/// A name that a checkpoint needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Global {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `collections.defaultdict`
    DefaultDict,
    /// `torch.Size`, a tuple.
    Size,
    /// `torch._utils._rebuild_tensor_v2`: a view of a storage.
    Tensor,
    /// `torch._utils._rebuild_parameter`: the tensor that it is given.
    Parameter,
    /// `torch._utils._rebuild_parameter_with_state`: the tensor that it is given, with attributes.
    ParameterWithState,
    /// `torch._tensor._rebuild_from_type_v2`: a tensor with attributes.
    TensorWithState,
    /// `torch.Tensor` and what has the values of one.
    TensorClass,
    /// `torch.FloatStorage` and its like.
    Storage(Dtype),
    /// What makes values that no weight consists of; see [`is_opaque`](super::opaque::is_opaque).
    Opaque,
}

/// A storage: the record `data/{key}` of the archive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Storage<'a> {
    /// Type of the values.
    pub dtype: Dtype,
    /// Name of the record.
    pub key: &'a str,
    /// Values in it.
    pub values: usize,
}

/// A view of a storage, not compared with its size.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor<'a> {
    /// Where the values lie.
    pub storage: Storage<'a>,
    /// First value.
    pub offset: usize,
    /// Extents.
    pub shape: Vec<usize>,
    /// Distances along each axis, in values.
    pub strides: Vec<usize>,
    /// True where its values are those of the storage with the other sign.
    pub negated: bool,
}

/// A pickle as objects.
#[derive(Debug)]
pub struct Pickle<'a> {
    /// All of them, which refer to each other by index.
    pub objects: Vec<Object<'a>>,
    /// What was pickled.
    pub root: Ref,
}

impl<'a> Pickle<'a> {
    /// The object at `index`.
    pub fn object(&self, index: Ref) -> &Object<'a> {
        &self.objects[index.0]
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }
}
