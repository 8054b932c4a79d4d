//! `spiq list`.

use assert_cmd::cargo::cargo_bin_cmd;
use insta::assert_snapshot;

#[test]
fn what_is_built_in() {
    let list = |what: &str| {
        let output = cargo_bin_cmd!("spiq").args(["list", what]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_snapshot!(list("models"), @r"
    sdtv1_2-64_fashion              SpikeDrivenV1, 163650 parameters (90.74 % of fashion-mnist), input 1 x 28 x 28, 4 timesteps, 10 classes
    qkformer_3-96_fashion           QkFormer, 317614 parameters (89.58 % of fashion-mnist), input 1 x 28 x 28, 4 timesteps, 10 classes
    qkformer_10-384_imagenet        QkFormer, 16473688 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    qkformer_10-512_imagenet        QkFormer, 29079336 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    qkformer_10-768_imagenet        QkFormer, 64962760 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    qkformer_4-256_cifar10dvs       QkFormer, 1504138 parameters (random weights), input 2 x 128 x 128, 16 timesteps, 10 classes
    qkformer_4-256_gesture          QkFormer, 1999371 parameters (random weights), input 2 x 128 x 128, 16 timesteps, 11 classes
    qkformer_4-384_cifar10          QkFormer, 6706234 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    sdtv1_2-256_cifar10             SpikeDrivenV1, 2567082 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    sdtv1_2-256_cifar10dvs          SpikeDrivenV1, 2566794 parameters (random weights), input 2 x 64 x 64, 10 timesteps, 10 classes
    sdtv1_2-256_gesture             SpikeDrivenV1, 2567051 parameters (random weights), input 2 x 128 x 128, 16 timesteps, 11 classes
    sdtv1_2-512_cifar10             SpikeDrivenV1, 10233546 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    sdtv1_4-512_cifar10             SpikeDrivenV1, 16549706 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    sdtv1_8-384_imagenet            SpikeDrivenV1, 16816536 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    sdtv1_8-512_imagenet            SpikeDrivenV1, 29689896 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    sdtv1_8-768_imagenet            SpikeDrivenV1, 66339144 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    sdtv2_5M                        SpikeDrivenV2, 4093448 parameters (random weights), input 3 x 224 x 224, 1 timesteps, 1000 classes
    sdtv2_15M                       SpikeDrivenV2, 15112208 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    sdtv2_15M_fused                 SpikeDrivenV2, 33253520 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    sdtv2_31M                       SpikeDrivenV2, 31333864 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    sdtv2_55M                       SpikeDrivenV2, 55350248 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    sdtv3_3M                        SpikeDrivenV3, 2702048 parameters (random weights), input 3 x 224 x 224, 1 timesteps, 1000 classes
    sdtv3_5M                        SpikeDrivenV3, 5105608 parameters (random weights), input 3 x 224 x 224, 1 timesteps, 1000 classes
    sdtv3_10M                       SpikeDrivenV3, 10023112 parameters (random weights), input 3 x 224 x 224, 1 timesteps, 1000 classes
    sdtv3_19M                       SpikeDrivenV3, 18987504 parameters (random weights), input 3 x 224 x 224, 1 timesteps, 1000 classes
    spikeiandformer_8-384_imagenet  Spikformer, 16828312 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    spikformer_1-384_cifar10        Spikformer, 3986746 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    spikformer_2-256_cifar10dvs     Spikformer, 2585610 parameters (random weights), input 2 x 128 x 128, 16 timesteps, 10 classes
    spikformer_2-384_cifar10        Spikformer, 5768122 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    spikformer_4-256_cifar10        Spikformer, 4159274 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    spikformer_4-384_cifar10        Spikformer, 9330874 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    spikformer_8-384_imagenet       Spikformer, 16828312 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    spikformer_8-512_imagenet       Spikformer, 29705768 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    spikformer_8-768_imagenet       Spikformer, 66363208 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    spikingformer_2-256_cifar10dvs  Spikingformer, 2568714 parameters (random weights), input 2 x 128 x 128, 16 timesteps, 10 classes
    spikingformer_2-512_cifar100    Spikingformer, 10283684 parameters (random weights), input 3 x 32 x 32, 2 timesteps, 100 classes
    spikingformer_4-256_cifar10     Spikingformer, 4156202 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    spikingformer_4-384_cifar10     Spikingformer, 9326266 parameters (random weights), input 3 x 32 x 32, 4 timesteps, 10 classes
    spikingformer_8-384_imagenet    Spikingformer, 16828312 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    spikingformer_8-512_imagenet    Spikingformer, 29705768 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    spikingformer_8-768_imagenet    Spikingformer, 66363208 parameters (random weights), input 3 x 224 x 224, 4 timesteps, 1000 classes
    vgg11_cifar10                   Layers, 9235328 parameters (random weights), input 24 x 32 x 32, 2 timesteps, 512 classes
    ");
    assert_snapshot!(list("hw"), @r"
    edge-28             28 nm, 256 spike-skipping lanes (4 positions x 64 channels) at 400 MHz, 96 + 64 + 64 KiB SRAM, one x16 LPDDR4-3200
    systolic-28         28 nm, 16 x 16 dense systolic array at 400 MHz, zeros gated, 96 + 64 + 64 KiB SRAM, one x16 LPDDR4-3200
    cortex-m4           Cortex-M4-class microcontroller at 48 MHz, 1 MiB flash for weights, 384 KiB SRAM, whole-chip energy per cycle
    eyeriss-28          28 nm, dense 14 x 12 weight-stationary array at 500 MHz, one buffer of 108 KiB, DDR4-3200: Eyeriss as the evaluation of Prosperity takes it
                          published latency (simulator of Prosperity's authors): 2 figures, off by +0.0 %
                          published energy (simulator of Prosperity's authors): 2 figures, off by +0.0 %
    ptb-28              28 nm, 8 positions x 16 channels that batch windows of 4 timesteps at 500 MHz, 8 + 32 + 96 KiB SRAM, DDR4-3200: PTB as the evaluation of Prosperity takes it
                          published latency (simulator of Prosperity's authors): 2 figures, off by +28.7 to +29.8 %
                          published energy (simulator of Prosperity's authors): 2 figures, off by +24.6 to +25.5 %
    sato-28             28 nm, 128 accumulators, each with a position of its own, at 500 MHz, 96 + 32 + 8 KiB SRAM, DDR4-3200: SATO as the evaluation of Prosperity takes it
                          published latency (simulator of Prosperity's authors): 2 figures, off by -8.8 to -6.6 %
                          published energy (simulator of Prosperity's authors): 2 figures, off by -3.4 to -2.8 %
    mint-28             28 nm, 128 channels that step over zeros at 500 MHz, 8 + 32 + 96 KiB SRAM, DDR4-3200: MINT as the evaluation of Prosperity takes it
                          published latency (simulator of Prosperity's authors): 2 figures, off by -1.0 to -0.5 %
                          published energy (simulator of Prosperity's authors): 2 figures, off by -0.4 to -0.2 %
    prosperity-28       28 nm, 128 channels with product sparsity in tiles of 256 x 16 at 500 MHz, 8 + 32 + 96 KiB SRAM, DDR4-3200: Prosperity
                          published latency (simulator of Prosperity's authors): 2 figures, off by +22.9 to +23.7 %
                          published energy (simulator of Prosperity's authors): 2 figures, off by +10.8 to +11.5 %
    tpu-28              28 nm, dense 256 x 256 weight-stationary array at 700 MHz, 24 MiB buffer, 4 MiB of sums, DDR3: the first TPU
    loihi-14            14 nm, 4,096 cores of 1,024 neurons and 128 KiB of weights that exchange spikes, energies of whole events: a board of 32 Loihi chips
    firefly-t-16        Zynq UltraScale+ xczu5ev at 300 MHz: 8 positions and timesteps x 64 channels, each taking up to 4 spikes of 16 inputs a cycle, and an engine for attention beside them (FireFly-T, IEEE TC 75, arXiv 2505.12771)
                          published latency (FPGA: frames per second, timer or count not said): 1 figure, off by +10.0 %, +7.8 to +42.1 % within what is not known; fitted: a spike rate of 0.046 everywhere, for the frames of the first network
                          published power (FPGA: estimate of the vendor's tool): 1 figure, off by -85.0 %; fitted: a spike rate of 0.046 everywhere, for the frames of the first network
    spikformer-fpga-16  Zynq UltraScale+ xczu7ev at 200 MHz: an array of filter rows for convolutions (864 additions a cycle) and a 16 x 16 array for linear layers, four timesteps side by side, no zeros skipped (Acta Phys. Sin. 75, 20260085; github.com/tooddler/FPGA_SpikingTransformer at 9ee1129)
                          published cycles (RTL, simulated): 5 figures, off by -7.4 to +0.0 %, -7.4 to +0.8 % within what is not known
                          published latency (FPGA: latency, board or simulation not said): 3 figures, off by -0.2 to +88.7 %, -0.2 to +88.7 % within what is not known
                          published power (FPGA: estimate of the vendor's tool): 1 figure, off by -88.6 %
    snn-dse             FPGA at 100 MHz: event-driven cores, one per layer, whose channels are chosen layer by layer, and a dense core for the image; cycles as its RTL, energy of assumed ASIC memories and adders
                          published cycles (RTL, simulated): 26 figures, off by +0.0 %
    odin                28 nm crossbar of 256 neurons and 65,536 synapses, one neuron update at a time: two cycles per neuron and event, cycles as its RTL
                          published cycles (RTL, simulated): 64 figures, off by +0.0 %
    sne                 22 nm, 8 engines of 16 clusters of 64 neurons: 15 cycles per event of a convolution, neurons updated with every event; cycles as the RTL of an engine, stalls of outputs not modelled
                          published cycles (RTL, simulated): 8 figures, off by -0.6 to +0.0 %
    exspike             28 nm FPGA at 200 MHz: one event per cycle into 32 channels x 3x3 sums, position by position in pairs that share common events, weights streamed from DDR3; cycles as its RTL, energy of assumed ASIC memories and adders
                          published cycles (RTL, simulated): 55 figures, off by -0.1 to +1.2 %; fitted: 160 cycles of a stream that starts anew and 57 of a half of the buffer (weight_stream)
                          published latency (FPGA: timer on the board): fitted: 57 cycles that a burst waits for DDR3 (weight_stream.latency_cycles)
    spikeiand-28        28 nm, 3,456 adders at 500 MHz: 12 output channels x 8 positions x 9 inputs x 4 timesteps, zeros gated, neurons unrolled over time, 139.25 KiB SRAM (Spike-IAND-Former accelerator, ISCAS 2025, arXiv 2503.19643); what its 12 x 8 x 9 cells stand for is assumed
                          published power (synthesis, no layout): 2 figures, off by -34.3 to +6.0 %, -49.3 to +6.0 % within what is not known
                          published area (synthesis, no layout): 1 figure, off by +135.1 %, +88.7 to +135.1 % within what is not known
    fang-40             40 nm, 512 adders at 50 MHz: 4 timesteps x 4 of 16 inputs x 32 output channels, an attention unit beside them, 160 KiB SRAM (Fang et al., CICC 2024 and JSSC 60(3), 2025); its arrays and memories are assumed
                          published power (silicon, inferred from efficiency): 1 figure, off by -74.2 %, -91.2 to +36.6 % within what is not known; fitted: energy of an operation at 0.56 V, 0.078 pJ, memories, neurons and control included (events/fang-40.ron)
    ");
    assert_snapshot!(list("tables"), @r"
    aladdin-40        40 nm: Aladdin tables (Accelergy plug-in, MIT licence): 32-bit units, 40 nm, 1 ns
    eyeriss-relative  65 nm: Eyeriss data points in Timeloop (Y.-H. Chen et al., ISCA 2016, 65 nm): 16-bit multiply-accumulate 1, access of a 0.5 kB register file 1, of a 100 kB buffer 6, of DRAM 200, per 16-bit word
    fpga-16           16 nm: power by type of a synthesized design on a 28 nm part at 200 MHz (Vivado, ExSpike, arXiv 2606.20414) over its counts: an average of a busy design, per unit and cycle; 0.55 times the figure at 28 nm (assumed: 0.5 to 0.6 between these generations)
    fpga-28           28 nm: power by type of a synthesized design on a 28 nm part at 200 MHz (Vivado, ExSpike, arXiv 2606.20414) over its counts: an average of a busy design, per unit and cycle
    horowitz-45       45 nm: M. Horowitz, Computing's energy problem, ISSCC 2014: 45 nm, 0.9 V (via secondary tables)
    qkeras            45 nm: QKeras qtools fits (Apache-2.0 licence) to Horowitz, ISSCC 2014
    sata-28           28 nm: SATA_Sim inference energy kernels (MIT licence): synthesized units, 400 MHz
    loihi             14 nm: M. Davies et al., Loihi: a neuromorphic manycore processor with on-chip learning, IEEE Micro 38, 2018, as coded in SANA-FE's description of Loihi
    fang-40           40 nm: Fang et al., a 40 nm chip with three-dimensional arrays for spiking transformers, CICC 2024 (14-6) and JSSC 60(3), 2025, 977-989: 0.078 pJ for each synaptic operation at 0.56 V and 50 MHz, measured
    sop-45            45 nm: 0.9 pJ per accumulation and 4.6 pJ per multiply-accumulate, 32-bit floating point, 45 nm: M. Horowitz, Computing's energy problem, ISSCC 2014, as papers of spiking networks use it
    sop-45-mac        45 nm: 0.9 pJ per accumulation and 4.6 pJ per multiply-accumulate, 32-bit floating point, 45 nm: M. Horowitz, Computing's energy problem, ISSCC 2014, as papers of spiking networks use it
    ");
    assert_snapshot!(list("settings"), @r"
    mixed
    pot3-calibrated
    w2-calibrated
    w3-calibrated
    w4-calibrated
    ");
    assert_snapshot!(list("data"), @"fashion-mnist");
    assert_eq!(
        list("rates"),
        "sdtv1_2-64_fashion\nsdtv1_4-512_cifar10\nspikformer_4-384_cifar10\nspikingformer_8-512_imagenet\nvgg11_cifar10\n"
    );
}
