//! What a terminal shows of a run, as a reader sees it.

use insta::assert_snapshot;

use super::*;

/// The figures of the table, as a reader sees them.
#[test]
fn table() {
    let run =
        Run::new("reports-table", repository(), &quant(&["fp32", "w8", "w4u8", "mixed"], &["--limit", "5"]));
    assert_snapshot!(without_sentences(&run.table()), @r"
    model     sdtv1_2-64_fashion (SpikeDrivenV1, 163650 parameters)
    hardware  edge-28
    data      fashion-mnist, 5 images

    setting  accuracy    drop    bits  model  membranes  footprint   cycles  latency  worst  energy  worst  power    energy
                    %  points  weight    KiB        KiB        KiB  kcycles       µs     µs      µJ     µJ     mW  pJ/synop
    -------  --------  ------  ------  -----  ---------  ---------  -------  -------  -----  ------  -----  -----  --------
    fp32       100.00    0.00   32.00    637        404       1057    289.8    724.6  795.9   82.58  86.66  114.0     12.07
    w8         100.00    0.00    8.00    168        202        378     83.9    209.6  232.1   16.59  17.67   79.1      2.41
    w4u8        80.00   20.00    4.00     90        101        199     68.6    171.4  187.6    6.15   6.77   35.9      0.91
    mixed      100.00    0.00    3.61     82        126        217     68.7    171.7  188.4    6.05   6.66   35.3      0.88

    peak   weight SRAM  activation SRAM   state SRAM
           of 96.0 KiB      of 64.0 KiB  of 64.0 KiB
    -----  -----------  ---------------  -----------
    fp32    95.9 100 %       56.7  89 %    0.0   0 %
    w8      95.0  99 %       32.2  50 %    0.1   0 %
    w4u8    89.7  93 %       32.2  50 %    0.0   0 %
    mixed   82.0  85 %       32.2  50 %    0.0   0 %

    time         lanes  vector unit  throughput  waits                longest wait
            busy ideal   busy ideal         1/s
    -----  -----------  -----------  ----------  -----  --------------------------
    fp32    72 %  11 %    4 %   4 %        1380   27 %      weight SRAM read  23 %
    w8      77 %  34 %   13 %  12 %        4770   22 %      weight SRAM read  16 %
    w4u8    92 %  41 %   15 %  15 %        5834    7 %  activation SRAM read   4 %
    mixed   92 %  41 %   15 %  15 %        5826    7 %  activation SRAM read   4 %

    fp32: 9 % of the weights stay on chip: loading them once is not charged
    fp32: float network, charged as a datapath of 32-bit integers
    w8: 53 % of the weights stay on chip: loading them once is not charged
    w4u8, mixed: all weights fit on chip and stay there: loading them once is not charged
    ");
}

#[test]
fn every_bundled_machine_runs() {
    let row = |hardware: &str| {
        let flags = quant(&["w8", "pot3"], &["--limit", "3", "--hw", hardware]);
        let run = Run::new(&format!("reports-{hardware}"), repository(), &flags);
        assert_eq!(run.report()["hardware"]["name"], hardware);
        without_sentences(&run.table())
    };
    assert_snapshot!(row("edge-28"), @r"
    model     sdtv1_2-64_fashion (SpikeDrivenV1, 163650 parameters)
    hardware  edge-28
    data      fashion-mnist, 3 images

    setting  accuracy    drop    bits  model  membranes  footprint   cycles  latency  worst  energy  worst  power    energy
                    %  points  weight    KiB        KiB        KiB  kcycles       µs     µs      µJ     µJ     mW  pJ/synop
    -------  --------  ------  ------  -----  ---------  ---------  -------  -------  -----  ------  -----  -----  --------
    w8         100.00    0.00    8.00  167.8      202.2      378.5    85.64    214.1  232.1   16.84  17.67  78.63     2.371
    pot3       100.00    0.00    3.00   70.1      202.2      280.8    55.99    140.0  151.1    5.39   5.80  38.49     0.789

    peak  weight SRAM  activation SRAM   state SRAM
          of 96.0 KiB      of 64.0 KiB  of 64.0 KiB
    ----  -----------  ---------------  -----------
    w8     95.0  99 %       32.2  50 %    0.1   0 %
    pot3   70.1  73 %       32.2  50 %    0.0   0 %

    time        lanes  vector unit  throughput  waits                longest wait
           busy ideal   busy ideal         1/s
    ----  -----------  -----------  ----------  -----  --------------------------
    w8     77 %  34 %   12 %  12 %        4670   23 %      weight SRAM read  17 %
    pot3   90 %  48 %   19 %  19 %        7144    9 %  activation SRAM read   5 %

    w8: 53 % of the weights stay on chip: loading them once is not charged
    pot3: all weights fit on chip and stay there: loading them once is not charged
    ");
    assert_snapshot!(row("systolic-28"), @r"
    model     sdtv1_2-64_fashion (SpikeDrivenV1, 163650 parameters)
    hardware  systolic-28
    data      fashion-mnist, 3 images

    setting  accuracy    drop    bits  model  membranes  footprint   cycles  latency  worst  energy  worst  power    energy
                    %  points  weight    KiB        KiB        KiB  kcycles       µs     µs      µJ     µJ     mW  pJ/synop
    -------  --------  ------  ------  -----  ---------  ---------  -------  -------  -----  ------  -----  -----  --------
    w8         100.00    0.00    8.00  167.8      202.2      378.5    278.9    697.2  697.2   24.11  24.28  34.58     3.395
    pot3       100.00    0.00    3.00   70.1      202.2      280.8    285.5    713.8  713.8   15.85  15.96  22.21     2.320

    peak  weight SRAM  activation SRAM   state SRAM
          of 96.0 KiB      of 64.0 KiB  of 64.0 KiB
    ----  -----------  ---------------  -----------
    w8     95.9 100 %       32.2  50 %   49.0  77 %
    pot3   70.1  73 %       32.2  50 %   52.6  82 %

    time        array  vector unit  throughput  waits                longest wait
           busy ideal   busy ideal         1/s
    ----  -----------  -----------  ----------  -----  --------------------------
    w8     99 %  83 %   14 %  14 %        1434    0 %             DRAM read   0 %
    pot3  100 %  81 %   14 %  14 %        1401    0 %  activation SRAM read   0 %

    w8: 59 % of the weights stay on chip: loading them once is not charged
    pot3: all weights fit on chip and stay there: loading them once is not charged
    ");
    assert_snapshot!(row("cortex-m4"), @r"
    model     sdtv1_2-64_fashion (SpikeDrivenV1, 163650 parameters)
    hardware  cortex-m4
    data      fashion-mnist, 3 images

    setting  accuracy    drop    bits  model  membranes  footprint   cycles  latency  worst  energy  worst  power    energy
                    %  points  weight    KiB        KiB        KiB  Mcycles       ms     ms      mJ     mJ     mW  pJ/synop
    -------  --------  ------  ------  -----  ---------  ---------  -------  -------  -----  ------  -----  -----  --------
    w8         100.00    0.00    8.00  167.8      202.2      378.5    33.49    697.7  749.5   1.373  1.475  1.968     193.4
    pot3       100.00    0.00    3.00   70.1      202.2      280.8    33.70    702.0  756.7   1.382  1.489  1.968     202.2

    peak        flash        SRAM
          of 1024 KiB  of 384 KiB
    ----  -----------  ----------
    w8      168  16 %    58  15 %
    pot3     70   7 %    58  15 %

    time    processor  throughput  waits     longest wait
           busy ideal         1/s
    ----  -----------  ----------  -----  ---------------
    w8    100 %  30 %       1.433   53 %  SRAM read  21 %
    pot3  100 %  30 %       1.424   44 %  SRAM read  20 %

    all settings: all weights fit on chip and stay there: loading them once is not charged
    ");
}
