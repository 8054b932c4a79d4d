//! ODIN: timesteps of a crossbar of 256 x 256, one by one.

use spiq::hw::Hardware;
use spiq::tensor::Shape;

use crate::cases::{Failure, Recorded, predict_single, setting, single};
use crate::cycles::{Folder, Row, list, number, text};

const NEURONS: usize = 256;

pub fn rows(folder: &Folder) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for case in list(&folder.json("odin.json")?, "cases")? {
        let (name, timestep) = (text(case, "spikes")?, number(case, "timestep")?);
        let outputs = number(case, "output_spikes")? + number(case, "leak_output_spikes")?;
        let spikes = folder.array(name)?.data[timestep * NEURONS..][..NEURONS].to_vec();
        let (square, line) = (Shape::new(1, 16, 16), Shape::new(NEURONS, 1, 1));
        // Neurons fire several times in a timestep; which of them do takes no other time.
        let levels = (0..NEURONS).map(|i| u8::try_from((outputs + NEURONS - 1 - i) / NEURONS));
        let input = Recorded { layer: "layer".to_owned(), timesteps: 1, shape: square, values: spikes };
        let values = levels.collect::<Result<_, _>>()?;
        let fired = Recorded { layer: "spikes".to_owned(), timesteps: 1, shape: line, values };
        let network = single(
            &format!("Linear(name: \"layer\", out_features: {NEURONS}, flatten: true)"),
            r#"IntegerNeuron(name: "spikes", max: 255, norm: 1)"#,
            input,
            fired,
        );
        let (mut hardware, _) = Hardware::load("odin")?;
        // Room and ports for a threshold of every level, which the machine does not have.
        hardware.memories[0].capacity_bytes.value = 1 << 20;
        hardware.memories[0].bandwidth_bits_per_cycle.value = 1 << 20;
        rows.push(Row {
            machine: "odin",
            case: format!(
                "{} threshold {} timestep {timestep}",
                name.trim_end_matches(".npz"),
                number(case, "threshold")?
            ),
            published: (number(case, "cycles")? + number(case, "leak_cycles")?) as f64,
            predicted: predict_single(&network, hardware, &setting(4, 8, Some(8)))?,
            remark: format!("{outputs} output spikes given"),
            ..Row::default()
        });
    }
    Ok(rows)
}
