//! Images that overlap: by hand, and on random networks.

use proptest::prelude::*;
use spiq::hw::Sourced;

use super::occupancy::any_workload;
use super::time::counted;
use super::*;

/// Two channels of convolutions, and two of linear layers, side by side; nothing waits for a memory.
fn two_units(in_flight: u32) -> Machine {
    let width = sourced(32);
    let unit = |name: &str, kinds: &str| {
        format!(
            "SpikeLanes(name: \"{name}\", layouts: [(keeps: Outputs, lanes: [(OutputChannels, 2)], source: \"test\")], \
             kinds: [{kinds}], zeros: Dense, multi_bit: BitSerial, max_weight_bits: {width}, accumulator_bits: {width}),"
        )
    };
    let units = [unit("conv", "Convolution"), unit("linear", "Pointwise"), vector(64)].concat();
    in_flight_on(Spec { dram_bits: Some(1 << 20), ..Spec::roomy(units) }.innermost(), in_flight)
}

fn in_flight_on(spec: Spec, images: u32) -> Machine {
    let mut machine = spec.machine();
    machine.hardware.images_in_flight = Some(Sourced::new(images, "test"));
    machine
}

/// 4 x 2, 4 x 3 and 4 x 5 inputs, one at a time: a convolution of 8 cycles, a linear layer of 12, a convolution of 20.
fn three_layers() -> (Workload, Activity) {
    let layers = [(2, 2), (3, 1), (5, 5)]
        .map(|(fan_in, taps)| layer(Product { taps, ..product(4, fan_in, 2, 4) }, Vec::new()));
    counted(Workload { layers: layers.to_vec(), timesteps: 1, batch: 1, maps: Vec::new() })
}

#[test]
fn one_unit_takes_the_next_image_while_another_one_works() {
    let (workload, activity) = three_layers();
    let mapped_on = |machine: &Machine| {
        MappedWorkload::best(workload.clone(), machine, std::slice::from_ref(&activity)).unwrap()
    };
    let figures = |in_flight: u32| {
        let machine = two_units(in_flight);
        let mapped = mapped_on(&machine);
        let costs = mapped.costs(&machine, &activity);
        let cycles: Vec<f64> = costs.iter().map(|cost| cost.cycles.total()).collect();
        let idle_cycles = costs.iter().map(|cost| cost.energy_j.dram).sum::<f64>()
            / machine.seconds(machine.dram.unwrap().idle_w);
        (cycles, mapped.period_cycles(&costs, &machine), idle_cycles)
    };
    let near = |(cycles, period, idle): (Vec<f64>, f64, f64), expected: (f64, f64)| {
        assert_eq!(cycles, [8.0, 12.0, 20.0]);
        assert!(close(period, expected.0) && close(idle, expected.1), "{period} {idle}");
    };
    near(figures(1), (40.0, 40.0));
    // Convolutions take 28 of 40 cycles; off-chip devices wait no longer than that for an image.
    near(figures(2), (28.0, 28.0));
}

/// 64 bits of spikes of an image are alive, in 128 bits.
#[test]
fn images_in_flight_have_room_of_their_own() {
    let (workload, activity) = levels::layer_of_32_bytes();
    let units =
        format!("{}, {}", lanes(1, 4, "Dense", "BitSerial"), vector(2).replace("vector unit", "other"));
    let off_chip = |images: u32| {
        let mut spec = Spec::roomy(units.clone());
        spec.memories[1].1 = 2 * 64 / 8;
        let machine = in_flight_on(spec, images);
        let mapped =
            MappedWorkload::best(workload.clone(), &machine, std::slice::from_ref(&activity)).unwrap();
        mapped.plans[0].is_off_chip(spiq::hw::Operand::Activations)
    };
    assert_eq!([1, 2, 3].map(off_chip), [false, false, true]);
}

#[test]
fn no_more_images_than_units() {
    let text = include_str!("../../../hw_configs/edge-28.ron");
    let with = |images: u32| {
        let field = format!("    images_in_flight: (value: {images}, source: \"test\"),\n    placements:");
        Hardware::parse(&text.replace("    placements:", &field), "edge.ron").map(|hw| hw.images_in_flight())
    };
    assert_eq!(with(2).unwrap(), 2);
    for refused in [0, 3] {
        let message = with(refused).unwrap_err().to_string();
        assert!(
            message.contains("edge.ron") && message.contains("images_in_flight") && message.contains("1..=2"),
            "{message}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// No image comes out faster than its share of all layers, or than the busiest of unit and bus, nor slower than alone.
    #[test]
    fn the_busiest_part_sets_the_pace(
        workload in any_workload(), compute in laws::any_compute(), log_bandwidth in 4u32..12, images in 2u32..3,
    ) {
        let spec = Spec { bandwidth: 1 << log_bandwidth, ..Spec::roomy(compute) };
        let machine = in_flight_on(spec, images);
        let (workload, activity) = counted(workload);
        let mapped = MappedWorkload::best(workload, &machine, std::slice::from_ref(&activity)).unwrap();
        let costs = mapped.costs(&machine, &activity);
        let sum = |of: fn(&LayerCost) -> f64| costs.iter().map(of).sum::<f64>();
        let all = sum(|cost| cost.cycles.total());
        let products: f64 = mapped.workload.layers.iter().zip(&costs).filter(|(layer, _)| layer.product.is_some())
            .map(|(_, cost)| cost.cycles.total()).sum();
        let period = mapped.period_cycles(&costs, &machine);
        let least = (all / f64::from(images)).max(products).max(sum(|cost| cost.transfer_cycles)).min(all);
        prop_assert!(period >= least && period <= all, "{period} {least} {all}");
        prop_assert!(costs.iter().all(|cost| cost.energy_j.dram >= 0.0));
    }
}
