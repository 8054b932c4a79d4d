//! Inputs that a corpus becomes: AFL++'s havoc (flipped bits, other bytes and integers, cut, doubled and moved
//! pieces), splices of two files, and words of a dictionary.

use std::error::Error;
use std::fs;
use std::path::Path;

use libafl::HasMetadata;
use libafl::corpus::{Corpus, InMemoryCorpus, Testcase};
use libafl::inputs::BytesInput;
use libafl::mutators::{
    HavocMutationsType, HavocScheduledMutator, Mutator as _, TokenInsert, TokenReplace, Tokens,
    havoc_mutations, tokens_mutations,
};
use libafl::state::{HasMaxSize, HasRand, StdState};
use libafl_bolts::rands::{Rand, StdRand};
use libafl_bolts::tuples::{Merge, merge_tuple_list_type, tuple_list_type};

/// Bytes of the longest input.
const MAX_BYTES: usize = 1 << 16;
/// At most 2^3 changes of an input: text that is changed in more places is refused at the first.
const MAX_CHANGES_LOG2: usize = 3;

type Files = InMemoryCorpus<BytesInput>;
type Mutations = merge_tuple_list_type!(HavocMutationsType, tuple_list_type!(TokenInsert, TokenReplace));

/// Mutates the files of one corpus.
pub struct Mutator {
    files: Vec<BytesInput>,
    state: StdState<Files, BytesInput, StdRand, Files>,
    mutations: HavocScheduledMutator<Mutations>,
    seed: u64,
}

impl Mutator {
    /// A mutator of the files in `folder`, in order of their names, with the words of `dictionary`.
    ///
    /// # Errors
    /// If one cannot be read, or there is none.
    pub fn new(folder: &Path, dictionary: &Path, seed: u64) -> Result<Self, Box<dyn Error>> {
        let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
        paths.sort();
        let (mut files, mut corpus) = (Vec::new(), Files::new());
        for path in paths {
            let file = BytesInput::new(fs::read(path)?);
            corpus.add(Testcase::new(file.clone()))?;
            files.push(file);
        }
        if files.is_empty() {
            return Err(format!("{}: no file", folder.display()).into());
        }
        let mut state = StdState::new(StdRand::with_seed(seed), corpus, Files::new(), &mut (), &mut ())?;
        state.set_max_size(MAX_BYTES);
        state.add_metadata(Tokens::from_file(dictionary)?);
        let mutations = havoc_mutations().merge(tokens_mutations());
        let mutations = HavocScheduledMutator::with_max_stack_pow(mutations, MAX_CHANGES_LOG2);
        Ok(Self { files, state, mutations, seed })
    }

    /// Input number `index`, which depends on the seed, the corpus and the dictionary alone.
    pub fn input(&mut self, index: u64) -> Vec<u8> {
        self.state.rand_mut().set_seed(self.seed.wrapping_mul(1 << 40).wrapping_add(index));
        let file = self.state.rand_mut().choose(&self.files).expect("there is a file");
        let mut input = file.clone();
        self.mutations.mutate(&mut self.state, &mut input).expect("mutations of bytes do not fail");
        input.into_inner()
    }
}
