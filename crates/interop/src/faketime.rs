//! libfaketime, which answers programs that ask for the time.

use std::path::PathBuf;

use crate::debian;

/// The library that is preloaded into programs with threads; `None`, after a notice, where Debian's packages are
/// not to be had.
///
/// # Panics
///
/// If the package cannot be downloaded.
pub fn faketime() -> Option<PathBuf> {
    let home = debian::unpacked("faketime", "faketime.txt")?;
    let library = debian::find(&home.join("usr/lib"), |name| name == "libfaketimeMT.so.1");
    Some(library.expect("the package has it"))
}
