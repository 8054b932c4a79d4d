//! `report.html` from the outside: what it holds without a script, and what a browser makes of it where one is
//! installed.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use assert_cmd::cargo::cargo_bin_cmd;
use spiq::report::html_page;
use tempfile::TempDir;

use super::browser::browser;
use super::{REPORT, Run, quant, repository};

/// Two settings at the rates of the bundled network; most tests look at this run.
static RATES: LazyLock<Run> = LazyLock::new(|| {
    let flags = ["--rates", "sdtv1_2-64_fashion", "--trace", "--table", "sata-28,horowitz-45@28"];
    Run::new("pages", repository(), &quant(&["fp32", "w8", "w4"], &flags))
});

fn page() -> String {
    RATES.read("report.html")
}

/// What `spiq` with `arguments` exits with and says.
pub fn spiq(arguments: &[&str]) -> (i32, String) {
    let output = cargo_bin_cmd!("spiq").current_dir(repository()).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

const SECTIONS: [&str; 15] = [
    "summary",
    "rows",
    "bottlenecks",
    "costs",
    "trade-off",
    "layers",
    "roofline",
    "memories",
    "units",
    "bits",
    "rates",
    "tables",
    "trust",
    "constants",
    "again",
];

#[test]
fn a_page_is_one_small_file_that_asks_for_nothing() {
    let page = page();
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
    for section in SECTIONS {
        assert!(page.contains(&format!("<section id=\"{section}\"")), "{section}");
    }
    assert!(page.contains("default-src 'none'"));
    // Nothing that a browser would fetch; addresses of sections start with `#`.
    let (markup, _) = page.split_once("<script").unwrap();
    assert!(!markup.contains(" src=") && !markup.contains("url(") && !markup.contains("@import"));
    let links: Vec<&str> = markup.split("href=\"").skip(1).map(|rest| &rest[..1]).collect();
    assert!(links.iter().all(|first| *first == "#"), "{links:?}");
}

#[test]
fn tables_hold_the_figures_without_a_script() {
    let page = page();
    let (markup, _) = page.split_once("<script").unwrap();
    for words in [
        "w8",
        "horowitz-45@28",
        "weight SRAM",
        "block.0.attn.q_conv",
        "design choice, as of weights",
        "SATA_Sim: units synthesized for 400 MHz",
        "No images were executed",
    ] {
        assert!(markup.contains(words), "{words}");
    }
    let report = RATES.report();
    for setting in report["settings"].as_array().unwrap() {
        for said in setting["bottlenecks"].as_array().unwrap() {
            let layer = said["layer"].as_str().unwrap();
            assert!(markup.contains(&format!("<strong>{layer}</strong>")), "{layer}");
        }
    }
    let command = report["command"].as_str().unwrap();
    let wanted = "spiq simulate --table sata-28 --table horowitz-45@28 --quant fp32 --quant w8 --quant w4 --rates \
                  sdtv1_2-64_fashion";
    assert_eq!(command, wanted);
}

#[test]
fn a_page_is_drawn_again_from_json() {
    let folder = TempDir::new().unwrap();
    let json = folder.path().join("report.json");
    fs::copy(RATES.out.join("report.json"), &json).unwrap();
    let path = folder.path().to_str().unwrap();
    let (code, said) = spiq(&["report", path]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("report.html")).unwrap(), page());
    assert!(json.exists(), "what another command wrote stays");
    // The file by its name, and nothing else of the folder.
    assert_eq!(spiq(&["report", json.to_str().unwrap()]).0, 0);
}

#[test]
fn what_is_no_result_is_refused_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    let refused = |wanted: &str| {
        let (code, said) = spiq(&["report", path]);
        assert!(code == 2 && said.contains(wanted) && said.lines().count() == 1, "{code} {said}");
        assert!(!folder.path().join("report.html").exists());
    };
    refused("none of report.json, comparison.json, search.json, exploration.json is there");
    let json = folder.path().join("report.json");
    let text = RATES.read("report.json");
    fs::write(&json, &text[..text.len() / 2]).unwrap();
    refused("run the command again that wrote it");
    fs::write(&json, "{\"a\": 1}").unwrap();
    refused("no results of simulate, compare, search or explore");
    fs::write(&json, text.replacen("\"schema_version\": 2", "\"schema_version\": 1", 1)).unwrap();
    refused("schema_version: 1, and this spiq reads version 2: run the command again");
    fs::write(&json, text.replacen("\"latency_s\"", "\"late\"", 1)).unwrap();
    refused("latency_s");
    fs::write(&json, &text).unwrap();
    fs::write(folder.path().join("search.json"), "{}").unwrap();
    refused("report.json and search.json are there: say which");
    let (code, said) = spiq(&["report", "no/such/folder"]);
    assert!(code == 2 && said.contains("no/such/folder"), "{said}");
}

