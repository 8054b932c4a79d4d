//! `simulate --rates`: what is expected from the rates of an executed run is close to that run.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use spiq::evaluate::{Evaluator, calibrate};
use spiq::exec::Rates;
use spiq::files::Folder;
use spiq::load;
use spiq::map::Workload;
use spiq::model::{DataSet, Kind, ModelDescription};
use spiq::quant::scheme::{Clip, Scale, Sharing};
use spiq::quant::{Calibration, FixedPoint, Precision, Setting, WeightScheme, quantize};

/// What `spiq simulate` reports with `flags`; its files are in `out`.
fn simulate(out: &Path, flags: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_spiq"))
        .args(["simulate", "--quiet", "--json", "--out"])
        .arg(out)
        .args(flags)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {pointer}"))
}

/// Spikes are counted as they were, but for the taps that fall on the padding; lanes that wait for each
/// other wait for independent spikes. The mapper sees other energies, and may lay a layer out in another way.
#[test]
fn rates_of_a_run_give_back_its_cost() {
    let folder = tempfile::tempdir().unwrap();
    for (hw, tolerance) in [("edge-28", 0.05), ("systolic-28", 0.02), ("cortex-m4", 0.03)] {
        let (run, replay) = (folder.path().join("run"), folder.path().join("replay"));
        let executed = simulate(&run, &["--hw", hw, "--quant", "w8", "--quant", "w3", "--limit", "32"]);
        for (i, setting) in ["w8", "w3"].into_iter().enumerate() {
            let rates = run.join("rates").join(format!("{setting}.csv"));
            let expected =
                simulate(&replay, &["--hw", hw, "--quant", setting, "--rates", rates.to_str().unwrap()]);
            let (executed, expected) = (&executed["settings"][i], &expected["settings"][0]);
            let ratio = |pointer: &str| number(expected, pointer) / number(executed, pointer);
            let names = ["/synaptic_operations", "/spikes", "/cycles/total", "/energy_j/total"];
            let [operations, spikes, cycles, energy] = names.map(ratio);
            println!(
                "{hw} {setting}: operations {operations:.4} spikes {spikes:.4} cycles {cycles:.4} energy {energy:.4}"
            );
            assert!((operations - 1.0).abs() < 0.03, "{hw} {setting}: operations {operations}");
            assert!((spikes - 1.0).abs() < 0.001, "{hw} {setting}: spikes {spikes}");
            assert!((cycles - 1.0).abs() < tolerance, "{hw} {setting}: cycles {cycles}");
            assert!((energy - 1.0).abs() < 0.03, "{hw} {setting}: energy {energy}");
            // The rates that were charged are the rates of the file.
            let again = std::fs::read_to_string(replay.join("rates").join(format!("{setting}.csv"))).unwrap();
            let rows =
                |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
            let [given, charged]: [Vec<String>; 2] =
                [rows(&std::fs::read_to_string(&rates).unwrap()), rows(&again)];
            assert_eq!(given, charged);
        }
    }
}

#[test]
fn a_report_of_rates_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let report =
        simulate(folder.path(), &["--rates", "sdtv1_2-64_fashion", "--quant", "fp32", "--quant", "w4"]);
    assert_eq!(report["data"], Value::Null);
    assert_eq!(report["rates"]["file"], "models/rates/sdtv1_2-64_fashion.csv");
    assert_eq!(report["rates"]["sha256"].as_str().unwrap().len(), 64);
    for setting in report["settings"].as_array().unwrap() {
        assert_eq!((&setting["accuracy"], &setting["accuracy_drop"]), (&Value::Null, &Value::Null));
        let notes = setting["notes"].to_string();
        assert!(
            notes.contains("activity expected from models/rates/sdtv1_2-64_fashion.csv, not executed"),
            "{notes}"
        );
        assert!(!notes.contains("synthetic noise"), "nothing depends on ranges: {notes}");
        assert_eq!(number(setting, "/saturations"), 0.0);
        let (worst, mean) = (number(setting, "/worst_latency_s"), number(setting, "/latency_s"));
        assert!((worst / mean - 1.0).abs() < 1e-12, "{worst} {mean}");
    }
    let csv = std::fs::read_to_string(folder.path().join("settings.csv")).unwrap();
    assert!(csv.lines().nth(1).unwrap().starts_with("fp32,,,32,"), "{csv}");
}

/// Rate 0 is nothing but what reads values of many bits; rate 1 is the dense network.
#[test]
fn rate_zero_is_nothing_and_rate_one_is_dense() {
    let folder = tempfile::tempdir().unwrap();
    let network = ModelDescription::load("sdtv1_2-64_fashion").unwrap().1;
    for rate in [0.0, 1.0] {
        let rows =
            network.weighted().map(|(_, node, _)| format!("{},{rate}\n", node.name)).collect::<String>();
        let path = folder.path().join("rates.csv");
        std::fs::write(&path, format!("layer,rate\n{rows}")).unwrap();
        let report =
            simulate(&folder.path().join("out"), &["--quant", "w4", "--rates", path.to_str().unwrap()]);
        for layer in report["settings"][0]["layers"].as_array().unwrap() {
            // Taps on the padding are counted as dense work, and are never executed.
            let (operations, dense) =
                (number(layer, "/synaptic_operations"), number(layer, "/dense_operations"));
            let padded = layer["kind"] == "conv 3x3";
            assert!(
                if rate == 0.0 {
                    operations == 0.0
                } else {
                    operations == dense || padded && operations < dense
                },
                "{layer}"
            );
        }
    }
}

