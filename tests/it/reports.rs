//! What `spiq simulate` leaves behind and prints, from the outside: the program is run, its files
//! are read.

mod bottlenecks;
mod browser;
mod exploration_page;
mod pages;
mod pictures;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::cargo::cargo_bin_cmd;
use insta::assert_snapshot;
use serde_json::Value;

use crate::bad_input::support::{Bench, bundled_text, change};

/// In an order of our own, which the reports must keep.
const SETTINGS: [&str; 9] = ["w4", "fp32", "w8", "w6", "w3", "w2", "w4u8", "pot3", "mixed"];

/// One run of the program: the folder that it wrote and what it printed.
struct Run {
    out: PathBuf,
    stdout: String,
}

impl Run {
    /// Runs `simulate` with `flags` in the working directory `cwd`, into an empty folder `name`.
    fn new(name: &str, cwd: &Path, flags: &[&str]) -> Self {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&out);
        let mut command = cargo_bin_cmd!("spiq");
        command.current_dir(cwd).args(["simulate", "--quiet", "--out"]).arg(&out).args(flags);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { out, stdout: String::from_utf8(output.stdout).unwrap() }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.out.join(name)).unwrap()
    }

    fn report(&self) -> Value {
        serde_json::from_str(&self.read("report.json")).unwrap()
    }

    fn rows(&self, name: &str) -> Vec<csv::StringRecord> {
        csv::Reader::from_path(self.out.join(name)).unwrap().records().map(Result::unwrap).collect()
    }

    /// The table as printed, without the line that names the folder.
    fn table(&self) -> String {
        let (table, wrote) = self.stdout.rsplit_once("\nWrote ").unwrap();
        assert_eq!(Path::new(wrote.trim_end()), self.out);
        table.to_owned()
    }
}

/// `table` without the sentences on what costs most, which tests of their own look at.
fn without_sentences(table: &str) -> String {
    let Some((before, rest)) = table.split_once("\nwhat costs most: ") else { return table.to_owned() };
    let after = rest.splitn(3, "\n\n").nth(2).unwrap_or_default();
    format!("{before}\n{after}")
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `--quant` before each of `settings`, then `flags`.
fn quant<'a>(settings: &[&'a str], flags: &[&'a str]) -> Vec<&'a str> {
    settings.iter().flat_map(|setting| ["--quant", setting]).chain(flags.iter().copied()).collect()
}

/// All settings on twenty images, two threads; most tests look at this run.
static RUN: LazyLock<Run> = LazyLock::new(|| {
    Run::new("reports", repository(), &quant(&SETTINGS, &["--limit", "20", "--threads", "2"]))
});
static REPORT: LazyLock<Value> = LazyLock::new(|| RUN.report());

fn settings() -> &'static Vec<Value> {
    REPORT["settings"].as_array().unwrap()
}

fn setting(name: &str) -> &'static Value {
    settings().iter().find(|setting| setting["name"] == name).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap()
}

fn layers(setting: &Value) -> &Vec<Value> {
    setting["layers"].as_array().unwrap()
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {pointer}"))
}

fn assert_close(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() <= 1e-9 * a.abs().max(b.abs()), "{what}: {a} and {b}");
}

/// Every number inside `value`, with its path.
fn numbers(value: &Value, path: &str, found: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(n) => found.push((path.to_owned(), n.as_f64().unwrap())),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| numbers(v, &format!("{path}/{i}"), found))
        }
        Value::Object(map) => map.iter().for_each(|(key, v)| numbers(v, &format!("{path}/{key}"), found)),
        _ => {}
    }
}

/// The keys of `value` and below, one line per object; lists show their first entry.
fn keys(value: &Value, path: &str, text: &mut String) {
    match value {
        Value::Array(items) => items.iter().take(1).for_each(|item| keys(item, &format!("{path}[]"), text)),
        Value::Object(map) => {
            let names: Vec<&str> = map.keys().map(String::as_str).collect();
            text.push_str(&format!("{path}: {}\n", names.join(" ")));
            map.iter().for_each(|(key, value)| keys(value, &format!("{path}.{key}"), text));
        }
        _ => {}
    }
}

