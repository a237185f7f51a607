//! The short forms of the rows. `cargo xtask bounds` runs the long ones.

use bounds::row::{Measure, ROWS, Size};

#[track_caller]
fn check(name: &str) {
    bounds::child::set_program(env!("CARGO_BIN_EXE_bounds"));
    let measures: Vec<&Measure> =
        ROWS.iter().filter(|(known, _)| *known == name).map(|(_, measure)| measure).collect();
    let [measure] = measures[..] else { panic!("{} rows are called {name}", measures.len()) };
    let rows = measure(Size::Short);
    for row in &rows {
        println!("{row}");
    }
    let broken: Vec<_> = rows.iter().filter(|row| !row.holds).map(ToString::to_string).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

macro_rules! rows {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            check($name);
        })*

        #[test]
        fn every_row_is_tested() {
            let tested = [$($name),*];
            let known: Vec<_> = ROWS.iter().map(|(name, _)| *name).collect();
            assert_eq!(known, tested);
        }
    };
}

rows! {
    work_is_linear: "12 linear work",
    strangers_cost_little: "13 memory of strangers",
    clients_cost_no_more_than_their_limits: "13 memory of clients",
    declared_lengths_cost_nothing: "14 declared lengths",
    fragments_cost_their_bytes: "15 tiny fragments",
    bombs_are_refused: "16 decompression",
    the_largest_message_is_exact: "17 largest message",
    slow_senders_are_given_up: "18 slowloris",
    slow_readers_harm_nobody: "19 slow readers",
    send_tells_the_truth: "20 what send says",
    nothing_is_left_of_clients: "21 connect and close",
    nothing_is_left_of_who_leaves: "22 abandoned",
    every_refusal_ends: "23 refusals end",
    descriptors_may_run_out: "24 no descriptors left",
    many_clients_are_held: "25 many connections",
    one_bad_client_harms_nobody: "34 one bad neighbour",
    faults_are_contained: "35 faults of handlers",
}

/// Many systems let a program open 1024 files unless it asks for more.
#[test]
fn the_program_raises_its_limit_of_open_files() {
    let output = std::process::Command::new("sh")
        .args(["-c", "ulimit -Sn 256; exec \"$0\" --short 'many connections'"])
        .arg(env!("CARGO_BIN_EXE_bounds"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("WebSockets, held"), "{said}");
}
