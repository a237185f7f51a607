//! A program that is measured, or that measures.

use std::path::PathBuf;
use std::process::Command;

use crate::place::Place;

/// A program and its arguments, in which `{port}` and `{process}` stand for the server's.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Program {
    runtime: Runtime,
    name: &'static str,
    args: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Runtime {
    Built,
    Node,
    Python,
}

impl Program {
    /// A program that cargo builds.
    pub(crate) fn built(name: &'static str, args: &str) -> Self {
        Self::new(Runtime::Built, name, args)
    }

    /// A script for Node.
    pub(crate) fn node(name: &'static str, args: &str) -> Self {
        Self::new(Runtime::Node, name, args)
    }

    /// A script for Python.
    pub(crate) fn python(name: &'static str, args: &str) -> Self {
        Self::new(Runtime::Python, name, args)
    }

    fn new(runtime: Runtime, name: &'static str, args: &str) -> Self {
        Self { runtime, name, args: args.split_whitespace().map(str::to_owned).collect() }
    }

    /// The same with other words for some.
    pub(crate) fn with(&self, words: &[(&str, &str)]) -> Self {
        let replace = |arg: &String| {
            let replace = |arg: String, (word, by): &(&str, &str)| arg.replace(word, by);
            words.iter().fold(arg.clone(), replace)
        };
        Self { args: self.args.iter().map(replace).collect(), ..self.clone() }
    }

    /// Whether everything that it needs is installed.
    pub(crate) fn is_there(&self, place: &Place) -> bool {
        match self.runtime {
            Runtime::Built => self.path(place).exists(),
            Runtime::Node => place.node().join("installed").exists(),
            Runtime::Python => place.python().join("installed").exists(),
        }
    }

    /// The command that runs it, on one processor or, with none named, on all.
    pub(crate) fn command(&self, place: &Place, processor: Option<u8>) -> Command {
        let path = self.path(place);
        let line: Vec<PathBuf> = match self.runtime {
            Runtime::Built => vec![path],
            Runtime::Node => vec!["node".into(), path],
            Runtime::Python => vec![place.python().join("bin/python"), path],
        };
        let mut command = match processor {
            // It becomes the program, so that the process is the program's.
            Some(processor) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", &processor.to_string()]).args(&line);
                command
            }
            None => {
                let mut command = Command::new(&line[0]);
                command.args(&line[1..]);
                command
            }
        };
        command.args(&self.args).env("NODE_PATH", place.node().join("node_modules"));
        command
    }

    fn path(&self, place: &Place) -> PathBuf {
        let folder = match self.runtime {
            Runtime::Built => place.built().join("release"),
            Runtime::Node => place.programs().join("node"),
            Runtime::Python => place.programs().join("python"),
        };
        folder.join(self.name)
    }
}
