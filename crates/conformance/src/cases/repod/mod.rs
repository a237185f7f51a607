//! The cases about servers of repod, a file a group.
//!
//! References: `repodnet` is what PyPI `repodnet` does, as captured in `spec/repod.json`.

mod action;
mod crowd;
mod frame;
mod greeting;
mod stranger;
mod value;

use super::super::case::Case;

/// Every case, group by group.
pub(super) static CASES: [&[Case]; 6] =
    [greeting::CASES, frame::CASES, value::CASES, action::CASES, stranger::CASES, crowd::CASES];
