//! The Python package as users install it: from a clone, from a source distribution, from a wheel, each into
//! an environment that is new and has nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::python::{path_with, root, target};
use crate::{Failed, step};

/// Installs the package in every way, on every Python that is there, and tries what is installed.
pub(crate) fn test() -> Result<(), Failed> {
    let pythons = interop::pythons();
    let newest = pythons.first().expect("the tests need Python 3.10 or newer");
    step("the server of the tests", cargo().args(["build", "--package", "heartwire-cli"]))?;
    let home = create(newest, true)?;
    install("pip install .", &home, &root())?;
    try_out(&home)?;
    install("the source distribution", &home, &source_distribution()?)?;
    try_out(&home)?;
    let wheel = wheel();
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    assert!(name.contains("-cp310-abi3-"), "{name} is not for every Python from 3.10");
    for python in &pythons {
        let home = create(python, false)?;
        // By the pip of the newest: who makes an environment without one saves seconds.
        let mut pip = Command::new(&newest.path);
        pip.args(["-m", "pip", "--python"]).arg(home.join("bin/python"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]).arg(&wheel);
        step(&format!("the wheel, {}", python.name), &mut pip)?;
        try_out(&home)?;
    }
    Ok(())
}

/// A virtual environment that is new.
fn create(python: &interop::Python, with_pip: bool) -> Result<PathBuf, Failed> {
    let home = target().join(format!("environments/fresh-{}", python.name));
    let mut create = Command::new(&python.path);
    create.args(["-m", "venv", "--clear"]).arg(&home);
    if !with_pip {
        create.arg("--without-pip");
    }
    step(&format!("new environment, {}", python.name), &mut create)?;
    Ok(home)
}

/// As users do, but for optimisation, and for dependencies that are compiled already.
fn install(name: &str, environment: &Path, what: &Path) -> Result<(), Failed> {
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--force-reinstall"]).arg(what);
    pip.env("CARGO_TARGET_DIR", target()).env("MATURIN_PEP517_ARGS", "--profile dev");
    step(name, &mut pip)
}

/// The source distribution, unpacked, with files of now: what was compiled from others is not good for it.
fn source_distribution() -> Result<PathBuf, Failed> {
    let folder = target().join("sdist");
    let _ = fs::remove_dir_all(&folder);
    let python = interop::pythons().swap_remove(0);
    let tools = target().join(format!("environments/{}/bin", python.name));
    let mut build = Command::new(tools.join("maturin"));
    build.args(["sdist", "--out"]).arg(&folder).current_dir(root());
    build.env("PATH", path_with(&tools));
    step("source distribution", &mut build)?;
    let archive = only_file(&folder);
    step("its files", Command::new("tar").arg("xmf").arg(&archive).arg("-C").arg(&folder))?;
    fs::remove_file(archive).expect("it is there");
    Ok(only_file(&folder))
}

/// What `cargo xtask python` and the tests of the package have built.
fn wheel() -> PathBuf {
    only_file(&target().join("wheels"))
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).expect("the folder is there").flatten();
    files.next().expect("there is a file").path()
}

/// With what developers see: warnings are errors.
fn try_out(environment: &Path) -> Result<(), Failed> {
    let mut program = Command::new(environment.join("bin/python"));
    program.args(["-X", "dev", "-W", "error"]).arg(root().join("python/tests/smoke.py"));
    // Away from the sources, so that the package is the one that is installed.
    program.arg(target().join("debug/heartwire")).current_dir(environment);
    step("what it has to do", &mut program)
}

fn cargo() -> Command {
    Command::new("cargo")
}
