//! Placeholder.
pub(crate) fn escape(text: &str) -> String {
    crate::output::strip_control(text.as_bytes())
}
