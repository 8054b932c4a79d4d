//! A search with its log: begun, or taken up again.

use std::path::Path;

use super::log::{Log, Logged};
use super::{Identity, Request, Terms};
use crate::error::{Error, Fault, Result};

/// A search that this process alone may go on with.
#[derive(Debug)]
pub struct Session {
    /// What is searched.
    pub request: Request,
    /// What the log was begun with, of one that is resumed.
    resumed: Option<Request>,
    /// What its log knows.
    pub answers: Vec<Logged>,
    /// Where answers are kept.
    pub log: Log,
    /// Names a field of a request as whoever began the search wrote it.
    refuse: fn(Fault) -> Error,
}

impl Session {
    /// The log inside the folder of a search.
    pub const LOG: &str = "log.jsonl";

    /// Begins what `request` asks for, with a log of its own in `dir`; `refuse` names what is wrong with it.
    ///
    /// # Errors
    /// Those of `refuse`, if the request makes no sense, and of [`Log::create`].
    pub fn begin(request: Request, dir: &Path, refuse: fn(Fault) -> Error) -> Result<Self> {
        request.check().map_err(refuse)?;
        let log = Log::create(&dir.join(Self::LOG))?;
        Ok(Self { request, resumed: None, answers: Vec::new(), log, refuse })
    }

    /// Takes up the search whose log is in `dir`, which goes as far as `extended` makes of its terms; `refuse` names
    /// what is wrong with them.
    ///
    /// # Errors
    /// Those of [`Log::resume`], and of `refuse` if the terms leave out what was asked for.
    pub fn resume(
        dir: &Path,
        extended: impl FnOnce(&Request) -> Result<Terms>,
        refuse: fn(Fault) -> Error,
    ) -> Result<Self> {
        let (contents, log) = Log::resume(&dir.join(Self::LOG))?;
        let mut request = contents.request.clone();
        request.extend(extended(&request)?).map_err(refuse)?;
        Ok(Self { request, resumed: Some(contents.request), answers: contents.answers, log, refuse })
    }

    /// Names the fault of a request where it was read.
    pub fn refuse(&self, fault: Fault) -> Error {
        match &self.resumed {
            Some(_) => fault.at(format!("{}:1", self.log.path().display())),
            None => (self.refuse)(fault),
        }
    }

    /// Refuses to go on with what was found out about something else.
    ///
    /// # Errors
    /// Names everything that has changed since the search was begun.
    pub fn identify(&mut self, identity: Identity) -> Result<()> {
        if let Some(begun) = &self.resumed {
            identity.check(&begun.identity).map_err(|fault| self.refuse(fault))?;
        }
        self.request.identity = identity;
        Ok(())
    }

    /// Writes to the log what is searched, as far as it does not say so.
    ///
    /// # Errors
    /// Those of [`Log::append`].
    pub(super) fn write(&mut self) -> Result<()> {
        match &self.resumed {
            None => self.log.begin(&self.request)?,
            Some(begun) if self.request != *begun => self.log.extend(self.request.terms())?,
            Some(_) => (),
        }
        Ok(())
    }
}
