//! The compiled part of the Python package: what the classes of `heartwire.engineio` and
//! `heartwire.repod` hold.

mod engineio;
mod repod;

use pyo3::prelude::*;

/// `heartwire._native`.
#[pymodule(gil_used = false)]
mod _native {
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        engineio::add_to(module)?;
        repod::add_to(module)
    }
}