/// The built-in rates are those of the built-in model of the same name.
#[test]
fn built_in_rates_fit_their_models() {
    let names = Folder::Bundled("models/rates").names("csv");
    assert_eq!(
        names.len(),
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/models/rates")).unwrap().count()
    );
    for name in names {
        let (_, network, _) = ModelDescription::load(name).unwrap();
        assert_eq!(Rates::load(name, &network).unwrap().unknown_neurons(&network), None, "{name}");
    }
}

/// The authors' log gives 6.4897 G accumulations of convolutions per image, biases and taps on the padding
/// among them; a padding of one position around maps of 112 to 14 rows is up to a tenth of the taps.
#[test]
fn published_rates_give_the_published_operations() {
    let network = ModelDescription::load("spikingformer_8-512_imagenet").unwrap().1;
    let activity = Rates::load("spikingformer_8-512_imagenet", &network).unwrap().activity(&network);
    let (mut with_padding, mut executed) = (0.0, 0.0);
    for (id, node, weighted) in network.weighted() {
        let input = network.input_of(node, 0);
        if input.kind == Kind::Spikes {
            let total = activity.nodes[id.index()].total();
            let dense = (node.shape.values() * weighted.geometry.fan_in()) as f64;
            with_padding += f64::from(total.input_events) / input.shape.values() as f64 * dense;
            executed += total.accumulations as f64;
        }
    }
    assert!((with_padding / 6.4897e9 - 1.0).abs() < 0.001, "{with_padding}");
    assert!(executed < with_padding && executed > 0.9 * with_padding, "{executed}");
}

/// Formats have their widths wherever their point lies, so that nothing has to run to say what a network costs; only
/// grids of few bits are calibrated.
#[test]
fn costs_do_not_depend_on_ranges() {
    for name in ["v2", "spikingformer"] {
        let path = format!("{}/tests/data/families/{name}.ron", env!("CARGO_MANIFEST_DIR"));
        let model = Arc::new(load::model(&path).unwrap());
        let noise = DataSet::load_for("noise", &model.description).unwrap();
        let seen = calibrate(&model, &noise, &noise.test, &|| ()).unwrap();
        let any = Calibration::of_any_range(model.network.nodes.len());
        assert_ne!(seen.magnitude, any.magnitude);
        let rates = Arc::new(Rates::uniform(&model.network, 0.2).unwrap());
        let evaluator = Evaluator::expecting(Arc::clone(&model), rates);
        let calibrated = |fixed: &FixedPoint, ranges: &Calibration| {
            Workload::quantized(&quantize(&model, fixed, ranges).unwrap())
        };
        let expected = |fixed: &FixedPoint| {
            evaluator.prepare(&Setting::of(fixed.clone()).unwrap()).unwrap().workload.clone()
        };
        for spec in ["w8", "w4u8", "w2", "pot3", "floor8"] {
            let Precision::Fixed(fixed) = Setting::load(spec).unwrap().precision else { unreachable!() };
            assert_eq!(calibrated(&fixed, &seen), calibrated(&fixed, &any), "{name} {spec}");
            assert_eq!(calibrated(&fixed, &seen), expected(&fixed), "{name} {spec}");
        }
        let mut coarse = FixedPoint::uniform("coarse", uniform(4), 16);
        (coarse.activation_bits, coarse.residual_bits) = (5, 6);
        assert_eq!(calibrated(&coarse, &seen), expected(&coarse), "{name}");
        if name == "v2" {
            assert_ne!(calibrated(&coarse, &seen), calibrated(&coarse, &any), "a range decides no width");
        }
    }
}

/// Equal steps, a scale for each channel.
fn uniform(bits: u32) -> WeightScheme {
    WeightScheme::Uniform { bits, scale: Scale::Free, granularity: Sharing::Channel, clip: Clip::Max }
}

#[test]
fn a_setting_is_prepared_once_whatever_it_is_called() {
    let model = Arc::new(load::model("sdtv1_2-64_fashion").unwrap());
    let rates = Arc::new(Rates::uniform(&model.network, 0.2).unwrap());
    let evaluator = Evaluator::expecting(model, rates);
    let w4 = Setting::load("w4").unwrap();
    let four = Setting::parse(&w4.to_ron().unwrap().replace("\"w4\"", "\"four\""), "four.ron").unwrap();
    assert_eq!((w4.name.as_str(), four.name.as_str()), ("w4", "four"));
    let prepare = |setting: &Setting| evaluator.prepare(setting).unwrap();
    let first = prepare(&w4);
    assert!(first.quantized.is_some());
    assert!(Arc::ptr_eq(&first, &prepare(&w4)) && Arc::ptr_eq(&first, &prepare(&four)));
    let others = ["w8", "w4u8", "fp32"].map(|spec| prepare(&Setting::load(spec).unwrap()));
    assert!(others.iter().all(|other| !Arc::ptr_eq(&first, other)));
    assert!(others[2].quantized.is_none() && others[0].workload != others[1].workload);
}
