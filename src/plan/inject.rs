//! How the command gets its port: the environment always, a flag where the server ignores it.

/// How the command gets its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Injection {}
