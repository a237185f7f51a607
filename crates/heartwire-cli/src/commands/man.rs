//! `heartwire man`: manual pages, made of the same words as `--help`.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_mangen::Man as Page;

use crate::args::{Args, Man};
use crate::exit::Exit;

pub(crate) fn run(args: Man) -> Result<(), Exit> {
    let mut program = Args::command();
    if let Some(dir) = args.dir {
        std::fs::create_dir_all(&dir)
            .and_then(|()| clap_mangen::generate_to(program, &dir))
            .map_err(|error| Exit::failed(format!("cannot write to {}", dir.display()), error))?;
        return Ok(());
    }
    program.build();
    let command = match &args.command {
        None => &program,
        Some(name) => program.find_subcommand(name).ok_or_else(|| {
            let known: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
            Exit::Usage(format!("no command {name:?}, expected one of {}", known.join(", ")))
        })?,
    };
    let mut page = vec![];
    Page::new(command.clone()).render(&mut page)?;
    Ok(io::stdout().write_all(&page)?)
}
