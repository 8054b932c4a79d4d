//! Machines that are chosen together with bits.

use std::fs;

use serde_json::Value;
use spiq::search::strategies::named;
use spiq::search::{Budgets, Objective, Problem, Run, Space, Store, StrategyName, legal_space, run_strategy};

use super::commands::{json, timeless};
use super::synthetic::{Synthetic, network, problem, widths};
use crate::bad_input::support::Bench;

/// Bytes of weight memories; with few bits less memory is best.
const MEMORIES: [f64; 6] = [10e3, 20e3, 40e3, 60e3, 80e3, 160e3];
const STRATEGIES: [StrategyName; 5] = [
    StrategyName::Ilp,
    StrategyName::RatioGreedy,
    StrategyName::Nsga2,
    StrategyName::Uniform,
    StrategyName::Random,
];

/// What `name` finds on machines with these memories, with the space that it looked in.
fn run(name: StrategyName, memories: &[f64], problem: &Problem) -> (Run, Space) {
    let oracle = Synthetic::on_machines(memories);
    let strategy = &named(name, false)[0];
    let space = strategy.quantizer().space(&network(), &widths());
    let machines = (0..memories.len()).map(|machine| vec![machine]).collect();
    let space = legal_space(Space { machines, ..space }, &oracle).unwrap();
    (run_strategy(strategy.as_ref(), &space, problem, 1, &mut Store::new(&oracle)).unwrap(), space)
}

fn wanted() -> Problem {
    Problem { objective: Objective::Edap, max_evaluations: 30.0, ..problem() }
}

fn objective(run: &Run) -> f64 {
    Objective::Edap.of(&run.best.as_ref().expect("something is found").measured.figures)
}

/// A setting that was found stands on the machine on which it costs least of all.
#[test]
fn a_setting_is_on_the_machine_that_it_is_best_on() {
    let oracle = Synthetic::on_machines(&MEMORIES);
    for name in STRATEGIES {
        let (run, space) = run(name, &MEMORIES, &wanted());
        let found = &run.best.as_ref().unwrap().candidate;
        let cost = |machine: usize| {
            let setting = space.setting(found, "found").unwrap();
            Objective::Edap.of(&oracle.figures_on(&setting, machine))
        };
        let best = (0..MEMORIES.len()).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap();
        assert_eq!(found.machine, best, "{name:?}");
    }
}

/// Choosing the machine leads nearly as far with as many images as the best machine does, which nobody knew.
#[test]
fn machines_cost_no_images() {
    for name in [StrategyName::Ilp, StrategyName::RatioGreedy] {
        let (together, _) = run(name, &MEMORIES, &wanted());
        let alone = MEMORIES.map(|memory| objective(&run(name, &[memory], &wanted()).0));
        let least = alone.into_iter().fold(f64::INFINITY, f64::min);
        assert!(objective(&together) <= 1.05 * least, "{name:?}: {} of {alone:?}", objective(&together));
        assert!(together.evaluations <= 30.5, "{}", together.evaluations);
    }
}

/// The area is one of the machine: a limit leaves some machines out.
#[test]
fn an_area_limits_machines() {
    let budgets = Budgets { area_mm2: Some(0.25), ..problem().budgets };
    let (run, _) =
        run(StrategyName::Ilp, &MEMORIES, &Problem { budgets, objective: Objective::Energy, ..wanted() });
    let best = run.best.unwrap();
    assert!(best.measured.figures.area_mm2.unwrap() <= 0.25 && best.candidate.machine <= 1, "{best:?}");
}

/// The setting names a candidate where there is one machine, and both do where there are several.
#[test]
fn designs_have_names_of_their_own() {
    let space = named(StrategyName::Ilp, false)[0].quantizer().space(&network(), &widths());
    assert_eq!(space.design_id("0123456789abcdef", 0), "0123456789abcdef");
    let several = Space { machines: vec![vec![0], vec![1]], ..space };
    let [first, second] = [0, 1].map(|machine| several.design_id("0123456789abcdef", machine));
    assert!(first != second && first.len() == 16 && second != "0123456789abcdef");
    let candidate = several.widest();
    assert_eq!(several.id(&candidate), several.id(&candidate.on(1)));
}

