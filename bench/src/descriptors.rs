//! How many files, which connections are, a program may have open.

/// Raises the limit as far as the system allows; the programs that are started inherit it.
#[cfg(unix)]
pub(crate) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where less is allowed than is said, the limit stays what it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

#[cfg(not(unix))]
pub(crate) fn raise() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    #[test]
    fn what_is_started_may_open_all_that_the_system_allows() {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(256), ..limit }).unwrap();
        super::raise();
        let told = std::process::Command::new("sh").args(["-c", "ulimit -n"]).output().unwrap();
        let hard = limit.maximum.map_or("unlimited".to_owned(), |most| most.to_string());
        assert_eq!(String::from_utf8_lossy(&told.stdout).trim(), hard);
    }
}
