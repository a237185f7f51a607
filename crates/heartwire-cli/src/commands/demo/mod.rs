//! `heartwire demo`: servers and clients in one process, over loopback, and what happens.

mod stage;

mod engineio;

mod repod;

use tokio::runtime;

use crate::args::Demo;
use crate::exit::Exit;
use crate::output::{BOLD, Format, GREEN};
use stage::Stage;

pub(crate) fn run(args: Demo) -> Result<(), Exit> {
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Exit::failed("cannot start threads", error))?;
    let stage = Stage::new(Format::new(args.json));
    engineio::show(&stage, &runtime)?;
    repod::show(&stage, &runtime)?;
    if stage.format == Format::Words {
        stage.blank()?;
        stage.say(&format!("{GREEN}All of it worked.{GREEN:#} Next, in two terminals:"))?;
        stage.say(&format!("  {BOLD}heartwire serve --engineio --repod{BOLD:#}"))?;
        stage.say(&format!(
            "  {BOLD}heartwire connect http://localhost:5000{BOLD:#}  (or repod://localhost:5071)"
        ))?;
    }
    Ok(())
}
