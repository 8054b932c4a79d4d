//! The page of `spiq explore`.

use std::fs;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::browser::browser;
use super::pages::spiq;
use crate::explore::spaces::SPACE;

/// A folder that `spiq explore` wrote, with what it said.
struct Explored {
    folder: TempDir,
    said: String,
}

impl Explored {
    fn new(space: &str, code: i32) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("space.ron");
        fs::write(&path, space).unwrap();
        let out = folder.path().join("out");
        let arguments = ["explore", path.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()];
        let (found, said) = spiq(&arguments);
        assert_eq!(found, code, "{said}");
        Self { folder, said }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("out").join(name)).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.read("exploration.json")).unwrap()
    }
}

static FOUND: LazyLock<Explored> = LazyLock::new(|| Explored::new(SPACE, 0));

/// The page that `spiq report` draws of `json`, or what it says instead.
fn drawn(json: &str) -> Result<String, String> {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("exploration.json"), json).unwrap();
    let (code, said) = spiq(&["report", folder.path().to_str().unwrap()]);
    let page = fs::read_to_string(folder.path().join("report.html"));
    assert_eq!(code, if page.is_ok() { 0 } else { 2 }, "{said}");
    page.map_err(|_| said)
}

/// What a reader without scripts sees.
fn markup(page: &str) -> &str {
    page.split_once("<script").unwrap().0
}

