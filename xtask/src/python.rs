//! The Python package: built as users get it, and tested on every Python that is there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Failed, step};

/// Builds the wheel, installs it into an environment for each Python, and runs the tests of
/// `python/tests` there. With arguments, only on the newest Python, and pytest gets them.
pub(crate) fn test(args: &[String]) -> Result<(), Failed> {
    let pythons = interop::pythons();
    let (newest, others) = pythons.split_first().expect("the tests need Python 3.10 or newer");
    let wheel = test_on_newest(newest, args)?;
    if !args.is_empty() {
        return Ok(());
    }
    for python in others {
        let environment = environment(python)?;
        install(&environment, &wheel)?;
        let name = format!("Python tests, {}", python.name);
        step(&name, pytest(&environment).args(AT_ONCE).args(["-m", "not slow"]))?;
    }
    Ok(())
}

/// All tests, on the newest Python alone.
pub(crate) fn test_quickly() -> Result<(), Failed> {
    let pythons = interop::pythons();
    let newest = pythons.first().expect("the tests need Python 3.10 or newer");
    test_on_newest(newest, &[]).map(drop)
}

/// Two tests at a time: many of them wait, and some for a minute.
const AT_ONCE: [&str; 4] = ["--numprocesses", "2", "--dist", "worksteal"];

/// Returns the wheel.
fn test_on_newest(python: &interop::Python, args: &[String]) -> Result<PathBuf, Failed> {
    let environment = environment(python)?;
    let wheel = build(&environment)?;
    install(&environment, &wheel)?;
    // What the tests use as a server is there before their time runs.
    step(
        "the server of the tests",
        Command::new("cargo").args(["build", "--package", "heartwire-cli"]),
    )?;
    let mut tests = pytest(&environment);
    if args.is_empty() {
        tests.args(AT_ONCE);
    }
    step("Python tests", tests.args(args))?;
    Ok(wheel)
}

/// The virtual environment of a Python, with what the tests need.
fn environment(python: &interop::Python) -> Result<PathBuf, Failed> {
    let home = target().join(format!("environments/{}", python.name));
    let list = root().join("python/tests/requirements.txt");
    let wanted = fs::read_to_string(&list).expect("it is part of the project");
    let stamp = home.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(home);
    }
    let mut create = Command::new(&python.path);
    step(
        &format!("environment of {}", python.name),
        create.args(["-m", "venv", "--clear"]).arg(&home),
    )?;
    let mut install = pip(&home);
    step("what the tests need", install.arg("-r").arg(&list))?;
    fs::write(stamp, wanted).expect("target/ can be written");
    Ok(home)
}

/// The wheel, as `pip install .` makes it, but for optimisation.
fn build(environment: &Path) -> Result<PathBuf, Failed> {
    let folder = target().join("wheels");
    let _ = fs::remove_dir_all(&folder);
    let mut build = Command::new(environment.join("bin/maturin"));
    build.args(["build", "--locked", "--profile", "dev", "--out"]).arg(&folder).current_dir(root());
    // The tool is found beside its Python, and cargo by the one that runs this.
    build.env("VIRTUAL_ENV", environment).env("PATH", path_with(&environment.join("bin")));
    step("wheel", &mut build)?;
    let mut wheels = fs::read_dir(&folder).expect("the wheel is there").flatten();
    Ok(wheels.next().expect("the wheel is there").path())
}

fn install(environment: &Path, wheel: &Path) -> Result<(), Failed> {
    let mut install = pip(environment);
    step("the wheel", install.args(["--force-reinstall", "--no-deps"]).arg(wheel))
}

fn pip(environment: &Path) -> Command {
    let mut command = Command::new(environment.join("bin/python"));
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    command
}

fn pytest(environment: &Path) -> Command {
    let mut command = Command::new(environment.join("bin/python"));
    // What hangs or fails once in a hundred times is to be found: nothing is tried again.
    command.args(["-m", "pytest", "-q"]).arg(root().join("python/tests")).current_dir(root());
    command
}

pub(crate) fn path_with(first: &Path) -> OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let all = [first.to_owned()].into_iter().chain(std::env::split_paths(&rest));
    std::env::join_paths(all).expect("a path without colons")
}

pub(crate) fn target() -> PathBuf {
    root().join("target")
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("it exists")
}
