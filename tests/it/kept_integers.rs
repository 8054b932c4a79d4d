//! Settings whose integers are kept beside them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use assert_cmd::cargo::cargo_bin_cmd;
use insta::assert_snapshot;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use spiq::evaluate::Calibrated;
use spiq::exchange::export_setting;
use spiq::load;
use spiq::model::{DataSet, Model, Selection};
use spiq::quant::{Calibration, FixedPoint, KeptIntegers, LayerOverride, Precision, Setting, quantize};
use tempfile::TempDir;

fn model(name: &str) -> Arc<Model> {
    let path = format!("{}/tests/data/families/{name}.ron", env!("CARGO_MANIFEST_DIR"));
    Arc::new(load::model(&path).unwrap())
}

fn calibrated(model: &Arc<Model>) -> Calibrated {
    let mut data = DataSet::load_for("noise", &model.description).unwrap();
    data.validation.truncate(2);
    Calibrated::on_validation(Arc::clone(model), &data).unwrap()
}

fn fixed(setting: Setting) -> FixedPoint {
    match setting.precision {
        Precision::Fixed(fixed) => fixed,
        Precision::Float32 => panic!("{} is float", setting.name),
    }
}

/// `spec`, with what it made of the model kept in `folder`.
fn kept(folder: &TempDir, calibrated: &Calibrated, spec: &str) -> FixedPoint {
    let path = folder.path().join("kept.ron");
    let setting = fixed(Setting::load(spec).unwrap());
    export_setting(&setting, &calibrated.integers(&setting).unwrap(), &path).unwrap();
    fixed(Setting::load(path.to_str().unwrap()).unwrap())
}

/// No range, no statistics, no image: what is kept suffices for every integer, bound and step.
#[test]
fn kept_integers_are_those_of_calibration() {
    let folder = TempDir::new().unwrap();
    let cases = [
        ("v1", "w3+mse+gptq+bias+rate"),
        ("v2", "pot3u8+gptq+rate"),
        ("v3", "w2+bias"),
        ("spikingformer", "floor5+bias+rate"),
        ("qk_former", "w4u6"),
        ("spikformer_events", "w12+rate"),
        ("v1", "adalog4+gptq+bias"),
        ("v2", "adalog3"),
    ];
    for (name, spec) in cases {
        let model = model(name);
        let calibrated = calibrated(&model);
        let expected = calibrated.quantize(&fixed(Setting::load(spec).unwrap())).unwrap();
        let setting = kept(&folder, &calibrated, spec);
        let unseen = Calibration::new(model.network.nodes.len());
        let found = quantize(&model, &setting, &unseen).unwrap();
        assert_eq!(found.ops(), expected.ops(), "{name} {spec}");
        assert_eq!((found.bounds(), found.lsbs()), (expected.bounds(), expected.lsbs()), "{name} {spec}");
        assert_eq!(found.residual(), expected.residual(), "{name} {spec}");
        assert!(!setting.needs_images(&model), "{name} {spec}");
    }
}

/// Other membranes, layers, timesteps or weights, and the integers are made anew.
#[test]
fn integers_of_something_else_are_not_used() {
    let folder = TempDir::new().unwrap();
    let (v1, other) = (model("v1"), model("v1_odd"));
    let setting = kept(&folder, &calibrated(&v1), "w3+rate");
    assert!(setting.kept_of(&v1).is_some());
    assert!(setting.kept_of(&other).is_none());
    let narrow = LayerOverride { membrane_bits: Some(4), ..LayerOverride::default() };
    let changed = setting.with_layer("*", narrow);
    assert!(changed.kept_of(&v1).is_none());
    assert!(changed.kept_note(&v1).unwrap().starts_with("kept.safetensors is of another"));
    let found = calibrated(&v1).quantize(&changed).unwrap();
    let plain = fixed(Setting::load("w3+rate").unwrap()).with_layer("*", narrow);
    assert_eq!(found.ops(), calibrated(&v1).quantize(&plain).unwrap().ops());
}

/// Weights alone do not make integers: timesteps decide which thresholds fire as often.
#[test]
fn integers_of_other_timesteps_are_not_used() {
    let name = "sdtv1_2-64_fashion";
    let (own, shorter) =
        (load::model(name).unwrap(), load::model_with(name, None, &Selection::default(), Some(2)));
    let shorter = shorter.unwrap();
    assert_eq!(own.sha256, shorter.sha256);
    for spec in ["w4-calibrated", "w3-calibrated", "w2-calibrated", "pot3-calibrated"] {
        let setting = fixed(Setting::load(spec).unwrap());
        assert!(setting.kept_of(&own).is_some() && setting.kept_of(&shorter).is_none(), "{spec}");
    }
}

