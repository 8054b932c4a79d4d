//! A search with its log: begun, or taken up again.

use std::path::Path;

use super::arguments::{Arguments, refuse_flag, request};
use super::interrupt;
use crate::cli::given::Given;
use crate::error::{Error, Fault, Result};
use crate::search::log::{Log, Logged};
use crate::search::{Identity, Request, Terms};

/// The log inside the folder of a search.
const LOG: &str = "log.jsonl";

/// Flags that a search may be resumed with; all others are part of what it is.
const RESUMED_WITH: [&str; 7] = ["resume", "strategy", "seed", "max_evaluations", "threads", "quiet", "json"];

/// A search that this process alone may go on with.
pub struct Session {
    pub request: Request,
    /// What the log was begun with, of one that is resumed.
    resumed: Option<Request>,
    /// What its log knows.
    pub answers: Vec<Logged>,
    pub log: Log,
}

impl Session {
    /// Starts what `arguments` ask for, with a log of its own.
    pub fn begin(arguments: &Arguments) -> Result<Self> {
        let request = request(arguments)?;
        request.check().map_err(refuse_flag)?;
        let log = Log::create(&arguments.out.join(LOG))?;
        Ok(Self { request, resumed: None, answers: Vec::new(), log })
    }

    /// Takes up the search whose log is in `dir`, extended by the flags that were `given`.
    pub fn resume(dir: &Path, arguments: &Arguments, given: &Given) -> Result<Self> {
        if let Some(flag) = given.beside(&RESUMED_WITH) {
            return Err(Error::mismatch(format!(
                "{flag}: a search that is resumed keeps its own; with --resume go --strategy, --seed and \
                 --max-evaluations, to extend it, --threads, --quiet and --json"
            )));
        }
        let (contents, log) = Log::resume(&dir.join(LOG))?;
        let mut request = contents.request.clone();
        let Terms { mut strategies, mut seeds, mut max_evaluations } = request.terms();
        if given.has("strategy") {
            strategies.clone_from(&arguments.strategy);
        }
        if given.has("seed") {
            seeds.clone_from(&arguments.seed);
        }
        if given.has("max_evaluations") {
            max_evaluations = f64::from(arguments.max_evaluations);
        }
        request.extend(Terms { strategies, seeds, max_evaluations }).map_err(refuse_flag)?;
        interrupt::keeps(&log);
        Ok(Self { request, resumed: Some(contents.request), answers: contents.answers, log })
    }

    /// Names the fault of a request where it was read.
    pub fn refuse(&self, fault: Fault) -> Error {
        match &self.resumed {
            Some(_) => fault.at(format!("{}:1", self.log.path().display())),
            None => refuse_flag(fault),
        }
    }

    /// Refuses to go on with what was found out about something else.
    pub fn identify(&mut self, identity: Identity) -> Result<()> {
        if let Some(begun) = &self.resumed {
            identity.check(&begun.identity).map_err(|fault| self.refuse(fault))?;
        }
        self.request.identity = identity;
        Ok(())
    }

    /// Writes to the log what is searched, as far as it does not say so.
    pub fn write(&mut self) -> Result<()> {
        match &self.resumed {
            None => self.log.begin(&self.request)?,
            Some(begun) if self.request != *begun => self.log.extend(self.request.terms())?,
            Some(_) => (),
        }
        interrupt::keeps(&self.log);
        Ok(())
    }
}
