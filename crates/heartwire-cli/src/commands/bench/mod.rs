//! `heartwire bench`: how fast is that server, and is it right under load?
//!
//! ```text
//! load ──► worker (one a thread) ──► connection ──► exchange ──► pace, ledger
//!   │          │ bells, alarm            │ client, body
//!   │          └───────── recorder ◄─────┘
//!   └──► report ──► words, JSON, page (charts)
//! ```

mod figure;

mod plan;

mod body;

mod pace;

mod ledger;

mod exchange;

mod recorder;

mod clock;

mod alarm;

mod processor;

mod descriptors;

mod client;

mod target;

mod connection;

mod bells;

mod progress;

mod worker;

mod load;

mod floor;

mod chart;

mod report;

mod page;

use std::fs::{self, File};

use tokio::runtime;

use self::body::Body;
use self::plan::Plan;
use self::progress::Progress;
use self::report::Report;
use self::target::Target;
use crate::args::Bench;
use crate::exit::Exit;
use crate::output::Format;
use crate::termination::Termination;

pub(crate) fn run(args: Bench) -> Result<(), Exit> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failed("cannot start", error))?;
    runtime.block_on(bench(args))
}

async fn bench(args: Bench) -> Result<(), Exit> {
    let format = Format::new(args.json);
    let mut termination = Termination::new()?;
    let target = Target::new(&args)?;
    let plan = Plan::new(&args);
    let open_files = descriptors::make_room(&plan, target.files_per_connection())?;
    if let Some(file) = &args.html {
        // That it cannot be written is to be known before, not after.
        let opened = File::options().create(true).truncate(false).write(true).open(file);
        opened.map_err(|error| Exit::Usage(format!("cannot write {}: {error}", file.display())))?;
    }
    let mut progress = Progress::new(format);
    // Whether there is such a server at all, before anything takes time.
    tokio::select! {
        tried = try_out(&target, &plan) => tried?,
        _ = termination.wait() => return Err(Exit::Interrupted),
    }
    let floor = if args.no_self_check {
        None
    } else {
        let measured = floor::measure(&target, &plan, &mut progress, &mut termination).await?;
        Some(measured.filter(|floor| !floor.interrupted).ok_or(Exit::Interrupted)?)
    };
    progress.begin("");
    let outcome = load::run(&target, &plan, &mut progress, &mut termination).await?;
    let outcome = outcome.ok_or(Exit::Interrupted)?;
    let report = Report::new(&args.url, &target, plan, open_files, outcome, floor);
    report.print(format)?;
    if let Some(file) = &args.html {
        fs::write(file, page::page(&report))
            .map_err(|error| Exit::failed(format!("cannot write {}", file.display()), error))?;
    }
    report.verdict()
}

/// Opens a connection and closes it again.
async fn try_out(target: &Target, plan: &Plan) -> Result<(), Exit> {
    let body = Body::new(plan.size, plan.binary);
    let opened = target.open(plan, &body).await.map_err(|failure| failure.into_exit())?;
    opened.client.disconnect().await;
    Ok(())
}
