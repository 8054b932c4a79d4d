//! What calls in a pickle are given: none of it may be passed over.

use insta::assert_snapshot;

use super::pickles::{opened, storage};
use super::support::lines;
use crate::torch_save::{self, NO_HOOKS, call, dict, global, int, text, tuple};

/// Every argument of a known call is followed or refused: none that could change a value is passed over.
#[test]
fn arguments_of_known_calls_are_followed_or_refused() {
    let two = storage("FloatStorage", b"K\x02");
    let rebuild = |more: &[&[u8]]| {
        let first: [&[u8]; 4] = [&two, b"K\x00", b"K\x02\x85", b"K\x01\x85"];
        let all = call("torch._utils", "_rebuild_tensor_v2", &[&first, more].concat());
        dict(&[("w", &all)])
    };
    let with = |metadata: &[u8]| rebuild(&[b"\x89", NO_HOOKS, metadata]);
    let integers = |class: &str| {
        let arguments: [&[u8]; 7] = [
            &storage(class, b"K\x02"),
            b"K\x00",
            b"K\x02\x85",
            b"K\x01\x85",
            b"\x89",
            NO_HOOKS,
            &dict(&[("neg", b"\x88")]),
        ];
        dict(&[("w", &call("torch._utils", "_rebuild_tensor_v2", &arguments))])
    };
    let plain = torch_save::tensor("0", &[2]);
    let wrapped =
        |module: &str, name: &str, arguments: &[&[u8]]| dict(&[("w", &call(module, name, arguments))]);
    let parameter = |arguments: &[&[u8]]| wrapped("torch._utils", "_rebuild_parameter", arguments);
    let of_type = |class: &[u8], state: &[u8]| {
        let inner: [&[u8]; 6] = [&two, b"K\x00", b"K\x02\x85", b"K\x01\x85", b"\x89", NO_HOOKS];
        let rebuild = global("torch._utils", "_rebuild_tensor_v2");
        wrapped("torch._tensor", "_rebuild_from_type_v2", &[&rebuild, class, &tuple(&inner), state])
    };
    let hooks = dict(&[("hook", b"N")]);
    let with_id = |id: &[&[u8]]| {
        let storage = [tuple(id), b"Q".to_vec()].concat();
        let first: [&[u8]; 6] = [&storage, b"K\x00", b"K\x02\x85", b"K\x01\x85", b"\x89", NO_HOOKS];
        dict(&[("w", &call("torch._utils", "_rebuild_tensor_v2", &first))])
    };
    let (kind, class, key, cpu) =
        (text("storage"), global("torch", "FloatStorage"), text("0"), text("cuda:0"));
    let cases: [(&'static str, Vec<u8>); 32] = [
        ("no metadata", with(b"N")),
        ("empty metadata", with(b"}")),
        ("neg", with(&dict(&[("neg", b"\x88")]))),
        ("no neg, no conj", with(&dict(&[("neg", b"\x89"), ("conj", b"\x89")]))),
        ("conj", with(&dict(&[("conj", b"\x88")]))),
        ("neg that is no boolean", with(&dict(&[("neg", b"K\x01")]))),
        ("unknown metadata", with(&dict(&[("zero", b"\x89")]))),
        ("metadata under a number", with(b"}K\x01K\x01s")),
        ("metadata that are a list", with(b"]")),
        ("negated integers", integers("IntStorage")),
        ("negated doubles of another size", integers("DoubleStorage")),
        ("no hooks", rebuild(&[b"\x88", b"N"])),
        ("hooks", rebuild(&[b"\x88", &hooks])),
        ("hooks that are a list", rebuild(&[b"\x88", b"]"])),
        ("a gradient of 1", rebuild(&[b"K\x01", NO_HOOKS])),
        ("five arguments", rebuild(&[b"\x88"])),
        ("eight arguments", rebuild(&[b"\x88", NO_HOOKS, b"N", b"N"])),
        ("a parameter", parameter(&[&plain, b"\x88", NO_HOOKS])),
        ("a parameter with hooks", parameter(&[&plain, b"\x88", &hooks])),
        ("a parameter with more", parameter(&[&plain, b"\x88", NO_HOOKS, b"N"])),
        ("a parameter of a number", parameter(&[b"K\x01", b"\x88", NO_HOOKS])),
        (
            "a parameter with attributes",
            wrapped("torch._utils", "_rebuild_parameter_with_state", &[&plain, b"\x88", NO_HOOKS, &hooks]),
        ),
        (
            "a parameter with a number for attributes",
            wrapped("torch._utils", "_rebuild_parameter_with_state", &[&plain, b"\x88", NO_HOOKS, b"K\x01"]),
        ),
        ("a tensor with attributes", of_type(&global("torch", "Tensor"), &hooks)),
        ("a tensor of another class", of_type(&global("torch", "Size"), &hooks)),
        ("state of a tensor", dict(&[("w", &[plain.as_slice(), b"}b"].concat())])),
        ("state of a dict", [dict(&[("w", &plain)]), dict(&[("_metadata", b"}")]), b"b".to_vec()].concat()),
        ("state of a dict that is none", [dict(&[("w", &plain)]), b"K\x01b".to_vec()].concat()),
        ("a dict of arguments", [call("collections", "OrderedDict", &[b"]"])].concat()),
        ("a storage of a device", with_id(&[&kind, &class, &key, &cpu, &int(2)])),
        ("a storage on a number", with_id(&[&kind, &class, &key, b"K\x00", &int(2)])),
        ("a view of a storage", with_id(&[&kind, &class, &key, &cpu, &int(2), b"N"])),
    ];
    let values = [("0", &[1.5f32, -2.0][..])];
    assert_snapshot!(lines(cases, |root| opened(&torch_save::file(&root, &values))), @r#"
    no metadata
      w [2]: [1.5, -2.0]
    empty metadata
      w [2]: [1.5, -2.0]
    neg
      w [2]: [-1.5, 2.0]
    no neg, no conj
      w [2]: [1.5, -2.0]
    conj
      x.pth: data.pkl: byte 143: a tensor with metadata "conj", which is not known
    neg that is no boolean
      x.pth: data.pkl: byte 143: a tensor with metadata "neg", which is not known
    unknown metadata
      x.pth: data.pkl: byte 143: a tensor with metadata "zero", which is not known
    metadata under a number
      x.pth: data.pkl: byte 137: a tensor with metadata whose name is no string
    metadata that are a list
      x.pth: data.pkl: byte 132: metadata of a tensor that are no dict
    negated integers
      x.pth: w: a negated view of I32
    negated doubles of another size
      x.pth: data/0: 8 bytes, expected 2 values of F64
    no hooks
      w [2]: [1.5, -2.0]
    hooks
      x.pth: data.pkl: byte 116: a tensor with hooks or a requirement of gradients that is no boolean
    hooks that are a list
      x.pth: data.pkl: byte 105: a tensor with hooks or a requirement of gradients that is no boolean
    a gradient of 1
      x.pth: data.pkl: byte 132: a tensor with hooks or a requirement of gradients that is no boolean
    five arguments
      x.pth: data.pkl: byte 104: Tensor with arguments that it does not take
    eight arguments
      x.pth: data.pkl: byte 133: Tensor with arguments that it does not take
    a parameter
      w [2]: [1.5, -2.0]
    a parameter with hooks
      x.pth: data.pkl: byte 194: a tensor with hooks or a requirement of gradients that is no boolean
    a parameter with more
      x.pth: data.pkl: byte 210: Parameter with arguments that it does not take
    a parameter of a number
      x.pth: data.pkl: byte 74: a parameter of what is no tensor
    a parameter with attributes
      w [2]: [1.5, -2.0]
    a parameter with a number for attributes
      x.pth: data.pkl: byte 222: attributes that are no dict
    a tensor with attributes
      w [2]: [1.5, -2.0]
    a tensor of another class
      x.pth: data.pkl: byte 194: a tensor of a class that is not known
    state of a tensor
      x.pth: data.pkl: byte 147: sets attributes of what has none
    state of a dict
      w [2]: [1.5, -2.0]
    state of a dict that is none
      x.pth: data.pkl: byte 149: sets attributes of what has none
    a dict of arguments
      x.pth: data.pkl: byte 30: OrderedDict with arguments that it does not take
    a storage of a device
      w [2]: [1.5, -2.0]
    a storage on a number
      x.pth: data.pkl: byte 90: refers to something else than a storage
    a view of a storage
      x.pth: data.pkl: byte 100: refers to something else than a storage
    "#);
}