/// Integers of a network that was trained from another stand in for those of that one, and for no third.
#[test]
fn trained_integers_are_kept_for_what_training_started_from() {
    let folder = TempDir::new().unwrap();
    let seeded = |seed: u32| {
        let text = fs::read_to_string("tests/data/families/v1.ron").unwrap();
        let path = folder.path().join(format!("{seed}.ron"));
        fs::write(&path, text.replace("Seeded(5)", &format!("Seeded({seed})"))).unwrap();
        Arc::new(load::model(path.to_str().unwrap()).unwrap())
    };
    let [untrained, trained, third] = [1, 2, 3].map(seeded);
    let setting = fixed(Setting::load("w3").unwrap());
    let trained = calibrated(&trained);
    let integers = trained.integers_for(&setting, &untrained).unwrap();
    let path = folder.path().join("kept.ron");
    export_setting(&setting, &integers, &path).unwrap();
    let kept = fixed(Setting::load(path.to_str().unwrap()).unwrap());
    let found = calibrated(&untrained).quantize(&kept).unwrap();
    assert_eq!(found.ops(), trained.quantize(&setting).unwrap().ops());
    assert_ne!(found.ops(), calibrated(&untrained).quantize(&setting).unwrap().ops());
    assert!(kept.kept_of(trained.model()).is_none() && kept.kept_of(&third).is_none());
}

/// Bytes do not depend on who writes them when.
#[test]
fn a_file_of_integers_is_written_alike() {
    let v1 = model("v1");
    let setting = fixed(Setting::load("w3+gptq+rate").unwrap());
    let of = |calibrated: &Calibrated| calibrated.integers(&setting).unwrap();
    let (calibrated, again) = (calibrated(&v1), calibrated(&v1));
    let bytes = of(&calibrated);
    assert_eq!(bytes, of(&calibrated));
    assert_eq!(bytes, of(&again));
    assert!(KeptIntegers::parse(&bytes, "x").unwrap().are_of(&v1));
}

/// Exit code, and what was printed, or said of an error.
pub fn spiq(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = cargo_bin_cmd!("spiq").args(arguments).current_dir(folder).output().unwrap();
    let told = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.code().unwrap(), String::from_utf8(told).unwrap())
}

/// The report of a setting from its file is that of the setting, but for the note that says where its integers are from.
#[test]
fn a_setting_is_exported_and_runs() {
    let folder = TempDir::new().unwrap();
    let images = ["--data", "noise", "--limit", "2"];
    let (code, told) = spiq(
        folder.path(),
        &[&["export", "setting", "--quant", "w3+rate", "--out", "a/my.ron"], &images[..]].concat(),
    );
    assert_eq!((code, told.as_str()), (0, "Wrote a/my.ron (with its integers beside it)\n"));
    let simulate = |quant: &str| {
        let run = ["simulate", "--quiet", "--json", "--quant", quant];
        let (code, told) = spiq(folder.path(), &[&run[..], &images].concat());
        assert_eq!(code, 0, "{told}");
        let mut report: serde_json::Value = serde_json::from_str(&told).unwrap();
        let setting = &mut report["settings"][0];
        let notes = setting["notes"].take().to_string();
        (notes, report["settings"].take())
    };
    let ((_, anew), (notes, kept)) = (simulate("w3+rate"), simulate("a/my.ron"));
    assert_eq!(anew, kept);
    assert!(notes.contains("integers are those of a/my.safetensors"), "{notes}");
    let (code, told) = spiq(folder.path(), &["export", "setting", "--quant", "fp32", "--out", "b.ron"]);
    assert_eq!((code, told.as_str()), (2, "error: --quant: fp32 has no integers to keep\n"));
    let (code, told) = spiq(folder.path(), &["export", "setting", "--quant", "w3", "--out", "b.txt"]);
    let expected = "error: b.txt: name: a setting is a file whose name ends in .ron\n";
    assert_eq!((code, told.as_str()), (2, expected));
}

/// `bytes` with the text `from` replaced by `to`, which is as long.
fn with(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).expect("is there");
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

/// `bytes` with the last code of a layer replaced by `code`.
fn with_code(bytes: &[u8], code: i8) -> Vec<u8> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let codes = file.tensor("block.0.attn.k_conv.codes").unwrap();
    let end = codes.data().as_ptr() as usize + codes.data().len() - bytes.as_ptr() as usize;
    [&bytes[..end - 1], &[code as u8], &bytes[end..]].concat()
}

/// `bytes` with other `integers` in the tensor `name`, or without it.
fn with_integers(bytes: &[u8], name: &str, integers: Option<&[i64]>) -> Vec<u8> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let own: Vec<u8> = integers.unwrap_or(&[]).iter().flat_map(|x| x.to_le_bytes()).collect();
    let views = file.iter().filter_map(|(other, view)| match (other == name, integers) {
        (false, _) => Some((other, view)),
        (true, None) => None,
        (true, Some(all)) => Some((other, TensorView::new(view.dtype(), vec![all.len()], &own).unwrap())),
    });
    safetensors::serialize(views, header.metadata().clone()).unwrap()
}

