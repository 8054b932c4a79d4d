//! A file of a report, before it is written.

/// Path inside the folder of a report, with slashes, and bytes.
pub(super) type File = (String, Vec<u8>);
