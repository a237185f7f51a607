//! Real networks that do their worst, and programs that are killed, stopped and lied to about the time: what the
//! libraries promise must hold all the same. Linux only, and as root.
#![cfg(target_os = "linux")]

pub mod journal;

pub mod letter;

pub mod namespace;

pub mod segment;

pub mod weather;

pub mod link;

pub mod peer;

pub mod program;

pub mod oracle;

pub mod scenario;

pub mod trial;

pub mod fault;

pub mod command;
