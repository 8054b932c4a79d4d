/// What is wrong with a field, wherever it was read: flags and logs are held to equal rules, and each names
/// the field in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field, with those that it is inside of: `problem.slack`.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Fault {
    /// A fault in `field`.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// Refuses the `field` if `message` says that something is wrong with it.
pub(super) fn refuse_if(
    is_wrong: bool,
    field: &'static str,
    message: impl FnOnce() -> String,
) -> Result<(), Fault> {
    if is_wrong { Err(Fault::new(field, message())) } else { Ok(()) }
}
