//! `trace.json`: timelines of all settings in the JSON form that Perfetto and Chrome open, a process per setting, a
//! thread per track.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, Simulation, Track};

/// The bytes of the file. Times are in microseconds, as the form wants them; `cycles` has the exact length.
pub(super) fn trace(simulation: &Simulation) -> Result<Vec<u8>> {
    let clock_hz = simulation.hardware.clock_hz;
    let settings = simulation.settings.iter().enumerate();
    let events: Vec<Value> =
        settings.flat_map(|(number, setting)| of_setting(number + 1, setting, clock_hz)).collect();
    let file = json!({
        "displayTimeUnit": "ns",
        "otherData": {
            "model": simulation.model.name,
            "hardware": simulation.hardware.name,
            "clock_hz": clock_hz,
            "spiq_version": env!("CARGO_PKG_VERSION"),
        },
        "traceEvents": events,
    });
    serde_json::to_vec(&file).map_err(|error| Error::io("trace.json", std::io::Error::other(error)))
}

fn of_setting(process: usize, setting: &Evaluation, clock_hz: f64) -> Vec<Value> {
    let name = |kind: &str, thread: usize, name: &str| json!({ "ph": "M", "name": kind, "pid": process, "tid": thread, "args": { "name": name } });
    let mut events = vec![name("process_name", 0, &setting.name)];
    for (thread, track) in setting.timeline.iter().enumerate() {
        events.push(name("thread_name", thread + 1, &track.name));
        events.push(json!({
            "ph": "M", "name": "thread_sort_index", "pid": process, "tid": thread + 1,
            "args": { "sort_index": thread },
        }));
        events.extend(slices(process, thread + 1, track, setting, clock_hz));
    }
    events
}

fn slices<'a>(
    process: usize,
    thread: usize,
    track: &'a Track,
    setting: &'a Evaluation,
    clock_hz: f64,
) -> impl Iterator<Item = Value> + 'a {
    track.slices.iter().map(move |slice| {
        let layer = &setting.layers[slice.layer];
        json!({
            "ph": "X",
            "name": slice.name,
            "cat": track.name,
            "pid": process,
            "tid": thread,
            "ts": slice.start_cycles / clock_hz * 1e6,
            "dur": slice.cycles / clock_hz * 1e6,
            "args": { "layer": layer.name, "block": layer.block, "cycles": slice.cycles, "tiles": layer.tiles },
        })
    })
}
