use crate::error::Fault;

/// Refuses the `field` if `message` says that something is wrong with it.
pub(super) fn refuse_if(
    is_wrong: bool,
    field: &'static str,
    message: impl FnOnce() -> String,
) -> Result<(), Fault> {
    if is_wrong { Err(Fault::new(field, message())) } else { Ok(()) }
}
