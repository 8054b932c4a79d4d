/// Instruction sets that kernels are written for. The integers do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// What every target has.
    Portable,
    /// x86-64 with AVX2 and POPCNT.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ, VL, VBMI, VNNI and BITALG: Intel from Ice Lake, AMD from Zen 4.
    Avx512,
}

impl Isa {
    /// All of them, slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The name that a flag gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// True if this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vbmi")
                    && is_x86_feature_detected!("avx512vnni")
                    && is_x86_feature_detected!("avx512bitalg")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }
}

/// An instruction set that this processor was seen to have: what makes calling its kernels sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu(Isa);

impl Cpu {
    /// `None` if the processor lacks `isa`.
    pub fn new(isa: Isa) -> Option<Self> {
        isa.is_available().then_some(Self(isa))
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self(Isa::best())
    }

    /// The instruction set.
    pub fn isa(self) -> Isa {
        self.0
    }

    /// Channels that share a byte of packed spikes, and inputs of one table: a table has an entry for
    /// every value of such a byte, and one look-up of 64 or 16 entries is one instruction.
    pub fn inputs_per_table(self) -> usize {
        match self.0 {
            Isa::Avx512 => 6,
            Isa::Avx2 | Isa::Portable => 4,
        }
    }
}