#[test]
fn a_page_holds_what_was_found() {
    let page = FOUND.read("report.html");
    for section in ["summary", "fronts", "points", "effects", "limits", "refused", "again"] {
        assert!(page.contains(&format!("<section id=\"{section}\"")), "{section}");
    }
    let markup = markup(&page);
    assert!(!markup.contains(" src=") && !markup.contains("url(") && !markup.contains("@import"));
    let json = FOUND.json();
    for input in json["inputs"].as_array().unwrap() {
        assert!(markup.contains(input["sha256"].as_str().unwrap()), "{input}");
    }
    let kinds: Vec<&str> =
        json["inputs"].as_array().unwrap().iter().map(|input| input["what"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["machine", "weights", "rates"]);
    let command = json["command"].as_str().unwrap();
    assert!(command.starts_with("spiq explore ") && markup.contains(command), "{command}");
    let why = json["refusals"][0]["why"].as_str().unwrap();
    for words in [
        json["space_sha256"].as_str().unwrap(),
        why,
        "Latency at most 1.000 s",
        "<td class=\"number\" data-value=\"8\">8</td>",
    ] {
        assert!(markup.contains(words), "{words}");
    }
    // Every point of a front is a row.
    for point in
        json["fronts"].as_array().unwrap().iter().flat_map(|front| front["points"].as_array().unwrap())
    {
        assert!(markup.contains(&format!("<th scope=\"row\">{point}</th>")), "{point}");
    }
}

/// Counts, refusals and points of the JSON are those of points.csv.
#[test]
fn the_json_says_what_the_points_are() {
    let json = FOUND.json();
    let text = FOUND.read("points.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let cell = |row: &csv::StringRecord, name: &str| {
        row[header.iter().position(|column| column == name).unwrap()].to_owned()
    };
    assert_eq!(
        json["kept"][0],
        json!({ "network": "sdtv1_2-64_fashion", "evaluated": 8, "constraints": [8], "all": 8 })
    );
    let refused: u64 =
        json["refusals"].as_array().unwrap().iter().map(|r| r["points"].as_u64().unwrap()).sum();
    assert_eq!(refused, 4);
    // Four points lack room for a word: one reason, whatever their machines are called.
    let why = json["refusals"][0]["why"].as_str().unwrap();
    assert!(json["refusals"].as_array().unwrap().len() == 1 && !why.contains('+'), "{}", json["refusals"]);
    assert!(cell(&rows[0], "refused").ends_with(why), "{why}");
    let shown = json["shown"].as_array().unwrap();
    assert_eq!(shown.len(), 8);
    for point in shown {
        let row = &rows[point["point"].as_u64().unwrap() as usize];
        for (figure, value) in point["figures"].as_object().unwrap() {
            assert_eq!(cell(row, figure).parse::<f64>().unwrap(), value.as_f64().unwrap(), "{figure}");
        }
        let setting = json["settings"][point["setting"].as_u64().unwrap() as usize].as_str().unwrap();
        assert_eq!(cell(row, "setting"), setting);
        for (axis, level) in json["axes"].as_array().unwrap().iter().zip(point["levels"].as_array().unwrap())
        {
            let name = axis["name"].as_str().unwrap();
            assert_eq!(cell(row, name), axis["levels"][level.as_u64().unwrap() as usize].as_str().unwrap());
        }
    }
}

#[test]
fn a_page_is_drawn_again() {
    assert_eq!(drawn(&FOUND.read("exploration.json")).unwrap(), FOUND.read("report.html"));
}

#[test]
fn what_is_no_exploration_is_refused_with_what_to_do() {
    let text = FOUND.read("exploration.json");
    let refused = |json: &str, wanted: &str| {
        let said = drawn(json).unwrap_err();
        assert!(said.contains(wanted) && said.lines().count() == 1, "{said}");
    };
    refused(&text[..text.len() / 2], "run the command again that wrote it");
    refused(
        &text.replacen("\"schema_version\": 1", "\"schema_version\": 9", 1),
        "schema_version: 9, and this spiq reads version 1: run the command again",
    );
    refused(&text.replacen("\"energy_j\"", "\"energie\"", 1), "energie");
    let changed = |pointer: &str, value: Value| {
        let mut json = FOUND.json();
        *json.pointer_mut(pointer).unwrap() = value;
        json.to_string()
    };
    for (pointer, value) in [
        ("/shown/0/levels", json!([0, 0, 99, 0])),
        ("/shown/0/levels", json!([])),
        ("/shown/0/network", json!(7)),
        ("/shown/0/setting", json!(7)),
        ("/shown/0/exceeded", json!([1])),
    ] {
        refused(&changed(pointer, value), "shown: point");
    }
    refused(&changed("/kept/0/constraints", json!([])), "kept: sdtv1_2-64_fashion");
}

/// A file of an earlier spiq has neither points nor where they come from.
#[test]
fn an_older_file_is_drawn_as_far_as_it_goes() {
    let mut json = FOUND.json();
    for field in ["command", "inputs", "refusals", "kept", "best", "shown"] {
        json.as_object_mut().unwrap().remove(field);
    }
    json["axes"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .for_each(|axis| drop(axis.as_object_mut().unwrap().remove("suffixes")));
    let page = drawn(&json.to_string()).unwrap();
    assert!(
        markup(&page).contains("a newer spiq writes them") && markup(&page).contains("Shares of variance")
    );
    browser(&page, "", |found| assert_eq!(found.console, ""));
}

#[test]
fn hostile_names_are_text() {
    let hostile = "</script><img src=x onerror=alert(1)>\"'&";
    let mut json = FOUND.json();
    json["space"]["name"] = hostile.into();
    json["settings"][0] = hostile.into();
    json["axes"][2]["name"] = hostile.into();
    json["axes"][2]["levels"][0] = hostile.into();
    json["axes"][2]["suffixes"][0] = hostile.into();
    json["refusals"][0]["why"] = hostile.into();
    json["effects"][0]["parameters"][0]["parameter"] = hostile.into();
    json["command"] = hostile.into();
    let text = json.to_string().replace("sdtv1_2-64_fashion", "<script>alert(2)</script>");
    let page = drawn(&text).unwrap();
    assert!(!page.contains("<img") && page.matches("</script>").count() == 2);
    let choose = "document.querySelector('#points tbody button').click();";
    browser(&page, choose, |found| {
        assert_eq!(found.console, "");
        assert!(!found.document.contains("<img"), "a name became an element");
    });
}

/// Clicks, moves and looks; what does not hold is an error on the console.
const VISIT: &str = r##"
const must = (holds, what) => { if (!holds) console.error("not so: " + what); };
const charts = () => [...document.querySelectorAll("#front-charts svg")];
must(charts().length === 3, "a chart of each two objectives");
must(charts().every((chart) => chart.querySelectorAll(".point").length === 8), "all points in each");
must(charts().every((chart) => chart.querySelectorAll(".point[tabindex='0']").length === 1), "one stop of Tab in each");
must(charts().every((chart) => chart.querySelectorAll(".point:not(.faint)").length > 0), "points of fronts in each");
document.querySelector("#points tbody button").click();
const number = document.querySelector("#points tbody tr").cells[0].textContent;
const chosen = () => document.getElementById("chosen").textContent;
must(chosen().includes(`Point ${number}`) && chosen().includes("spiq simulate --model"), "the point is described");
must(chosen().includes("+memories.weight SRAM.capacity_bytes="), "with its machine");
must(charts().every((chart) => chart.querySelectorAll(".point.chosen").length === 1), "and marked in every chart");
must(document.querySelectorAll("#points tr.chosen").length === 1, "and in the table");
const fronts = charts().map((chart) => [...chart.querySelectorAll(".point:not(.faint)")]);
const reached = fronts.find((points) => points.length > 1);
reached[0].focus();
const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
press("ArrowRight");
must(document.activeElement === reached[1], "arrows lead along the front");
const label = document.activeElement.getAttribute("aria-label");
press("Enter");
must(document.activeElement.getAttribute("aria-label") === label, "choosing keeps the focus");
must(document.activeElement.getAttribute("aria-pressed") === "true", "and says so");
must(label.startsWith(chosen().match(/Point \d+/)[0] + ":"), "what is chosen is described");
const heading = [...document.querySelectorAll("#points th button")].find((b) => b.textContent.startsWith("Latency"));
heading.click();
const latencies = [...document.querySelectorAll("#points tbody tr")].map((row) => parseFloat(row.cells[3].dataset.value));
must(latencies.every((value, i) => !i || latencies[i - 1] <= value), "sorted by latency: " + latencies);
must(document.querySelectorAll("#effects-chart .bar").length === 6, "a bar for each value that was evaluated");
const objective = document.getElementById("effects-objective");
objective.value = "2";
objective.dispatchEvent(new Event("change"));
must(document.getElementById("effects-chart").textContent.includes("mm²"), "the objective changes");
must([...document.querySelectorAll("input,select")].every((c) => c.labels.length === 1), "controls have labels");
must([...document.querySelectorAll("svg .point")].every((c) => c.getAttribute("aria-label")), "points have words");
must(performance.getEntriesByType("resource").length === 0, "nothing is fetched");
document.body.dataset.visited = "yes";
"##;

#[test]
fn a_browser_chooses_and_says_nothing() {
    browser(&FOUND.read("report.html"), VISIT, |found| {
        assert_eq!(found.console, "");
        assert!(found.document.contains("data-visited=\"yes\""), "the script did not come to its end");
    });
}

/// Spaces of one kind each that leaves sections empty.
#[test]
fn empty_sections_say_why() {
    let cases = [
        (
            SPACE.replace("latency_s <= 1s", "latency_s <= 1ns"),
            1,
            "no point keeps all. The nearest is number ",
        ),
        (SPACE.replace("List([4, \"64KiB\", \"128KiB\"])", "List([1, 2])"), 1, "No point was evaluated."),
        (
            SPACE.replace("[\"energy_j\", \"latency_s\", \"area_mm2\"]", "[\"energy_j\"]"),
            0,
            "There is one objective",
        ),
        (SPACE.replace("[\"latency_s <= 1s\"]", "[]"), 0, "There are none: every point"),
        (
            SPACE
                .replace("List([32, 64])", "List([64])")
                .replace("List([4, \"64KiB\", \"128KiB\"])", "List([\"64KiB\"])")
                .replace("[\"w8\", \"w4\"]", "[\"w4\"]"),
            0,
            "Nothing varies",
        ),
    ];
    for (space, code, wanted) in cases {
        let found = Explored::new(&space, code);
        let page = found.read("report.html");
        assert!(markup(&page).contains(wanted), "{wanted}: {}", found.said);
        browser(&page, "", |found| assert_eq!(found.console, "", "{wanted}"));
    }
}
