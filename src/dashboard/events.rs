//! The stream of changes as somebody asks for it.

use std::sync::Arc;

use tokio::sync::Notify;

use super::answer::{Answer, stream};
use super::board::Board;
use super::query;

/// The stream: from where the caller was, which a browser says in a header and a page in the query.
pub(super) fn open(
    board: &Board,
    query: Option<&str>,
    last: Option<&str>,
    cut: Arc<Notify>,
) -> Result<Answer, String> {
    let wishes = query::parse(query, &["last", "usage"])?;
    let usage = match wishes.get("usage").map(String::as_str) {
        None | Some("1") => true,
        Some("0") => false,
        Some(_) => return Err("usage is 0 or 1".into()),
    };
    let last = last.or(wishes.get("last").map(String::as_str));
    Ok(stream(board.listen(last, usage, cut)))
}