/// A file of an older spiq with the same schema lacks what came since.
#[test]
fn an_older_file_is_drawn_as_far_as_it_goes() {
    let mut report = RATES.report();
    let object = report.as_object_mut().unwrap();
    object.remove("command");
    object.remove("featured_setting");
    let hardware = object["hardware"].as_object_mut().unwrap();
    for field in ["clock_hz", "units", "memories", "constants", "energies"] {
        hardware.remove(field);
    }
    for setting in object["settings"].as_array_mut().unwrap() {
        setting.as_object_mut().unwrap().remove("bottlenecks");
    }
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("report.json"), report.to_string()).unwrap();
    let (code, said) = spiq(&["report", folder.path().to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("a newer spiq looks for it") && page.contains("a newer spiq writes them"));
}

/// 150 timesteps are 50 columns of 3 each, whose mean is that of the middle one where rates rise evenly.
#[test]
fn many_timesteps_are_columns_of_means() {
    let mut report = REPORT.clone();
    let rates: Vec<f64> = (0..150).map(|timestep| f64::from(timestep) / 1000.0).collect();
    for setting in report["settings"].as_array_mut().unwrap() {
        for layer in setting["layers"].as_array_mut().unwrap() {
            layer["step_spike_rates"] = rates.clone().into();
        }
    }
    let page = html_page(&report.to_string(), "report.json").unwrap();
    let (_, table) = page.split_once("a column the mean of up to 3</caption>").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    assert_eq!(table.matches("<th scope=\"col\">").count(), 1 + 50);
    let (_, second) = table.split_once("<th scope=\"col\">4–6</th>").unwrap();
    assert!(second.contains("<th scope=\"col\">148–150</th>"));
    // Timesteps 1 to 3 fire at 0, 0.1 and 0.2 %, the last three at 14.7, 14.8 and 14.9 %.
    assert!(table.contains(">0.1 %</td>") && table.contains(">14.8 %</td>"));
}

#[test]
fn hostile_names_are_text() {
    let mut report = RATES.report();
    let hostile = "</script><img src=x onerror=alert(1)>\"'&";
    report["model"]["name"] = hostile.into();
    report["settings"][0]["name"] = hostile.into();
    report["settings"][1]["layers"][0]["name"] = hostile.into();
    report["settings"][0]["bottlenecks"][0]["finding"] = hostile.into();
    report["hardware"]["constants"][0]["source"] = hostile.into();
    report["command"] = hostile.into();
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("report.json"), report.to_string()).unwrap();
    assert_eq!(spiq(&["report", folder.path().to_str().unwrap()]).0, 0);
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(!page.contains("<img") && page.matches("</script>").count() == 2);
    browser(&page, "", |found| assert!(!found.console.contains("Uncaught"), "{}", found.console));
}

/// Slices of causes fill the time: per layer and in all they are the cycles of `report.json`.
#[test]
fn a_trace_adds_up_to_the_cycles_of_the_report() {
    let trace: serde_json::Value = serde_json::from_str(&RATES.read("trace.json")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let report = RATES.report();
    for (number, setting) in report["settings"].as_array().unwrap().iter().enumerate() {
        let own = || events.iter().filter(move |e| e["pid"] == number + 1 && e["ph"] == "X");
        for layer in setting["layers"].as_array().unwrap() {
            for track in ["layers", "cycles by cause"] {
                let slices = own().filter(|e| e["cat"] == track && e["args"]["layer"] == layer["name"]);
                let cycles: f64 = slices.map(|e| e["args"]["cycles"].as_f64().unwrap()).sum();
                let total = layer["cycles"]["total"].as_f64().unwrap();
                assert!(
                    (cycles - total).abs() <= 1e-9 * total,
                    "{} {track}: {cycles} {total}",
                    layer["name"]
                );
            }
        }
        let names = events.iter().filter(|e| e["pid"] == number + 1 && e["name"] == "thread_name");
        let tracks: Vec<&str> = names.map(|e| e["args"]["name"].as_str().unwrap()).collect();
        assert!(
            ["lanes", "vector unit", "weight SRAM port", "DRAM bus"].iter().all(|t| tracks.contains(t)),
            "{tracks:?}"
        );
        for track in tracks {
            let mut slices: Vec<(f64, f64)> = own()
                .filter(|e| e["cat"] == track)
                .map(|e| (e["ts"].as_f64().unwrap(), e["dur"].as_f64().unwrap()))
                .collect();
            slices.sort_by(|a, b| a.0.total_cmp(&b.0));
            let end = setting["latency_s"].as_f64().unwrap() * 1e6;
            let apart = slices.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0 + 1e-9 * end);
            assert!(apart, "{track}: two things at once");
            // Perfetto cuts times off at nanoseconds, and drops a slice that begins inside another and ends behind it.
            let ns = |us: f64| (us * 1e3).floor();
            let kept = slices.windows(2).all(|pair| ns(pair[0].0) + ns(pair[0].1) <= ns(pair[1].0));
            assert!(kept, "{track}: a slice that Perfetto drops");
            let (start, length) = slices[slices.len() - 1];
            assert!(start + length <= end * (1.0 + 1e-9), "{track}");
        }
    }
}

