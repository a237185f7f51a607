//! `heartwire completions`, `heartwire man`, and what `--help` looks like.

use std::process::Command;

use std::process::Stdio;

use crate::program::{command, run, text};

/// What a user can type behind `heartwire`.
const COMMANDS: [&str; 7] = ["demo", "serve", "connect", "check", "bench", "completions", "man"];

#[test]
fn every_shell_completes() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(&["completions", shell], "");
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = text(&output.stdout);
        for word in COMMANDS.into_iter().chain(["transports", "cacert", "ping-interval-ms"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(run(&["completions", "sh"], "").status.code(), Some(2));
}

/// The script is one that bash can read, and does what it is for.
#[test]
fn bash_completes_a_command() {
    let script = run(&["completions", "bash"], "").stdout;
    let program = format!(
        "{}\nCOMP_WORDS=(heartwire con); COMP_CWORD=1; _heartwire heartwire con heartwire\n\
         echo \"${{COMPREPLY[@]}}\"\n",
        text(&script)
    );
    let output = std::process::Command::new("bash")
        .args(["--norc", "-c", &program])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("connect\n", ""));
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let program = run(&["man"], "");
    let page = text(&program.stdout);
    assert!(page.contains(".TH heartwire 1"), "{page}");
    for name in COMMANDS {
        assert!(page.contains(name), "{name}");
        let page = run(&["man", name], "");
        assert_eq!(page.status.code(), Some(0), "{name}");
        assert!(text(&page.stdout).contains(".SH SYNOPSIS"), "{name}");
    }
    let connect = run(&["man", "connect"], "");
    assert!(text(&connect.stdout).contains("socks5h"), "the page says what options are for");

    let unknown = run(&["man", "nothing"], "");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("expected one of demo, serve"));
}

#[test]
fn help_teaches_with_examples_that_can_be_typed() {
    let mut commands = vec![vec!["--help"]];
    commands.extend(COMMANDS.map(|name| vec![name, "--help"]));
    for args in commands {
        let help = run(&args, "");
        assert_eq!(help.status.code(), Some(0), "{args:?}");
        let help = text(&help.stdout);
        let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{args:?}"));
        let name = if args.len() == 1 { "" } else { args[0] };
        let start = format!("heartwire {name}");
        assert!(examples.lines().any(|line| line.contains(start.trim_end())), "{args:?}");
        // Every option in an example is one of the command's.
        let options = examples.split_whitespace().filter(|word| word.starts_with("--"));
        for option in options.filter(|_| !name.is_empty()) {
            let option = option.trim_end_matches([',', ';', '.']);
            assert!(help.split_once("Examples:").unwrap().0.contains(option), "{args:?} {option}");
        }
    }
    let listed = text(&run(&["--help"], "").stdout).to_owned();
    let (_, listed) = listed.split_once("Commands:\n").unwrap();
    let names: Vec<_> = listed
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert_eq!(names, COMMANDS, "every command is tested");
}

#[test]
fn the_manual_is_written_to_files() {
    let dir = std::env::temp_dir().join(format!("heartwire-man-{}", std::process::id()));
    let output = run(&["man", "--dir", dir.to_str().unwrap()], "");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    for name in COMMANDS {
        assert!(dir.join(format!("heartwire-{name}.1")).is_file(), "{name}");
    }
    assert!(dir.join("heartwire.1").is_file());
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn colours_are_for_terminals_and_who_wants_them() {
    let escape = "\u{1b}[";
    let errs = |variable: Option<&str>| {
        let mut command = command(&["connect", "ftp://nowhere"]);
        for name in ["NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.envs(variable.map(|name| (name, "1")));
        let output = command.output().unwrap();
        text(&output.stderr).to_owned()
    };
    assert!(!errs(None).contains(escape), "nobody sees them");
    assert!(errs(Some("CLICOLOR_FORCE")).contains(escape));
    assert!(!errs(Some("NO_COLOR")).contains(escape));
}

#[test]
fn a_terminal_gets_colours_unless_they_are_not_wanted() {
    let list = |variable: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heartwire"));
        command.args(["check", "--list", "--only", "handshake/"]);
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        command.env("TERM", "xterm-256color").envs(variable.map(|name| (name, "1")));
        let mut terminal = rexpect::session::spawn_command(command, Some(30_000)).unwrap();
        terminal.exp_eof().unwrap()
    };
    assert!(list(None).contains("\u{1b}[36mhandshake/polling"));
    let plain = list(Some("NO_COLOR"));
    assert!(plain.contains("handshake/polling") && !plain.contains('\u{1b}'), "{plain:?}");
}
