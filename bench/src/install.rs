//! Everything that runs, built and installed below `target/`.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::place::Place;

/// Builds ours, the floors and the peers. A peer that cannot be installed is left out, with a notice.
///
/// # Errors
///
/// Ours cannot be built.
pub(crate) fn install(place: &Place) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(place.target())?;
    let cargo = || {
        let mut cargo = Command::new("cargo");
        let manifest = place.programs().join("Cargo.toml");
        cargo.args(["build", "--release", "--locked", "--manifest-path"]).arg(manifest);
        cargo.arg("--target-dir").arg(place.built());
        cargo
    };
    step("ours, floors and load", cargo().args(["-p", "ours", "-p", "floor", "-p", "load"]))?;
    notice(step("peers in Rust", cargo().args(["--keep-going", "-p", "peers"])));
    notice(step("clients in Rust", cargo().args(["-p", "peer-client"])));
    notice(node(place));
    notice(python(place));
    Ok(())
}

fn node(place: &Place) -> Result<(), Box<dyn Error>> {
    let (home, list) = (place.node(), place.programs().join("node/package.json"));
    once(&home, &list, || {
        fs::create_dir_all(&home)?;
        fs::copy(&list, home.join("package.json"))?;
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
        step("peers in Node", Command::new("npm").args(install).current_dir(&home))
    })
}

/// The environment with the peers, and our wheel in it.
fn python(place: &Place) -> Result<(), Box<dyn Error>> {
    let (home, list) = (place.python(), place.programs().join("python/requirements.txt"));
    let python = home.join("bin/python");
    let pip = |args: &[&str]| {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]).args(args);
        pip
    };
    once(&home, &list, || {
        let pythons = interop::pythons();
        let base = pythons.first().ok_or("no Python 3.10 or newer")?;
        let environment = ["-m", "venv", "--clear"];
        step("Python", Command::new(&base.path).args(environment).arg(&home))?;
        step("peers in Python", pip(&["--requirement"]).arg(&list))
    })?;
    let wheels = place.target().join("wheels");
    let _ = fs::remove_dir_all(&wheels);
    let mut maturin = Command::new(home.join("bin/maturin"));
    maturin.args(["build", "--release", "--out"]).arg(&wheels).current_dir(place.root());
    step("our wheel", maturin.env("VIRTUAL_ENV", &home))?;
    let wheel = fs::read_dir(&wheels)?.flatten().next().ok_or("maturin has made no wheel")?;
    step("our wheel, installed", pip(&["--force-reinstall", "--no-deps"]).arg(wheel.path()))
}

/// Runs `install`, unless that was done for this very list of packages.
fn once(
    home: &Path,
    list: &Path,
    install: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let (stamp, wanted) = (home.join("installed"), fs::read_to_string(list)?);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    install()?;
    fs::write(stamp, wanted)?;
    Ok(())
}

fn notice(result: Result<(), Box<dyn Error>>) {
    if let Err(error) = result {
        println!("NOTICE: {error}: what needs it is not measured");
    }
}

fn step(name: &str, command: &mut Command) -> Result<(), Box<dyn Error>> {
    println!("── {name}");
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    if !status.success() {
        return Err(format!("{name}: {status}").into());
    }
    println!("── {name}: {:.0?}", start.elapsed());
    Ok(())
}
