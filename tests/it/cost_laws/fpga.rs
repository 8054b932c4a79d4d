//! Machines that an FPGA is configured into, by hand.

use super::*;
use spiq::hw::{Resources, resources};

/// `edge-28` moved to a part that has so many look-up tables and block memories, with memories of `macro_model`.
fn moved(luts: u32, block_rams: u32, macro_model: &str) -> Result<Hardware, String> {
    let [luts, block_rams, ample, watts] = [luts, block_rams, 1_000_000, 1].map(sourced);
    let fpga = format!(
        "fpga: (part: \"test part\", luts: {luts}, flip_flops: {ample}, dsps: {ample}, block_rams: {block_rams}, \
         static_w: {watts}),"
    );
    let text = include_str!("../../../hw_configs/edge-28.ron")
        .replace("sata-28", "fpga-28")
        .replace("Cacti(LowPower)", macro_model);
    let (before, leakage) = text.split_once("logic_leakage_w_per_mm2").unwrap();
    let (_, after) = leakage.split_once("control: ").unwrap();
    let text = format!("{before}{fpga} control: {after}");
    Hardware::parse(&text, "a.ron").map_err(|error| error.to_string())
}

#[test]
fn resources_by_hand() {
    let hardware = moved(20_000, 100, "BlockRam").unwrap();
    let Resources { luts, flip_flops, dsps, block_rams } = resources(&hardware.units, &hardware.memories);
    // 256 lanes with a sum of 32 bits and a weight of 8; 64 neurons of two adders of 16 bits; a look-up table for each
    // of 256 spikes of attention; 256 kept membranes of 16 bits, and 64 potentials.
    assert_eq!(luts, 256.0 * 32.0 + 64.0 * 32.0 + 256.0);
    assert_eq!(flip_flops, 256.0 * 40.0 + 256.0 * 16.0 + 64.0 * 16.0);
    assert_eq!(dsps, 0.0);
    // 16 banks of 768 words of 64 bits: two blocks of 512 x 72, or of 1,024 x 36. 4 banks of 2,048 words: four of either.
    // 16 banks of 512 words: one.
    assert_eq!(block_rams, 16.0 * 2.0 + 4.0 * 4.0 + 16.0);
    let machine = Machine::new(hardware).unwrap();
    assert_eq!((machine.area_mm2, machine.leakage_w), (None, 1.0));
    // An access to 512 x 72 wakes one of the two blocks of a bank: 13.5 pJ for 64 bits, and four selections of a bank.
    let select_pj = 4.0 * machine.table.select_pj(1.0);
    assert!(close(machine.memories[0].read_pj_per_bit, 13.5 / 64.0 + select_pj));
}

#[test]
fn what_a_part_does_not_have_is_refused() {
    let refused = |luts, block_rams, macro_model| moved(luts, block_rams, macro_model).unwrap_err();
    let message = refused(10_495, 100, "BlockRam");
    assert!(
        message.contains("fpga: the machine takes at least 10496 look-up tables, and test part has 10495")
    );
    assert!(moved(10_496, 64, "BlockRam").is_ok());
    let message = refused(20_000, 63, "BlockRam");
    assert!(message.contains("64 block memories, and test part has 63"), "{message}");
    let message = refused(20_000, 100, "Cacti(LowPower)");
    assert!(message.contains("weight SRAM: macro_model: memories of an fpga are BlockRam"), "{message}");
}

#[test]
fn a_chip_has_no_block_memories() {
    let text = include_str!("../../../hw_configs/edge-28.ron").replace("Cacti(LowPower)", "BlockRam");
    let message = Hardware::parse(&text, "a.ron").unwrap_err().to_string();
    assert!(message.contains("macro_model: there is no fpga"), "{message}");
}