const SPACE: &str = r#"Space(
    name: "sizes",
    hardware: ["edge-28"],
    parameters: [
        (name: "weight_sram", path: "memories.weight SRAM.capacity_bytes", values: List([4, "64KiB", "96KiB"])),
        (name: "state_sram", path: "memories.state SRAM.capacity_bytes", values: List(["32KiB", "64KiB"])),
    ],
    networks: [(model: "sdtv1_2-64_fashion", activity: Rates("sdtv1_2-64_fashion"))],
    settings: ["w8"],
    constraints: ["area_mm2 <= 0.48"],
    objectives: ["energy_j"],
)"#;
const SEARCH: [&str; 16] = [
    "search",
    "--quiet",
    "--space",
    "space.ron",
    "--minimize",
    "edap",
    "--limit",
    "60",
    "--weight-bits",
    "8,4",
    "--membrane-bits",
    "16,4",
    "--max-evaluations",
    "20",
    "--max-accuracy-drop",
    "0.05",
];

/// Machine and setting are read again from their files, and give the figures that were found; a search that was killed goes
/// on to the same end, and a machine without room for a word is none.
#[test]
fn a_machine_and_a_setting_that_were_found_are_files() {
    let bench = Bench::new();
    bench.write("space.ron", SPACE);
    let output = bench.run(&[&SEARCH[..], &["--threads", "1", "--out", "a"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let search = json(&bench.path("a/search.json"));
    assert_eq!(search["hardware"], "one of 4 machines: edge-28");
    let log = fs::read(bench.path("a/log.jsonl")).unwrap();
    fs::create_dir(bench.path("b")).unwrap();
    fs::write(bench.path("b/log.jsonl"), &log[..log.len() / 2]).unwrap();
    let resumed = bench.run(&["search", "--quiet", "--resume", "b", "--threads", "3"]);
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    assert_eq!(timeless(search.clone()), timeless(json(&bench.path("b/search.json"))));
    let evaluated = ["--limit", "60", "--hw", "a/machine.ron", "--quant", "a/setting.ron"];
    let evaluated = bench.run(&[&["evaluate", "--quiet"], &evaluated[..]].concat());
    let figures = &serde_json::from_slice::<Value>(&evaluated.stdout).unwrap()["figures"];
    for name in ["accuracy", "energy_j", "latency_s", "power_w", "footprint_bytes", "model_bytes"] {
        assert_eq!(figures[name], search["final"][name], "{name}");
    }
    assert!(figures["area_mm2"].as_f64().unwrap() <= 0.48);
}

/// What cannot be searched together is refused where it was asked for.
#[test]
fn spaces_of_a_search_are_held_to_what_it_does() {
    let bench = Bench::new();
    bench.write("space.ron", SPACE);
    let refused = |space: &str, extra: &[&str]| {
        bench.write("space.ron", space);
        let output = bench.run(&[&SEARCH[..], extra].concat());
        assert_eq!(output.status.code(), Some(2), "{extra:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(
        refused(SPACE, &["--strategy", "qsvit"]).contains("--strategy: qsvit chooses bits for one machine")
    );
    assert!(refused(SPACE, &["--hw", "edge-28"]).contains("cannot be used with"));
    let few = SPACE.replace("area_mm2 <= 0.48", "images_per_s >= 3");
    assert!(refused(&few, &[]).contains("--space: constraints: images_per_s >= 3.0: a search limits"));
    let tables = SPACE.replace("parameters: [", "tables: [\"sata-28\"], parameters: [");
    assert!(refused(&tables, &[]).contains("--space: a search charges machines by their own"));
    let many = SPACE.replace("List([\"32KiB\", \"64KiB\"])", "Steps(from: 1, to: 9999, plus: 1)");
    assert!(refused(&many, &[]).contains("29997 machines are more than 10000"));
}
