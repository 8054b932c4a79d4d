//! `--threads`.

use clap::Args;
use rayon::ThreadPool;

use super::flags::check_flag;
use crate::error::{Error, Result};

/// The flag of commands that run on several threads.
#[derive(Debug, Args)]
pub struct ThreadsArguments {
    /// Threads to run on [default: one per core]; the results do not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl ThreadsArguments {
    /// A pool of as many threads as are asked for.
    ///
    /// # Errors
    /// If there are none or too many, or the system does not give them.
    pub fn pool(&self) -> Result<ThreadPool> {
        self.threads.map_or(Ok(()), |threads| check_flag("--threads", threads, 1..=1024))?;
        // None stands for one per core.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads.unwrap_or(0));
        pool.build().map_err(|e| Error::mismatch(format!("--threads: {e}")))
    }
}
