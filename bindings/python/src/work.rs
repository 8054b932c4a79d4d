//! What takes long: it runs on threads of its own, while the thread that waits for it answers to signals.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use spiq::model::Network;
use spiq::watch::{Interrupt, Watcher};
use spiq::{Error, Result};

use crate::error::raised;

/// How often whoever waits looks for signals.
const PERIOD: Duration = Duration::from_millis(50);
/// How long an interrupted computation is waited for. One that is inside of a long image ends later, by itself.
const GRACE: Duration = Duration::from_millis(600);

/// How far a computation is.
#[derive(Default)]
pub struct Progress {
    stage: Mutex<Stage>,
    done: AtomicUsize,
}

#[derive(Default, Clone)]
struct Stage {
    /// From 1 on; 0 before the first.
    number: usize,
    images: usize,
    what: String,
}

impl Progress {
    fn stage(&self) -> Stage {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells `listener` of it: number of the stage, what is done, images done and to be done.
    fn tell(&self, py: Python, listener: Option<&Py<PyAny>>) -> PyResult<()> {
        let Some(listener) = listener else { return Ok(()) };
        let Stage { number, images, what } = self.stage();
        listener.call1(py, (number, what, self.done.load(Ordering::Relaxed).min(images), images)).map(|_| ())
    }
}

impl Watcher for Progress {
    fn begin(&self, images: usize) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        *stage = Stage { number: stage.number + 1, images, what: String::new() };
        self.done.store(0, Ordering::Relaxed);
    }

    fn step(&self, what: &str) {
        self.done.fetch_add(1, Ordering::Relaxed);
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        if stage.what != what {
            what.clone_into(&mut stage.what);
        }
    }

    fn end(&self) {}
}

/// How work runs.
pub struct Manner<'a> {
    /// Threads; without, one per core.
    pub threads: Option<usize>,
    /// What is told how far it is.
    pub listener: Option<Py<PyAny>>,
    /// The network that errors are of.
    pub network: &'a Network,
}

/// Runs `work`, which looks at the interrupt that it is given. Ends, with the exception of the signal handler, soon
/// after a signal.
pub fn run<T: Send + 'static>(
    py: Python,
    manner: &Manner,
    work: impl FnOnce(&Progress, &Interrupt) -> Result<T> + Send + 'static,
) -> PyResult<T> {
    let fail = |error: &Error| raised(py, error, Some(manner.network));
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = manner.threads {
        spiq::check::in_range("threads", threads, &(1..=1024))
            .map_err(|fault| fail(&Error::mismatch(format!("{}: {}", fault.field, fault.message))))?;
        pool = pool.num_threads(threads);
    }
    let pool = pool.build().map_err(|e| fail(&Error::mismatch(format!("threads: {e}"))))?;
    let (progress, interrupt) = (Arc::new(Progress::default()), Interrupt::default());
    let (sender, receiver) = sync_channel(1);
    let (told, raised) = (Arc::clone(&progress), interrupt.clone());
    std::thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| pool.install(|| work(&told, &raised))));
        // Whoever waited may have given up.
        let _ = sender.send(result);
    });
    let receiver = Mutex::new(receiver);
    loop {
        match py.detach(|| receive(&receiver, PERIOD)) {
            Ok(Ok(result)) => {
                progress.tell(py, manner.listener.as_ref())?;
                return result.map_err(|error| fail(&error));
            }
            Ok(Err(panic)) => resume_unwind(panic),
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => unreachable!("a thread that ends has sent its result"),
        }
        let heard = py.check_signals().and_then(|()| progress.tell(py, manner.listener.as_ref()));
        if let Err(exception) = heard {
            interrupt.raise();
            let _ = py.detach(|| receive(&receiver, GRACE));
            return Err(exception);
        }
    }
}

fn receive<T>(receiver: &Mutex<Receiver<T>>, time: Duration) -> Result<T, RecvTimeoutError> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(time)
}
