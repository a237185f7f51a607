//! `schedules [--schedules COUNT] [--seed SEED] [MODEL…]` runs models, each in so many orders of events;
//! `schedules MODEL --replay ORDER` runs one in the order that a failure has told.

use std::process::ExitCode;
use std::time::Instant;

use schedules::{MODELS, Model};

fn main() -> ExitCode {
    let (mut count, mut seed, mut order, mut chosen) = (1_000_000, 0, None, vec![]);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let understood = match arg.as_str() {
            "--schedules" => args.next().and_then(|value| value.parse().ok()).map(|n| count = n),
            "--seed" => args.next().and_then(|value| value.parse().ok()).map(|n| seed = n),
            "--replay" => args.next().map(|value| order = Some(value)),
            name => model(name).map(|model| chosen.push(model)),
        };
        if understood.is_none() {
            return usage();
        }
    }
    match (order, chosen.as_slice()) {
        (Some(order), [model]) => model.replay(&order),
        (Some(_), _) => return usage(),
        (None, []) => MODELS.iter().for_each(|model| run(model, seed, count)),
        (None, chosen) => chosen.iter().for_each(|model| run(model, seed, count)),
    }
    ExitCode::SUCCESS
}

fn model(name: &str) -> Option<Model> {
    MODELS.into_iter().find(|model| model.name == name)
}

fn run(model: &Model, seed: u64, count: usize) {
    let start = Instant::now();
    model.run(seed, count);
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!("{}: {count} orders, {rate:.0} a second: all is well", model.name);
}

fn usage() -> ExitCode {
    let names: Vec<_> = MODELS.iter().map(|model| model.name).collect();
    eprintln!(
        "usage: schedules [--schedules COUNT] [--seed SEED] [MODEL…], or schedules MODEL --replay ORDER"
    );
    eprintln!("models: {}", names.join(", "));
    ExitCode::from(2)
}
