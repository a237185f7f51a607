//! libfaketime, which answers programs that ask for the time.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{install, run, target};

/// The library that is preloaded into programs with threads; `None`, after a notice, where Debian's packages are
/// not to be had. The system itself stays as it is.
///
/// # Panics
///
/// If the package cannot be downloaded.
pub fn faketime() -> Option<PathBuf> {
    if !Command::new("apt-get")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("NOTICE: there is no apt-get: no clock is set");
        return None;
    }
    let home = target().join("peers/faketime");
    install(&home, "faketime.txt", |list| {
        fs::create_dir_all(&home).expect("target/ can be written");
        let package = fs::read_to_string(list).expect("it is part of this crate");
        let download = || {
            let mut command = Command::new("apt-get");
            command
                .args(["--quiet=2", "--option", "APT::Sandbox::User=root", "download"])
                .arg(package.trim())
                .current_dir(&home);
            command
        };
        // A fresh machine has no lists of packages.
        if !download().status().is_ok_and(|status| status.success()) {
            run(Command::new("apt-get").args(["--quiet=2", "update"]));
            run(&mut download());
        }
        let archive = find(&home, |name| name.ends_with(".deb")).expect("it was downloaded");
        run(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(&home));
    });
    let library = find(&home.join("usr/lib"), |name| name == "libfaketimeMT.so.1");
    Some(library.expect("the package has it"))
}

/// The file with such a name below a folder.
fn find(folder: &std::path::Path, wanted: fn(&str) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    entries.into_iter().find_map(|path| match path.is_dir() {
        true => find(&path, wanted),
        false => {
            path.file_name().and_then(|name| name.to_str()).is_some_and(wanted).then_some(path)
        }
    })
}