#[test]
fn files_of_integers_that_make_no_sense() {
    let folder = TempDir::new().unwrap();
    let v1 = model("v1");
    let setting = kept(&folder, &calibrated(&v1), "w3");
    let path = folder.path().join("kept.safetensors");
    let sound = fs::read(&path).unwrap();
    let thresholds = "block.0.attn.q_lif.thresholds";
    let cases = [
        ("cut", sound[..sound.len() - 1].to_vec()),
        ("no integers", with(&sound, "\"spiq\"", "\"spoq\"")),
        ("of a later version", with(&sound, "version: 1", "version: 2")),
        ("of another setting", with(&sound, "bits: 3", "bits: 4")),
        ("of no setting", with(&sound, "Setting(", "Sitting(")),
        ("a tensor of no layer", with(&sound, "ranges", "rongas")),
        ("a code of four bits", with_code(&sound, 4)),
        ("another code of three bits", with_code(&sound, -3)),
        ("no thresholds", with_integers(&sound, thresholds, Some(&[]))),
        ("thresholds beyond everything", with_integers(&sound, thresholds, Some(&[i64::MIN; 64]))),
        ("steps of another type", with(&sound, "\"dtype\":\"F64\"", "\"dtype\":\"I64\"")),
    ];
    let mut told = String::new();
    for (name, bytes) in cases {
        fs::write(&path, bytes).unwrap();
        let loaded = Setting::load(folder.path().join("kept.ron").to_str().unwrap()).map(fixed);
        let found = loaded.and_then(|setting| {
            let used = setting.kept_of(&v1).is_some();
            quantize(&v1, &setting, &Calibration::of_any_range(v1.network.nodes.len())).map(|_| used)
        });
        let found = found.map_or_else(|e| e.to_string(), |used| format!("used: {used}"));
        told += &format!("{name}\n  {}\n", found.replace(folder.path().to_str().unwrap(), ""));
    }
    fs::remove_file(&path).unwrap();
    let missing = Setting::load(folder.path().join("kept.ron").to_str().unwrap()).unwrap_err().to_string();
    told += &format!("missing\n  {}\n", missing.replace(folder.path().to_str().unwrap(), ""));
    assert_snapshot!(told, @r"
    cut
      /kept.safetensors: header: not a safetensors file: incomplete metadata, file not fully covered
    no integers
      /kept.safetensors: metadata: spiq: missing: no integers of a setting
    of a later version
      /kept.safetensors: metadata: version: 2, and this spiq reads version 1
    of another setting
      used: false
    of no setting
      /kept.safetensors: setting:1:1: Expected struct `Setting` but found `Sitting`
    a tensor of no layer
      /kept.safetensors: rongas: unknown
    a code of four bits
      /kept.safetensors: block.0.attn.k_conv: 4 is no level of its 3 bits
    another code of three bits
      used: true
    no thresholds
      /kept.safetensors: block.0.attn.q_lif: 0 thresholds of 64 channels
    thresholds beyond everything
      /kept.safetensors: block.0.attn.q_lif: a threshold of -9223372036854775808 is beyond 53 bits
    steps of another type
      /kept.safetensors: block.0.attn.k_conv.codes: its lsb: I64, expected F64
    missing
      /kept.safetensors: No such file or directory (os error 2)
    ");
    assert!(setting.kept_of(&v1).is_some());
}

#[test]
fn bases_that_a_layer_can_not_have() {
    let folder = TempDir::new().unwrap();
    let v1 = model("v1");
    kept(&folder, &calibrated(&v1), "adalog3");
    let path = folder.path().join("kept.safetensors");
    let sound = fs::read(&path).unwrap();
    let cases: [Option<&[i64]>; 5] = [None, Some(&[17]), Some(&[300]), Some(&[16, 20]), Some(&[])];
    let mut told = String::new();
    for base in cases {
        fs::write(&path, with_integers(&sound, "block.0.attn.k_conv.base", base)).unwrap();
        let setting = Setting::load(folder.path().join("kept.ron").to_str().unwrap()).map(fixed);
        let ranges = Calibration::of_any_range(v1.network.nodes.len());
        let error = setting.and_then(|setting| quantize(&v1, &setting, &ranges)).unwrap_err().to_string();
        told += &format!("{base:?} {}\n", error.replace(folder.path().to_str().unwrap(), ""));
    }
    assert_snapshot!(told, @r"
    None /kept.safetensors: block.0.attn.k_conv: no base of its levels
    Some([17]) /kept.safetensors: block.0.attn.k_conv: base 17 is none of [16, 20, 24, 28, 32, 36, 40, 44]
    Some([300]) /kept.safetensors: block.0.attn.k_conv.codes: its base: 300 is none
    Some([16, 20]) /kept.safetensors: block.0.attn.k_conv.codes: its base: 2 values, expected 1
    Some([]) /kept.safetensors: block.0.attn.k_conv.codes: its base: 0 values, expected 1
    ");
}
