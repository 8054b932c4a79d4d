"""Arrays of NumPy, and of what turns into them, as the compiled part takes them."""

import numpy as np

from ._error import Error

# Type of a tensor by NumPy's name of it, as safetensors spells it.
_DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}


def as_array(value, what):
    """``value`` as an array in C order and of the machine's byte order, copied only where it is not one."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except Exception as error:
        raise Error(f"{what}: no array ({error})", file=what) from None
    if array.dtype.kind not in "biuf":
        raise Error(f"{what}: dtype: {array.dtype} is not of integers or floats", file=what, field="dtype")
    if array.dtype.byteorder not in "=|":
        array = array.astype(array.dtype.newbyteorder("="))
    # Which single precision holds exactly.
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    # np.ascontiguousarray makes a number an array of one.
    return array if array.flags.c_contiguous else array.copy(order="C")


def as_bytes(array):
    """The bytes of an array in C order."""
    return array.reshape(-1).view(np.uint8)


def held(value, what):
    """Type, extents and bytes of an array."""
    array = as_array(value, what)
    return f"{array.dtype.kind}{array.dtype.itemsize}", list(array.shape), as_bytes(array)


def tensor(name, value):
    """Name, type, extents and bytes of a tensor of a state dict."""
    if str(getattr(value, "dtype", "")) == "torch.bfloat16":
        # NumPy has no such type; 16 bits are 16 bits.
        import torch

        bits = value.detach().cpu().contiguous().view(torch.int16).numpy()
        return name, "BF16", list(bits.shape), as_bytes(bits)
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    array = np.asarray(value)
    dtype = _DTYPES.get(array.dtype.name)
    if dtype is None:
        message = f"dtype {array.dtype} is none of weights"
        raise Error(f"state_dict: {name}: {message}", file="state_dict", field=name)
    if array.dtype.byteorder not in "=|":
        array = array.astype(array.dtype.newbyteorder("="))
    array = array if array.flags.c_contiguous else array.copy(order="C")
    return name, dtype, list(array.shape), as_bytes(array)
