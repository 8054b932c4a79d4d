//! `simulate --table`: one execution, charged by several tables.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn simulate(out: &Path, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spiq"));
    command.args(["simulate", "--quiet", "--json", "--quant", "w8", "--quant", "w4", "--out"]).arg(out);
    command.args(flags).output().unwrap()
}

fn report(out: &Path, flags: &[&str]) -> Value {
    let output = simulate(out, flags);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every table gives what it gives alone, and the first one is reported in full.
#[test]
fn tables_together_are_tables_alone() {
    let folder = tempfile::tempdir().unwrap();
    let limit = ["--limit", "3", "--table"];
    let names = ["sata-28", "horowitz-45@28", "eyeriss-relative", "sop-45", "sop-45-mac", "loihi"];
    // The two readings of the papers' rule come together.
    let asked = "sata-28,horowitz-45@28,eyeriss-relative,sop-45,loihi";
    let together = report(folder.path(), &[&limit[..], &[asked]].concat());
    let tables = together["tables"].as_array().unwrap();
    assert_eq!(tables.iter().map(|t| t["table"].as_str().unwrap()).collect::<Vec<_>>(), names);
    // A table of operations, one of whole events by rates, and one of whole events as executed.
    for i in [1, 4, 5] {
        let (table, asked) = (&tables[i], names[i]);
        let alone = report(folder.path(), &[&limit[..], &[asked]].concat());
        assert_eq!(alone["tables"][0], *table, "{asked}");
        let energy = &alone["settings"][1]["energy_j"]["total"];
        assert_eq!(*energy, table["settings"][1]["energy_j"], "{asked}");
        assert_eq!(alone["settings"][0]["accuracy"], together["settings"][0]["accuracy"]);
    }
    let own = report(folder.path(), &["--limit", "3"]);
    assert_eq!(own["settings"], together["settings"]);
    let csv = std::fs::read_to_string(folder.path().join("tables.csv")).unwrap();
    assert_eq!(csv.lines().count(), 3, "{csv}");
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rates = ["--rates", "sdtv1_2-64_fashion"];
    let refusal = |flags: &[&str]| {
        let output = simulate(&folder.path().join("out"), &[&rates[..], flags].concat());
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(
        refusal(&["--table", "sata28"]),
        "error: table sata28 is not one of aladdin-40, eyeriss-relative, fpga-16, fpga-28, horowitz-45, qkeras, sata-28, loihi, \
         fang-40, sop-45, sop-45-mac, nor a .ron file\n"
    );
    assert_eq!(refusal(&["--table", "qkeras,qkeras"]), "error: --table: qkeras is given twice\n");
    assert_eq!(
        refusal(&["--table", "qkeras", "--hw", "cortex-m4"]),
        "error: table qkeras: hardware cortex-m4 is charged per cycle\n"
    );
}