/// A key that changes its name or goes is a new `schema_version`.
#[test]
fn schema() {
    assert_eq!(REPORT["schema_version"], 2);
    assert_eq!(REPORT["spiq_version"], env!("CARGO_PKG_VERSION"));
    let mut text = String::new();
    keys(&REPORT, "report", &mut text);
    assert_snapshot!(text, @r"
    report: command data featured_setting hardware model rates schema_version settings spikes spiq_version tables
    report.data: images name sha256
    report.hardware: clock_hz constants energies memories name sha256 units
    report.hardware.constants[]: name source value
    report.hardware.memories[]: bits_per_cycle feeds_units name
    report.hardware.units[]: lanes name takes_products
    report.model: family name notes parameters sha256
    report.settings[]: accuracy accuracy_drop area_mm2 area_parts_mm2 average_weight_bits batch bottlenecks cycles energy_j energy_per_synaptic_operation_j footprint_bytes latency_s layers memories model_bytes name notes power_w saturations spikes stall_cycles stalls synaptic_operations throughput_images_per_s traffic_bits units worst_energy_j worst_latency_s
    report.settings[].area_parts_mm2: arithmetic attention control crossbars neurons other_memories registers requantizers weight_memory
    report.settings[].bottlenecks[]: advice cycles_cause cycles_share energy_cause energy_share finding layer remedy tried
    report.settings[].bottlenecks[].cycles_cause: part share words
    report.settings[].bottlenecks[].energy_cause: part share words
    report.settings[].bottlenecks[].remedy: area_mm2 change layer network
    report.settings[].bottlenecks[].remedy.layer: cycles_ratio energy_ratio
    report.settings[].bottlenecks[].remedy.network: cycles_ratio energy_ratio
    report.settings[].cycles: dram_stall epilogue fill_drain ideal imbalance load port_stall store total under_utilisation
    report.settings[].energy_j: dynamic leakage total
    report.settings[].energy_j.dynamic: activation_memory attention control dram elementwise membrane_memory neuron partial_sum_memory residual_memory synapse weight_memory
    report.settings[].footprint_bytes: activations membrane parameters residual total weights
    report.settings[].layers[]: accumulations block busy_cycles cycles dense_operations end_cycles energy_j executed_bits input_rate kind loops mapping membrane_bits multiplications name neuron_updates on_chip_bytes saturations spike_rate spikes stall_cycles stalls start_cycles step_spike_rates synaptic_operations tiles traffic_bits weight_bits weight_bytes
    report.settings[].layers[].busy_cycles: attention integer_products joins means neurons pooling requantization spike_products
    report.settings[].layers[].cycles: dram_stall epilogue fill_drain ideal imbalance load port_stall store total under_utilisation
    report.settings[].layers[].energy_j: dynamic leakage total
    report.settings[].layers[].energy_j.dynamic: activation_memory attention control dram elementwise membrane_memory neuron partial_sum_memory residual_memory synapse weight_memory
    report.settings[].layers[].executed_bits: activations_read activations_written membranes_read membranes_written residual_read residual_written weights_read
    report.settings[].layers[].on_chip_bytes: activations membranes partial_sums residual weights
    report.settings[].layers[].stalls[]: cycles direction memory part
    report.settings[].layers[].traffic_bits: activations_read activations_written dram_read dram_written membranes_read membranes_written partial_sums_read partial_sums_written residual_read residual_written weights_read weights_written
    report.settings[].memories[]: capacity_bytes held_bytes layer name peak_bytes share
    report.settings[].memories[].peak_bytes: activations membranes partial_sums residual total weights
    report.settings[].stalls[]: cycles direction memory part
    report.settings[].traffic_bits: activations_read activations_written dram_read dram_written membranes_read membranes_written partial_sums_read partial_sums_written residual_read residual_written weights_read weights_written
    report.settings[].units[]: busy_cycles busy_share ideal_cycles unit utilisation work
    report.tables[]: settings table
    report.tables[].settings[]: energy_j latency_s rank setting
    ");
}

#[test]
fn every_layer_of_every_setting_has_the_same_keys() {
    let shape = |value: &Value| {
        let mut text = String::new();
        keys(value, "", &mut text);
        // Not every layer waits for something.
        text.lines().filter(|line| !line.starts_with(".stalls")).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = shape(&layers(&settings()[0])[0]);
    for setting in settings() {
        assert_eq!(layers(setting).len(), layers(&settings()[0]).len());
        layers(setting).iter().for_each(|layer| assert_eq!(shape(layer), first));
    }
}

#[test]
fn all_numbers_are_finite_and_none_is_negative() {
    let mut found = Vec::new();
    numbers(&REPORT, "", &mut found);
    assert!(found.len() > 5000, "{}", found.len());
    for (path, value) in found {
        assert!(value.is_finite(), "{path} is {value}");
        assert!(value >= 0.0 || path.ends_with("/accuracy_drop"), "{path} is {value}");
    }
}

/// The sum of the fields of the object at `pointer`, without `total`.
fn parts(value: &Value, pointer: &str) -> f64 {
    let object = value.pointer(pointer).unwrap().as_object().unwrap();
    object.iter().filter(|(key, _)| *key != "total").map(|(_, part)| part.as_f64().unwrap()).sum()
}

#[test]
fn totals_are_the_sums_of_their_parts() {
    let check = |row: &Value| {
        assert_close(number(row, "/cycles/total"), parts(row, "/cycles"), "cycles");
        let energy = parts(row, "/energy_j/dynamic") + number(row, "/energy_j/leakage");
        assert_close(number(row, "/energy_j/total"), energy, "energy");
        let stalls: f64 = list(row, "stalls").iter().map(|stall| number(stall, "/cycles")).sum();
        assert_close(number(row, "/stall_cycles"), stalls, "stalls");
    };
    for setting in settings() {
        check(setting);
        assert_close(
            number(setting, "/footprint_bytes/total"),
            parts(setting, "/footprint_bytes"),
            "footprint",
        );
        let model =
            number(setting, "/footprint_bytes/weights") + number(setting, "/footprint_bytes/parameters");
        assert_close(number(setting, "/model_bytes"), model, "model");
        for memory in list(setting, "memories") {
            assert_close(number(memory, "/peak_bytes/total"), parts(memory, "/peak_bytes"), "peak");
        }
        layers(setting).iter().for_each(check);
    }
}

/// Cycles, energy, traffic and counts of a setting are those of its layers.
#[test]
fn a_setting_is_the_sum_of_its_layers() {
    for setting in settings() {
        let mut found = Vec::new();
        for field in ["cycles", "energy_j", "traffic_bits", "synaptic_operations", "spikes", "saturations"] {
            numbers(&setting[field], &format!("/{field}"), &mut found);
        }
        assert!(found.len() > 30);
        for (pointer, total) in found {
            let sum: f64 = layers(setting).iter().map(|layer| number(layer, &pointer)).sum();
            assert_close(total, sum, &format!("{} {pointer}", setting["name"]));
        }
        let weights: f64 = layers(setting).iter().map(|layer| number(layer, "/weight_bytes")).sum();
        assert_close(number(setting, "/footprint_bytes/weights"), weights, "weights");
    }
}

#[test]
fn derived_figures_follow_from_the_others() {
    for setting in settings() {
        let at = |pointer: &str| number(setting, pointer);
        assert_close(at("/latency_s"), at("/cycles/total") / 400e6, "latency at 400 MHz");
        assert_close(at("/power_w"), at("/energy_j/total") / at("/latency_s"), "power");
        let operation = at("/energy_j/total") / at("/synaptic_operations");
        assert_close(at("/energy_per_synaptic_operation_j"), operation, "energy per operation");
        assert!(at("/worst_latency_s") >= at("/latency_s"));
        assert!(at("/worst_energy_j") >= at("/energy_j/total"));
        for layer in layers(setting) {
            let at = |pointer: &str| number(layer, pointer);
            let operations = at("/accumulations") + at("/multiplications");
            assert_close(at("/synaptic_operations"), operations, "operations");
            assert!(operations <= at("/dense_operations"), "{layer}");
            assert!(at("/input_rate") <= 1.0 && at("/spike_rate") <= 1.0, "{layer}");
            assert_close(at("/spikes"), at("/spike_rate") * at("/neuron_updates"), "spikes");
            let steps = layer["step_spike_rates"].as_array().unwrap();
            if at("/neuron_updates") > 0.0 {
                assert_eq!(steps.len(), 4, "{layer}");
                let mean = steps.iter().map(|rate| rate.as_f64().unwrap()).sum::<f64>() / 4.0;
                assert_close(mean, at("/spike_rate"), "mean of the timesteps");
            }
        }
    }
}

#[test]
fn accuracy_counts_images_and_drops_from_the_float_network() {
    let float = number(setting("fp32"), "/accuracy");
    for setting in settings() {
        let right = 20.0 * number(setting, "/accuracy");
        assert!((right - right.round()).abs() < 1e-9 && right <= 20.0, "{right} images");
        assert_close(number(setting, "/accuracy_drop"), float - number(setting, "/accuracy"), "drop");
    }
    // The first images are easy ones: a network that lost them is broken, not quantized.
    assert!(float >= 0.8 && number(setting("w8"), "/accuracy") >= 0.8);
}

/// Without `fp32` among the settings the drop is from the same float network.
#[test]
fn the_drop_does_not_need_a_float_row() {
    let run = Run::new("reports-drop", repository(), &quant(&["w3"], &["--limit", "20"]));
    assert_eq!(run.report()["settings"][0], *setting("w3"));
}

#[test]
fn the_order_of_settings_is_kept() {
    let names: Vec<_> = settings().iter().map(|setting| setting["name"].as_str().unwrap()).collect();
    assert_eq!(names, SETTINGS);
    let rows: Vec<_> = RUN.rows("settings.csv").iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(rows, SETTINGS);
    let mut rows: Vec<_> = RUN.rows("layers.csv").iter().map(|row| row[0].to_owned()).collect();
    rows.dedup();
    assert_eq!(rows, SETTINGS);
    let table = RUN.table();
    let places: Vec<_> = SETTINGS.iter().map(|name| table.find(&format!("\n{name} "))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{table}");
}

#[test]
fn fp32_is_marked() {
    let note = "float network, charged as a datapath of 32-bit integers";
    for setting in settings() {
        let marked = setting["notes"].as_array().unwrap().iter().any(|text| text == note);
        assert_eq!(marked, setting["name"] == "fp32", "{}", setting["name"]);
    }
    assert!(RUN.table().contains(&format!("fp32: {note}")), "{}", RUN.table());
}

#[test]
fn fewer_bits_never_take_more() {
    for pair in ["fp32", "w8", "w6", "w4", "w3", "w2"].windows(2) {
        for field in ["/model_bytes", "/footprint_bytes/weights", "/footprint_bytes/total"] {
            let [more, fewer] = [pair[0], pair[1]].map(|name| number(setting(name), field));
            assert!(fewer <= more, "{field} of {}", pair[1]);
        }
    }
    let [u16, u8] = ["w4", "w4u8"].map(|name| number(setting(name), "/footprint_bytes/membrane"));
    assert_eq!(u8, u16 / 2.0);
}

/// What a memory holds at its peak is what its operands take there while the layer that is named runs, and no
/// layer takes more.
#[test]
fn peaks_are_those_of_layers() {
    let homes = [
        ("weight SRAM", &["weights"][..]),
        ("activation SRAM", &["activations", "residual"]),
        ("state SRAM", &["partial_sums", "membranes"]),
    ];
    for setting in settings() {
        for (memory, (name, operands)) in list(setting, "memories").iter().zip(homes) {
            assert_eq!(memory["name"], name);
            let held = |layer: &Value| -> f64 {
                operands.iter().map(|operand| number(layer, &format!("/on_chip_bytes/{operand}"))).sum()
            };
            let peak = number(memory, "/peak_bytes/total");
            assert!(layers(setting).iter().all(|layer| held(layer) <= peak), "{name}");
            let at = layers(setting).iter().find(|layer| layer["name"] == memory["layer"]).unwrap();
            assert_eq!(held(at), peak, "{name}");
            assert!(peak <= number(memory, "/capacity_bytes"), "{name}");
        }
    }
}

/// The files for spreadsheets hold the numbers of the report.
#[test]
fn csv_files_agree_with_the_report() {
    let mut reader = csv::Reader::from_path(RUN.out.join("settings.csv")).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    for (row, setting) in RUN.rows("settings.csv").iter().zip(settings()) {
        // The parser of JSON may be off by one unit in the last place.
        let agrees = |name: &str, pointer: &str| {
            assert_close(row[column(name)].parse().unwrap(), number(setting, pointer), name);
        };
        agrees("accuracy", "/accuracy");
        agrees("model_bytes", "/model_bytes");
        agrees("footprint_total_bytes", "/footprint_bytes/total");
        agrees("cycles_total", "/cycles/total");
        agrees("energy_total_j", "/energy_j/total");
        agrees("energy_dram_j", "/energy_j/dynamic/dram");
        agrees("area_mm2", "/area_mm2");
    }
    assert_eq!(RUN.rows("layers.csv").len(), SETTINGS.len() * layers(&settings()[0]).len());
    assert_eq!(RUN.rows("memories.csv").len(), SETTINGS.len() * 3);
}

/// One thread, the scalar specification, another working directory, JSON instead of a table: the same bytes.
#[test]
fn threads_kernels_and_working_directory_change_nothing() {
    let elsewhere = tempfile::tempdir().unwrap();
    let flags = quant(&SETTINGS, &["--limit", "20", "--threads", "1", "--isa", "scalar", "--json"]);
    let run = Run::new("reports-elsewhere", elsewhere.path(), &flags);
    for name in ["report.html", "report.json", "settings.csv", "layers.csv", "memories.csv", "rates/w4.csv"] {
        assert!(run.read(name) == RUN.read(name), "{name} differs");
    }
    for name in pictures(&RUN) {
        assert!(fs::read(run.out.join(&name)).unwrap() == fs::read(RUN.out.join(&name)).unwrap(), "{name}");
    }
    assert!(run.stdout == run.read("report.json"), "--json prints something else");
    assert_eq!(
        fs::read_dir(elsewhere.path()).unwrap().count(),
        0,
        "files were left in the working directory"
    );
}

fn pictures(run: &Run) -> Vec<String> {
    let entries = fs::read_dir(run.out.join("plots")).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| format!("plots/{}", entry.unwrap().file_name().to_string_lossy())).collect();
    names.sort();
    names
}

#[test]
fn seven_pictures_in_two_formats_and_nothing_else() {
    let names = pictures(&RUN);
    let stems: Vec<_> = names.iter().filter_map(|name| name.strip_suffix(".svg")).collect();
    assert_eq!((names.len(), stems.len()), (14, 7), "{names:?}");
    for stem in stems {
        let (svg, png) =
            (RUN.read(&format!("{stem}.svg")), fs::read(RUN.out.join(format!("{stem}.png"))).unwrap());
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{stem}");
        assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{stem}");
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert!(pixels.iter().any(|&byte| byte != pixels[0]), "{stem} is empty");
    }
    // With the list of them all.
    assert_eq!(fs::read_dir(&RUN.out).unwrap().count(), 10);
}

/// Names go into CSV, SVG and JSON as they are, and none of them breaks.
#[test]
fn names_with_special_characters() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    let name = r#"a<b>&"c", d'"#;
    let text = "weights: UnitFloor(bits: 4), membrane_bits: 8, residual_bits: 16";
    bench.write("s.ron", format!("Setting(name: {name:?}, {text})"));
    let run = Run::new("reports-names", &bench.path(""), &["--data", "data.ron", "--quant", "s.ron"]);
    assert_eq!(run.report()["settings"][0]["name"], name);
    assert_eq!(&run.rows("settings.csv")[0][0], name);
    assert!(run.table().contains(name));
    for picture in pictures(&run).iter().filter(|picture| picture.ends_with(".svg")) {
        let svg = run.read(picture);
        assert!(!svg.contains("a<b>") && !svg.contains("&\""), "{picture}");
    }
}

/// A second run replaces the first one's files.
#[test]
fn a_later_run_replaces_an_earlier_one() {
    let bench = Bench::new();
    bench.small_data(28, 28);
    for setting in ["w4", "w8"] {
        let output = bench.run(&["simulate", "--quiet", "--data", "data.ron", "--quant", setting]);
        assert!(output.status.success(), "{output:?}");
        // The default of --out.
        let report = fs::read_to_string(bench.path("spiq-out/report.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["settings"][0]["name"], setting);
    }
    assert_eq!(fs::read_dir(bench.path("spiq-out/plots")).unwrap().count(), 14);
}

/// Thresholds of 2^32 steps and more, which 64-bit words hold, decide as coarser ones do.
#[test]
fn finer_steps_do_not_change_what_a_neuron_decides() {
    let bench = Bench::new();
    let cortex = bundled_text("hw_configs/cortex-m4.ron");
    let cortex = change(&cortex, "value: 1048576,", "value: 16777216,");
    bench.write("large.ron", change(&cortex, "value: 393216,", "value: 16777216,"));
    let scheme = "Uniform(bits: 16, scale: Free, granularity: Channel, clip: Max)";
    for bits in ["8", "16"] {
        let layers = format!("[(\"*\", Layer(fraction_bits: {bits}))]");
        let text = format!("weights: {scheme}, membrane_bits: 32, residual_bits: 16, layers: {layers}");
        bench.write(&format!("f{bits}.ron"), format!("Setting(name: \"f{bits}\", {text})"));
    }
    let flags = quant(&["f8.ron", "f16.ron"], &["--hw", "large.ron", "--limit", "20"]);
    let report = Run::new("reports-fine", &bench.path(""), &flags).report();
    let [coarse, fine] = [0, 1].map(|i| number(&report["settings"][i], "/spikes"));
    assert!((fine / coarse - 1.0).abs() < 0.01, "{coarse} spikes and {fine}");
}

/// Paths are the user's, and may be somebody else's file: a terminal shows them, and obeys none.
#[test]
fn no_path_is_an_order_to_the_terminal() {
    let bench = Bench::new();
    let name = "r\u{1b}[2J\u{202e}<x>.csv";
    bench.write(name, bundled_text("models/rates/sdtv1_2-64_fashion.csv"));
    let run = |flags: &[&str]| {
        let output = bench.run(&[&["simulate", "--quiet", "--quant", "w4", "--rates", name], flags].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let raw = |text: &str| text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}');
    let table = run(&["--out", "o\u{1b}]0;x\u{7}"]);
    assert!(table.contains(r"rates     r\u{1b}[2J\u{202e}<x>.csv") && !raw(&table), "{table}");
    assert!(table.ends_with("\nWrote o\\u{1b}]0;x\\u{7}\n"), "{table}");
    let json = run(&["--json"]);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["rates"]["file"], name);
    assert!(!raw(&json), "{json}");
    for file in ["plots/energy.svg", "rates/w4.csv"] {
        let text = fs::read_to_string(bench.path("spiq-out").join(file)).unwrap();
        assert!(text.contains(r"r\u{1b}[2J\u{202e}") && !raw(&text), "{text}");
    }
    let message = bench.refusal(&["simulate", "--rates", "absent\u{1b}[2J\n.csv"]);
    assert_eq!(message, "error: absent\\u{1b}[2J\\n.csv: No such file or directory (os error 2)\n");
}
