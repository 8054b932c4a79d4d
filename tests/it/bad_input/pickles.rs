//! Archives and pickles that no training script wrote: made by hand to run something, to be too
//! large, to confuse the reader. All are refused by name and place.

use std::io::{Cursor, Write};

use insta::assert_snapshot;
use zip::write::{SimpleFileOptions, ZipWriter};

use spiq::model::{Checkpoint, StoredTensor};

use super::support::lines;
use crate::checkpoints::example;
use crate::torch_save::{self, dict, text};

/// An archive of stored records in the folder `x`.
fn archive(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in records {
        writer.start_file(format!("x/{name}"), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The archive of a pickle with a storage `0` of two floats.
fn with_pickle(pickle: &[u8]) -> Vec<u8> {
    archive(&[("data.pkl", pickle), ("data/0", &[0; 8])])
}

/// What is said of `bytes`: a message, or the tensors.
pub(super) fn opened(bytes: &[u8]) -> String {
    match Checkpoint::open(bytes, "x.pth") {
        Ok(checkpoint) => {
            let described = |(name, tensor): (&str, &StoredTensor)| match tensor.values() {
                Ok(values) => format!("{name} {:?}: {values:?}", tensor.shape),
                Err(message) => format!("{name} {:?}: {message}", tensor.shape),
            };
            let others = checkpoint.others().iter().map(|name| format!("{name} no tensor"));
            checkpoint.iter().map(described).chain(others).collect::<Vec<_>>().join(", ")
        }
        Err(error) => error.to_string(),
    }
}

fn pickled(code: &[&[u8]]) -> String {
    opened(&with_pickle(&[b"\x80\x02", code.concat().as_slice(), b"."].concat()))
}

/// A storage `0` of `class` with a stated number of values, all operands given as operations.
pub(super) fn storage(class: &str, values: &[u8]) -> Vec<u8> {
    torch_save::storage(class, "0", values)
}

/// A state dict of one tensor `w`: a view with these operations for offset, shape and strides.
pub(super) fn tensor(storage: &[u8], offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n(";
    [
        b"}".to_vec(),
        text("w"),
        rebuild.to_vec(),
        storage.to_vec(),
        offset.to_vec(),
        shape.to_vec(),
        strides.to_vec(),
    ]
    .concat()
    .into_iter()
    .chain(*b"\x89ccollections\nOrderedDict\n)RtRs")
    .collect()
}

/// The largest value of a `LONG1` of eight bytes.
const HUGE: &[u8] = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";

/// A file that calls the shell where it is unpickled.
pub fn running_a_command() -> Vec<u8> {
    with_pickle(b"\x80\x02}X\x01\x00\x00\x00acposix\nsystem\nX\x02\x00\x00\x00id\x85Rs.")
}

#[test]
fn what_could_run_something_is_refused() {
    let system = b"cposix\nsystem\n";
    let cases: [(&'static str, Vec<&[u8]>); 11] = [
        ("by strings", vec![b"\x8c\x08builtins\x8c\x04eval\x93"]),
        ("hidden in the optimizer", vec![b"}", b"X\x09\x00\x00\x00optimizer", system, b"s"]),
        ("a class of the user", vec![b"cmodels.spikformer\nSpikformer\n)\x81"]),
        ("another function of torch", vec![b"ctorch\nload\n"]),
        ("a storage that is none", vec![b"ctorch\nQInt8Storage\n"]),
        ("a name with control characters", vec![b"cos\x1b[2J\nsystem\n"]),
        ("a long name", vec![&[b'c'; 5000], b"\n\n"]),
        ("INST", vec![b"(iposix\nsystem\n"]),
        ("OBJ", vec![b"(o"]),
        ("EXT1", vec![b"\x82\x01"]),
        ("no operation", vec![b"\xff"]),
    ];
    assert_snapshot!(lines(cases, |code| pickled(&code)), @r"
    by strings
      x.pth: data.pkl: byte 18: calls builtins.eval, which a checkpoint of tensors does not need; save the state dict alone: torch.save(model.state_dict(), PATH)
    hidden in the optimizer
      x.pth: data.pkl: byte 17: calls posix.system, which a checkpoint of tensors does not need; save the state dict alone: torch.save(model.state_dict(), PATH)
    a class of the user
      x.pth: data.pkl: byte 2: calls models.spikformer.Spikformer, which a checkpoint of tensors does not need; save the state dict alone: torch.save(model.state_dict(), PATH)
    another function of torch
      x.pth: data.pkl: byte 2: calls torch.load, which a checkpoint of tensors does not need; save the state dict alone: torch.save(model.state_dict(), PATH)
    a storage that is none
      x.pth: data.pkl: byte 2: calls torch.QInt8Storage, which a checkpoint of tensors does not need; save the state dict alone: torch.save(model.state_dict(), PATH)
    a name with control characters
      x.pth: data.pkl: byte 2: calls os\u{1b}[2J.system, which a checkpoint of tensors does not need; save the state dict alone: torch.save(model.state_dict(), PATH)
    a long name
      x.pth: data.pkl: byte 2: calls cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc, which a checkpoint of tensors does not need; save the state dict alone: torch.save(model.state_dict(), PATH)
    INST
      x.pth: data.pkl: byte 3: operation INST, which a checkpoint of tensors does not need
    OBJ
      x.pth: data.pkl: byte 3: operation OBJ, which a checkpoint of tensors does not need
    EXT1
      x.pth: data.pkl: byte 2: operation EXT, which a checkpoint of tensors does not need
    no operation
      x.pth: data.pkl: byte 2: operation 0xff, which a checkpoint of tensors does not need
    ");
}

#[test]
fn programs_that_make_no_sense() {
    let cases: [(&'static str, &[u8]); 18] = [
        ("a memo that was not written", b"}h\x07"),
        ("a large memo index", b"}r\xff\xff\xff\xffj\xff\xff\xff\xfej\xff\xff\xff\x7f"),
        ("an empty stack", b"\x85"),
        ("a pop below a mark", b"N(\x85"),
        ("no mark", b"NNt"),
        ("a list that is none", b"}Na"),
        ("a dict that is none", b"]NNs"),
        ("a key without a value", b"}(Nu"),
        ("a call of a number", b"K\x01)R"),
        ("a call of a storage", b"ctorch\nFloatStorage\n)R"),
        ("a tensor of nothing", b"ctorch._utils\n_rebuild_tensor_v2\n)R"),
        ("attributes of a number", b"K\x01Nb"),
        ("a string longer than the file", b"X\xff\xff\xff\x7fabc"),
        ("a string of 2^64 - 1 bytes", b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc"),
        ("a string that is not UTF-8", b"\x8c\x02\xff\xfe"),
        ("bytes instead of a storage", b"C\x03abcQ"),
        ("a name without an end", b"cposix"),
        ("nothing", b""),
    ];
    assert_snapshot!(lines(cases, |code| pickled(&[code])), @r"
    a memo that was not written
      x.pth: data.pkl: byte 3: recalls 7, which was not remembered
    a large memo index
      x.pth: data.pkl: byte 8: recalls 4278190079, which was not remembered
    an empty stack
      x.pth: data.pkl: byte 2: takes a value from an empty stack
    a pop below a mark
      x.pth: data.pkl: byte 4: takes a value from an empty stack
    no mark
      x.pth: data.pkl: byte 4: takes values since a mark that was not set
    a list that is none
      x.pth: data.pkl: byte 4: appends to what is no list
    a dict that is none
      x.pth: data.pkl: byte 5: sets an item of what is no dict
    a key without a value
      x.pth: data.pkl: byte 5: a key without a value
    a call of a number
      x.pth: data.pkl: byte 5: calls what cannot be called
    a call of a storage
      x.pth: data.pkl: byte 23: Storage(F32) with arguments that it does not take
    a tensor of nothing
      x.pth: data.pkl: byte 36: Tensor with arguments that it does not take
    attributes of a number
      x.pth: data.pkl: byte 5: sets attributes of what has none
    a string longer than the file
      x.pth: data.pkl: byte 2: the pickle ends within an operation: 2147483647 bytes wanted, 4 left
    a string of 2^64 - 1 bytes
      x.pth: data.pkl: byte 2: the pickle ends within an operation: 18446744073709551615 bytes wanted, 4 left
    a string that is not UTF-8
      x.pth: data.pkl: byte 2: a string that is not UTF-8
    bytes instead of a storage
      x.pth: data.pkl: byte 7: refers to something else than a storage
    a name without an end
      x.pth: data.pkl: byte 2: the pickle ends within a name
    nothing
      x.pth: data.pkl: byte 2: takes a value from an empty stack
    ");
    let program = |bytes: &[u8]| opened(&with_pickle(bytes));
    let cases: [(&'static str, &[u8]); 5] = [
        ("no end", b"\x80\x02}"),
        ("no bytes", b""),
        ("protocol 5", b"\x80\x05}."),
        ("protocol 0", b"(dp0\n."),
        ("a frame that is cut", b"\x80\x04\x95\x01\x00"),
    ];
    assert_snapshot!(lines(cases, program), @r"
    no end
      x.pth: data.pkl: byte 3: the pickle ends within an operation: 1 bytes wanted, 0 left
    no bytes
      x.pth: data.pkl: byte 0: the pickle ends within an operation: 1 bytes wanted, 0 left
    protocol 5
      x.pth: data.pkl: no tensors at the top level or under model, state_dict, model_state_dict, module, net
    protocol 0
      x.pth: data.pkl: byte 1: operation DICT, which a checkpoint of tensors does not need
    a frame that is cut
      x.pth: data.pkl: byte 2: the pickle ends within an operation: 8 bytes wanted, 2 left
    ");
}

/// Deep and endless structures take no stack.
#[test]
fn deep_nesting_is_only_data() {
    let deep = [vec![b']'; 1_000_000], vec![b'a'; 999_999]].concat();
    let tuples = [vec![b')'], vec![0x85; 1_000_000]].concat();
    let marks = vec![b'('; 1_000_000];
    let itself = b"}q\x00X\x05\x00\x00\x00modelh\x00s".to_vec();
    let cases = [
        ("a million lists", deep),
        ("a million tuples", tuples),
        ("a million marks", marks),
        ("a dict in itself", itself),
    ];
    assert_snapshot!(lines(cases, |code| pickled(&[&code])), @r"
    a million lists
      x.pth: data.pkl: no dict of tensors
    a million tuples
      x.pth: data.pkl: no dict of tensors
    a million marks
      x.pth: data.pkl: byte 1000002: takes a value from an empty stack
    a dict in itself
      x.pth: data.pkl: no tensors at the top level or under model, state_dict, model_state_dict, module, net
    ");
    let dicts = [b"}X\x05\x00\x00\x00model".repeat(100_000), b"}".to_vec(), vec![b's'; 100_000]].concat();
    assert!(pickled(&[&dicts]).contains("no tensors"));
}

#[test]
fn views_are_compared_with_their_storage() {
    let two = storage("FloatStorage", b"K\x02");
    let view = |offset: &[u8], shape: &[u8], strides: &[u8]| tensor(&two, offset, shape, strides);
    let one = b"K\x01\x85";
    let nine_axes = [b"(".to_vec(), b"K\x01".repeat(9), b"t".to_vec()].concat();
    let cases = [
        ("as it should be", view(b"K\x00", b"K\x02\x85", one)),
        ("reversed axes", view(b"K\x00", b"K\x01K\x02\x86", b"K\x00K\x01\x86")),
        ("beyond the end", view(b"K\x01", b"K\x02\x85", one)),
        ("a negative offset", view(b"J\xff\xff\xff\xff", one, one)),
        ("a huge offset", view(HUGE, b"K\x02\x85", one)),
        ("a huge extent", view(b"K\x00", &[HUGE, b"\x85"].concat(), b"K\x00\x85")),
        ("huge extents", view(b"K\x00", &[HUGE, HUGE, b"\x86"].concat(), b"K\x00K\x00\x86")),
        ("a huge stride", view(b"K\x00", b"K\x02\x85", &[HUGE, b"\x85"].concat())),
        ("more values than there are", view(b"K\x00", b"K\x03\x85", b"K\x00\x85")),
        ("fewer strides than axes", view(b"K\x00", b"K\x01K\x02\x86", one)),
        ("nine axes", view(b"K\x00", &nine_axes, &nine_axes)),
        ("a shape of strings", view(b"K\x00", b"X\x01\x00\x00\x002\x85", one)),
        ("an integer beyond 64 bits", view(b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01", one, one)),
        ("a storage of more values", tensor(&storage("FloatStorage", HUGE), b"K\x00", one, one)),
        ("a storage of a wider type", tensor(&storage("DoubleStorage", b"K\x02"), b"K\x00", one, one)),
        ("booleans", tensor(&storage("BoolStorage", b"K\x08"), b"K\x00", one, one)),
    ];
    assert_snapshot!(lines(cases, |code| pickled(&[&code])), @r"
    as it should be
      w [2]: [0.0, 0.0]
    reversed axes
      w [1, 2]: [0.0, 0.0]
    beyond the end
      x.pth: w: offset 1 and strides [1] of shape [2] leave a storage of 2 values
    a negative offset
      x.pth: data.pkl: byte 134: a size of -1
    a huge offset
      x.pth: w: offset 9223372036854775807 and strides [1] of shape [2] leave a storage of 2 values
    a huge extent
      x.pth: w: shape [9223372036854775807] has more values than its storage, which holds 2, and than 16777216
    huge extents
      x.pth: w: shape [9223372036854775807, 9223372036854775807] has more values than its storage, which holds 2, and than 16777216
    a huge stride
      x.pth: w: offset 0 and strides [9223372036854775807] of shape [2] leave a storage of 2 values
    more values than there are
      w [3]: [0.0, 0.0, 0.0]
    fewer strides than axes
      x.pth: data.pkl: byte 133: a tensor of shape [1, 2] with strides [1]
    nine axes
      x.pth: data.pkl: byte 165: a tensor of 9 axes; at most 8 are read
    a shape of strings
      x.pth: data.pkl: byte 135: an extent that is no integer
    an integer beyond 64 bits
      x.pth: data.pkl: byte 140: a tensor without an offset
    a storage of more values
      x.pth: data/0: 8 bytes, expected 9223372036854775807 values of F32
    a storage of a wider type
      x.pth: data/0: 8 bytes, expected 2 values of F64
    booleans
      w [1]: dtype BOOL: weights are F32, F64, F16, BF16, I32, I16, I8 or U8
    ");
}

#[test]
fn archives_that_are_no_checkpoint() {
    let whole = example("f32.pth");
    let state = [
        b"\x80\x02",
        &tensor(&storage("FloatStorage", b"K\x02"), b"K\x00", b"K\x02\x85", b"K\x01\x85")[..],
        b".",
    ]
    .concat();
    let zeros: &[u8] = &[0; 8];
    let flipped = {
        let mut bytes = archive(&[("data.pkl", &state), ("data/0", zeros)]);
        let at = bytes.windows(8).position(|window| window == zeros).unwrap();
        bytes[at] = 1;
        bytes
    };
    let large = [b"\x80\x02".to_vec(), vec![b'N'; 32 << 20], b".".to_vec()].concat();
    let one = torch_save::tensor("0", &[1]);
    let many = |operation: u8| with_pickle(&[b"\x80\x04N".to_vec(), vec![operation; (4 << 20) + 2]].concat());
    let cases = [
        ("truncated in the middle", whole[..whole.len() / 2].to_vec()),
        ("truncated at the end", whole[..whole.len() - 1].to_vec()),
        ("only its first bytes", whole[..4].to_vec()),
        ("no pickle", archive(&[("data/0", zeros)])),
        ("no storage", archive(&[("data.pkl", &state)])),
        ("a storage that is too short", archive(&[("data.pkl", &state), ("data/0", &zeros[..7])])),
        ("big-endian", archive(&[("data.pkl", &state), ("byteorder", b"big"), ("data/0", zeros)])),
        ("a changed byte", flipped),
        ("a pickle of 32 MiB", with_pickle(&large)),
        ("four million tuples", many(b')')),
        ("four million memories", many(0x94)),
        ("a list", with_pickle(b"\x80\x02].")),
        ("a dict of numbers", with_pickle(b"\x80\x02}K\x01K\x02s.")),
        (
            "a tensor without a name",
            torch_save::file(
                &[dict(&[("w", &one)]), b"K\x01".to_vec(), one.clone(), b"s".to_vec()].concat(),
                &[("0", &[1.0])],
            ),
        ),
        ("records that overlap", {
            // 1,000 entries of the directory for one record of a million bytes.
            let keys: Vec<String> = (0..1000).map(|i| format!("{i:03}")).collect();
            let tensors: Vec<_> = keys.iter().map(|key| torch_save::tensor(key, &[250_000])).collect();
            let entries: Vec<_> =
                keys.iter().zip(&tensors).map(|(key, t)| (key.as_str(), t.as_slice())).collect();
            torch_save::overlapping(&dict(&entries), &keys, &[0; 1_000_000])
        }),
        (
            "a number among tensors",
            with_pickle(&[&state[..state.len() - 1], &text("epoch"), b"K\x01s."].concat()),
        ),
        ("before PyTorch 1.6", example("legacy.pth")),
    ];
    assert_snapshot!(lines(cases, |bytes| opened(&bytes)), @r"
    truncated in the middle
      x.pth: archive: not a whole zip archive: invalid Zip archive: Could not find EOCD
    truncated at the end
      x.pth: archive: not a whole zip archive: invalid Zip archive: Unexpected end of zip::format::blocks::Zip32CDEBlock
    only its first bytes
      x.pth: archive: not a whole zip archive: invalid Zip archive: Could not find EOCD
    no pickle
      x.pth: archive: no record data.pkl: not a file written by torch.save
    no storage
      x.pth: data/0: no such record in the archive
    a storage that is too short
      x.pth: data/0: 7 bytes, expected 2 values of F32
    big-endian
      x.pth: byteorder: not little-endian; save it on a little-endian machine
    a changed byte
      x.pth: data/0: Invalid checksum
    a pickle of 32 MiB
      x.pth: data.pkl: 33554435 bytes exceed 33554432; convert it with python/convert/to_safetensors.py
    four million tuples
      x.pth: data.pkl: byte 4194303: more than 4194304 objects
    four million memories
      x.pth: data.pkl: byte 4194307: remembers more than 4194304 objects
    a list
      x.pth: data.pkl: no dict of tensors
    a dict of numbers
      x.pth: data.pkl: no tensors at the top level or under model, state_dict, model_state_dict, module, net
    a tensor without a name
      x.pth: data.pkl: the name of a tensor is no string
    records that overlap
      x.pth: data/001: the records are longer than the archive
    a number among tensors
      w [2]: [0.0, 0.0], epoch no tensor
    before PyTorch 1.6
      x.pth: header: written by torch.save before PyTorch 1.6; convert it with python/convert/to_safetensors.py
    ");
}

#[test]
fn the_state_dict_is_looked_for_under_known_names() {
    let two = storage("FloatStorage", b"K\x02");
    let weights = |values: u8| tensor(&two, b"K\x00", &[b'K', values, 0x85], b"K\x01\x85");
    let entries = |entries: &[(&str, Vec<u8>)]| {
        let set = |(key, value): &(&str, Vec<u8>)| [text(key), value.clone(), b"s".to_vec()].concat();
        [b"}".to_vec(), entries.iter().flat_map(set).collect()].concat()
    };
    let number = b"K\x03".to_vec();
    // An entry that is itself a tensor: a dict without its first and its last two operations.
    let score = weights(1)[7..].to_vec();
    let cases = [
        ("at the top", weights(2)),
        ("under net", entries(&[("model", number.clone()), ("net", weights(2))])),
        ("under two names", entries(&[("net", weights(1)), ("state_dict", weights(2))])),
        ("beside a tensor", entries(&[("score", score[..score.len() - 1].to_vec()), ("model", weights(2))])),
        (
            "beside a dict of numbers",
            entries(&[("model", entries(&[("a", number)])), ("module", weights(2))]),
        ),
        ("under another name", entries(&[("ema", weights(2))])),
    ];
    assert_snapshot!(lines(cases, |code| pickled(&[&code])), @r"
    at the top
      w [2]: [0.0, 0.0]
    under net
      w [2]: [0.0, 0.0]
    under two names
      w [2]: [0.0, 0.0]
    beside a tensor
      w [2]: [0.0, 0.0]
    beside a dict of numbers
      w [2]: [0.0, 0.0]
    under another name
      x.pth: data.pkl: no tensors at the top level or under model, state_dict, model_state_dict, module, net, but under ema (1 tensor): --checkpoint-key chooses
    ");
}

/// Opens `bytes` and reads what can be read; the result does not matter.
fn use_checkpoint(bytes: &[u8]) {
    if let Ok(checkpoint) = Checkpoint::open(bytes, "x.pth") {
        checkpoint.iter().for_each(|(_, tensor)| drop(tensor.values()));
    }
}

/// Every prefix of `original`, and every change of one of its bits, or of all bits of a byte.
fn damaged(original: &[u8], mut examine: impl FnMut(&[u8])) {
    (0..original.len()).for_each(|length| examine(&original[..length]));
    let mut bytes = original.to_vec();
    for at in 0..bytes.len() {
        for change in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            bytes[at] ^= change;
            examine(&bytes);
            bytes[at] ^= change;
        }
    }
}

#[test]
fn damaged_archives_are_read_or_refused() {
    damaged(&example("views.pth"), use_checkpoint);
}

/// Pickles are damaged inside archives whose checksums are right.
#[test]
fn damaged_pickles_are_read_or_refused() {
    for name in ["training.pth", "parameters_protocol4.pth"] {
        let bytes = example(name);
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes.as_slice())).unwrap();
        let mut records = Vec::new();
        for i in 0..zip.len() {
            let mut file = zip.by_index(i).unwrap();
            let mut content = Vec::new();
            std::io::copy(&mut file, &mut content).unwrap();
            let name = file.name().unwrap().split_once('/').unwrap().1.to_owned();
            records.push((name, content));
        }
        let pickle = records.iter().find(|(name, _)| name == "data.pkl").unwrap().1.clone();
        let mut accepted = 0;
        damaged(&pickle, |damaged| {
            let content = |(name, content): &'_ (String, Vec<u8>)| match name.as_str() {
                "data.pkl" => damaged.to_vec(),
                _ => content.clone(),
            };
            let changed: Vec<_> = records.iter().map(|r| (r.0.as_str(), content(r))).collect();
            let bytes = archive(&changed.iter().map(|(name, c)| (*name, c.as_slice())).collect::<Vec<_>>());
            accepted += usize::from(Checkpoint::open(&bytes, "x.pth").is_ok());
            use_checkpoint(&bytes);
        });
        assert!(accepted > 0, "{name}: changes of names leave a checkpoint");
    }
}
