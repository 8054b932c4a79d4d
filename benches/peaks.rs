//! What the instructions of the kernels do at most, from registers to registers: the roof over
//! `cargo bench --bench kernels`, in the same multiply-accumulates per second of one thread.
//!
//!     cargo bench --bench peaks
//!
//! A look-up adds 6 weights at 64 positions (AVX2: 4 at 32), a product of pairs 2 weights at 16 (8).

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;
    use std::hint::black_box;
    use std::time::Instant;

    use spiq::exec::Isa;

    const ROUNDS: usize = 20_000_000;

    macro_rules! peak {
        ($name:ident, $features:literal, $sums:literal, $zero:expr, $next:expr, $step:expr) => {
            /// Steps of sums that are independent of each other, enough to hide what an instruction takes and so
            /// few that all stay in registers; returns how many.
            #[target_feature(enable = $features)]
            fn $name() -> usize {
                let zero = $zero;
                let (mut sums, mut x) = ([zero; $sums], zero);
                let weights = black_box([zero; $sums]);
                for _ in 0..ROUNDS {
                    for (sum, weights) in sums.iter_mut().zip(weights) {
                        *sum = $step(*sum, x, weights);
                    }
                    x = $next(x);
                }
                black_box(sums);
                $sums * ROUNDS
            }
        };
    }

    peak!(
        lookups_512,
        "avx512f,avx512bw,avx512vbmi",
        14,
        _mm512_setzero_si512(),
        |x| _mm512_add_epi8(x, _mm512_set1_epi8(1)),
        |sum, x, table| _mm512_add_epi8(sum, _mm512_permutexvar_epi8(x, table))
    );
    peak!(
        words_512,
        "avx512f,avx512bw,avx512vbmi",
        14,
        _mm512_setzero_si512(),
        |x| _mm512_add_epi8(x, _mm512_set1_epi8(1)),
        |sum, x, table| _mm512_add_epi16(sum, _mm512_permutex2var_epi16(table, x, table))
    );
    peak!(
        products_512,
        "avx512f,avx512bw,avx512vnni",
        14,
        _mm512_setzero_si512(),
        |x| _mm512_add_epi8(x, _mm512_set1_epi8(1)),
        |sum, x, weights| _mm512_dpwssd_epi32(sum, x, weights)
    );
    peak!(
        lookups_256,
        "avx2",
        5,
        _mm256_setzero_si256(),
        |x| _mm256_add_epi8(x, _mm256_set1_epi8(1)),
        |sum, x, table| _mm256_add_epi8(sum, _mm256_shuffle_epi8(table, x))
    );
    peak!(
        products_256,
        "avx2",
        5,
        _mm256_setzero_si256(),
        |x| _mm256_add_epi8(x, _mm256_set1_epi8(1)),
        |sum, x, weights| _mm256_add_epi32(sum, _mm256_madd_epi16(x, weights))
    );

    /// The most of five measurements, in 1e9 multiply-accumulates per second.
    fn measure(name: &str, macs: usize, run: impl Fn() -> usize) {
        let rate = |_| {
            let start = Instant::now();
            (macs * run()) as f64 / start.elapsed().as_secs_f64() / 1e9
        };
        println!("{name:36} {:8.0} GMAC/s", (0..5).map(rate).fold(0.0, f64::max));
    }

    pub fn run() {
        let has = |name| Isa::named(name).is_some_and(Isa::is_available);
        if has("avx512") {
            // SAFETY: the processor has the instructions.
            measure("avx512 look-ups, sums of 8 bits", 384, || unsafe { lookups_512() });
            // SAFETY: as above.
            measure("avx512 look-ups, sums of 16 bits", 192, || unsafe { words_512() });
            // SAFETY: as above.
            measure("avx512 products of 16 bits", 32, || unsafe { products_512() });
        }
        if has("avx2") {
            // SAFETY: as above.
            measure("avx2 look-ups, sums of 8 bits", 128, || unsafe { lookups_256() });
            // SAFETY: as above.
            measure("avx2 products of 16 bits", 16, || unsafe { products_256() });
        }
    }
}

fn main() {
    #[cfg(target_arch = "x86_64")]
    x86::run();
}
