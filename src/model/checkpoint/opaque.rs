//! Objects that training loops save beside weights: paths, dates, random states, figures of NumPy, settings. None of
//! them is a weight, so what they are made of is not looked at; a name that is in no list here is refused.

/// Modules with their names.
const KNOWN: [(&str, &[&str]); 34] = [
    ("_codecs", &["encode"]),
    ("_io", &["BytesIO"]),
    ("addict.addict", &["Dict"]),
    ("argparse", &["Namespace"]),
    ("collections", &["Counter", "deque"]),
    ("copy_reg", &["_reconstructor"]),
    ("copyreg", &["_reconstructor"]),
    ("datetime", &["date", "datetime", "time", "timedelta", "timezone"]),
    ("decimal", &["Decimal"]),
    ("easydict", &["EasyDict"]),
    ("fractions", &["Fraction"]),
    ("functools", &["partial"]),
    ("lightning.fabric.utilities.data", &["AttributeDict"]),
    ("lightning_fabric.utilities.data", &["AttributeDict"]),
    ("mmengine.config.config", &["ConfigDict"]),
    ("numpy.random._mt19937", &["MT19937"]),
    ("numpy.random._pcg64", &["PCG64"]),
    ("numpy.random._philox", &["Philox"]),
    ("numpy.random._sfc64", &["SFC64"]),
    ("numpy.random._pickle", &["__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"]),
    ("numpy.random.bit_generator", &["SeedSequence"]),
    ("omegaconf.base", &["ContainerMetadata", "Metadata"]),
    ("omegaconf.dictconfig", &["DictConfig"]),
    ("omegaconf.listconfig", &["ListConfig"]),
    (
        "omegaconf.nodes",
        &["AnyNode", "BooleanNode", "BytesNode", "FloatNode", "IntegerNode", "PathNode", "StringNode"],
    ),
    ("pytorch_lightning.utilities.parsing", &["AttributeDict"]),
    ("torch.serialization", &["_get_layout"]),
    ("torch.torch_version", &["TorchVersion"]),
    ("types", &["SimpleNamespace"]),
    ("typing", &["Any", "Dict", "List"]),
    ("uuid", &["UUID"]),
    ("yacs.config", &["CfgNode"]),
    ("numpy", &["dtype", "ndarray"]),
    ("torch", &["Generator", "device"]),
];

/// Types of values, of Python 3 and of Python 2, whose names old protocols keep.
const BUILT_IN: [&str; 18] = [
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "long",
    "object",
    "range",
    "set",
    "slice",
    "str",
    "tuple",
    "unicode",
    "xrange",
];

/// Types of a value of NumPy, and those of PyTorch, which shares some of the names.
const DTYPES: [&str; 27] = [
    "bfloat16",
    "bool",
    "bool_",
    "bytes_",
    "complex128",
    "complex32",
    "complex64",
    "datetime64",
    "double",
    "float",
    "float16",
    "float32",
    "float64",
    "half",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "long",
    "short",
    "str_",
    "timedelta64",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
];

/// Orders of the values of a tensor in memory.
const LAYOUTS: [&str; 6] =
    ["channels_last", "channels_last_3d", "contiguous_format", "preserve_format", "sparse_coo", "strided"];

/// True if `module.name` makes, or is, a value that no weight consists of.
pub fn is_opaque(module: &str, name: &str) -> bool {
    let known = KNOWN.iter().any(|(of, names)| *of == module && names.contains(&name));
    known
        || match module {
            "builtins" | "__builtin__" => BUILT_IN.contains(&name),
            "numpy" => DTYPES.contains(&name),
            "numpy.dtypes" => name.ends_with("DType"),
            "torch" => DTYPES.contains(&name) || LAYOUTS.contains(&name),
            "pathlib" | "pathlib._local" => name.ends_with("Path"),
            // NumPy 2 renamed the module that NumPy 1 calls `core`.
            "numpy.core.multiarray" | "numpy._core.multiarray" => ["_reconstruct", "scalar"].contains(&name),
            "numpy.core.numeric" | "numpy._core.numeric" => name == "_frombuffer",
            _ => false,
        }
}
