//! Packages of Debian, unpacked below target/: the system itself stays as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{install, run, target};

/// Where the packages that a list of `peers` names are unpacked; `None`, after a notice, where Debian's packages
/// are not to be had.
pub(crate) fn unpacked(name: &str, list: &str) -> Option<PathBuf> {
    if !Command::new("apt-get")
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!("NOTICE: there is no apt-get: no {name}");
        return None;
    }
    let home = target().join("peers").join(name);
    install(&home, list, |list| {
        fs::create_dir_all(&home).expect("target/ can be written");
        let packages = fs::read_to_string(list).expect("it is part of this crate");
        let download = || {
            let mut command = Command::new("apt-get");
            command
                .args(["--quiet=2", "--option", "APT::Sandbox::User=root", "download"])
                .args(packages.split_whitespace())
                .current_dir(&home);
            command
        };
        // A fresh machine has no lists of packages.
        if !download().status().is_ok_and(|status| status.success()) {
            run(Command::new("apt-get").args(["--quiet=2", "update"]));
            run(&mut download());
        }
        for entry in fs::read_dir(&home).expect("it was made").flatten() {
            let file = entry.path();
            if file.extension().is_some_and(|extension| extension == "deb") {
                run(Command::new("dpkg-deb").arg("--extract").arg(file).arg(&home));
            }
        }
    });
    Some(home)
}

/// The file with such a name below a folder.
pub(crate) fn find(folder: &Path, wanted: fn(&str) -> bool) -> Option<PathBuf> {
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