/// Starts and ends of layers join, in both files.
#[test]
fn layers_start_where_others_end() {
    let report = RATES.report();
    for setting in report["settings"].as_array().unwrap() {
        let mut end = 0.0;
        for layer in setting["layers"].as_array().unwrap() {
            let start = layer["start_cycles"].as_f64().unwrap();
            assert!((start - end).abs() <= 1e-9 * end, "{}", layer["name"]);
            end = layer["end_cycles"].as_f64().unwrap();
        }
        let total = setting["cycles"]["total"].as_f64().unwrap();
        assert!((end - total).abs() <= 1e-9 * total);
    }
    assert!(RATES.read("layers.csv").lines().next().unwrap().contains(",start_cycles,end_cycles,"));
}

/// Clicks and looks; what does not hold is an error on the console.
const VISIT: &str = r##"
const must = (holds, what) => { if (!holds) console.error("not so: " + what); };
const rows = () => [...document.querySelectorAll("#rows tbody tr")].map((row) => row.cells[0].textContent);
const heading = [...document.querySelectorAll("#rows th button")].find((b) => b.textContent.startsWith("energy"));
heading.click();
must(rows().join() === "w4,w8,fp32", "sorted by energy: " + rows());
must(heading.parentElement.getAttribute("aria-sort") === "ascending", "says how it is sorted");
heading.click();
must(rows().join() === "fp32,w8,w4", "sorted the other way: " + rows());
must(document.querySelectorAll("#overview .bar").length === 3, "a bar per setting");
const overview = document.getElementById("overview-quantity");
overview.value = "footprint";
overview.dispatchEvent(new Event("change"));
must(document.getElementById("overview").textContent.includes("KiB"), "the quantity changes");
const select = document.querySelector("#layers select.choose-row");
must(select.selectedOptions[0].textContent === "w4", "starts at the featured setting");
select.value = "0";
select.dispatchEvent(new Event("change"));
must([...document.querySelectorAll("select.choose-row")].every((s) => s.value === "0"), "all sections follow");
document.getElementById("layers-open").click();
must(document.querySelectorAll("#layers-chart > details[open]").length > 3, "blocks open");
document.querySelectorAll("#layers-chart > details").forEach((d) => d.dispatchEvent(new Event("toggle")));
must(document.querySelectorAll("#layers-chart .bar").length > 20, "layers appear");
must(document.querySelectorAll("#roofline-chart circle").length > 10, "a point per layer");
must(document.querySelectorAll("#occupancy path").length === 3, "a line per memory");
const filter = document.getElementById("constants-filter");
filter.value = "synthesized";
filter.dispatchEvent(new Event("input"));
const constants = [...document.querySelectorAll("#constants tbody tr")];
const left = constants.filter((row) => !row.hidden);
must(left.length > 0 && left.length < constants.length / 2, "constants are filtered");
must(left.every((row) => row.textContent.includes("synthesized")), "to those that are looked for");
must(performance.getEntriesByType("resource").length === 0, "nothing is fetched");
must([...document.querySelectorAll("input,select")].every((c) => c.labels.length === 1), "controls have labels");
must([...document.querySelectorAll("svg circle.point")].every((c) => c.getAttribute("aria-label")), "points have words");
document.body.dataset.visited = "yes";
"##;

#[test]
fn a_browser_sorts_selects_and_says_nothing() {
    browser(&page(), VISIT, |found| {
        assert_eq!(found.console, "");
        assert!(found.document.contains("data-visited=\"yes\""), "the script did not come to its end");
    });
}

#[test]
fn machines_are_rows_of_a_page() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages-machines");
    let _ = fs::remove_dir_all(&out);
    let folder = out.to_str().unwrap();
    let hw = "edge-28,systolic-28,cortex-m4";
    let (code, said) = spiq(&[
        "compare",
        "--hw",
        hw,
        "--rates",
        "sdtv1_2-64_fashion",
        "--quant",
        "w4",
        "--quiet",
        "--out",
        folder,
    ]);
    assert!(code == 0 && said.contains("what costs most: edge-28"), "{said}");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for section in SECTIONS {
        assert!(page.contains(&format!("<section id=\"{section}\"")), "{section}");
    }
    let visit = r##"
        if (document.querySelectorAll("#overview .bar").length !== 3) console.error("machines");
        document.body.dataset.visited = "yes";
    "##;
    browser(&page, visit, |found| {
        assert_eq!(found.console, "");
        assert!(found.document.contains("data-visited=\"yes\""));
    });
}
