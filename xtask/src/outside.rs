//! What scanners and databases of others say of us. They are asked where they are installed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::{Failed, cargo, step};

/// Asks `cargo audit` about every lock; with a folder, the database that is there, not the one of the web.
pub(crate) fn audit(args: &[String]) -> Result<(), Failed> {
    for lock in LOCKS {
        let mut audit = cargo(&["audit", "--file", lock]);
        if let [database] = args {
            audit.args(["--no-fetch", "--db", database]);
        }
        step(&format!("advisories against {lock}"), &mut audit)?;
    }
    Ok(())
}

/// Asks sslscan and testssl.sh about a server with TLS.
pub(crate) fn tls(_: &[String]) -> Result<(), Failed> {
    step("the server", cargo(&["build", "--package", "heartwire-cli"]).stdout(Stdio::null()))?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let folder = Path::new(&target).join("tls");
    let told = |error: &dyn std::fmt::Display| {
        println!("── {}: {error}", folder.display());
        Failed
    };
    let files = Files::new(&folder).map_err(|error| told(&error))?;
    let (_server, addr) = serve(&target, &files).map_err(|error| told(&error))?;
    step("sslscan", Command::new("sslscan").args(["--no-colour", "--show-certificate", &addr]))?;
    let report = folder.join("testssl.json");
    let _ = fs::remove_file(&report); // left by the run before
    let mut testssl = Command::new("testssl");
    testssl
        .args(["--quiet", "--color", "0", "--warnings", "batch", "--add-ca"])
        .arg(&files.authority);
    testssl.arg("--jsonfile").arg(&report).arg(&addr);
    // It ends with a number of its own, whatever it has found: the report tells.
    let _ = step("testssl.sh", &mut testssl);
    let report = fs::read_to_string(&report).map_err(|error| told(&error))?;
    let findings = findings(&report);
    println!(
        "── testssl.sh: {} answers, {} of them serious",
        report.matches("\"id\"").count(),
        findings.len()
    );
    findings.iter().for_each(|finding| println!("   {finding}"));
    if findings.is_empty() { Ok(()) } else { Err(Failed) }
}

/// What testssl.sh calls medium or worse: in its report, each answer is an object with a key a line.
fn findings(report: &str) -> Vec<String> {
    let answers =
        report.split("\"id\"").skip(1).map(|answer| answer.trim_start_matches([' ', ':']));
    let is_ours = |answer: &&str| !NOT_OURS.iter().any(|id| answer.starts_with(&format!("\"{id}")));
    let serious = |answer: &&str| {
        ["MEDIUM", "HIGH", "CRITICAL"]
            .iter()
            .any(|level| answer.contains(&format!(": \"{level}\"")))
    };
    let in_one_line = |answer: &str| answer.split_whitespace().collect::<Vec<_>>().join(" ");
    answers.filter(is_ours).filter(serious).map(in_one_line).collect()
}

/// A certificate of `localhost`, its key, and who has signed it.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
}

impl Files {
    fn new(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut params = CertificateParams::new(vec![])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        fs::create_dir_all(folder)?;
        let files = Self {
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
            authority: folder.join("authority.pem"),
        };
        fs::write(&files.certificate, certificate.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        fs::write(&files.authority, authority.pem())?;
        Ok(files)
    }
}

/// It ends with this.
struct Server(Child);

/// A server of ours with TLS, and its address.
fn serve(target: &str, files: &Files) -> Result<(Server, String), Box<dyn std::error::Error>> {
    let child = Command::new(Path::new(target).join("debug/heartwire"))
        .args(["serve", "--engineio", "127.0.0.1:0", "--json", "--tls-cert"])
        .arg(&files.certificate)
        .arg("--tls-key")
        .arg(&files.key)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut server = Server(child);
    let output = server.0.stdout.take().ok_or("its output is not there")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let (_, rest) = line.split_once("\"port\":").ok_or("it does not listen")?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Ok((server, format!("localhost:{port}")))
}

impl Drop for Server {
    fn drop(&mut self) {
        // If it has ended already, the scanners have said so.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers about the certificate, which whoever runs a server brings, and about pages, of which there are
/// none.
const NOT_OURS: [&str; 2] = ["cert_", "security_headers"];

const LOCKS: [&str; 3] =
    ["Cargo.lock", "bench/programs/Cargo.lock", "crates/fuzz/libfuzzer/Cargo.lock"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serious_answers_about_the_server_are_found() {
        let answer = |id: &str, severity: &str| {
            format!("{{\n  \"id\"           : \"{id}\",\n  \"severity\"     : \"{severity}\"\n}}")
        };
        let report = [
            answer("SSLv3", "OK"),
            answer("cipher_order", "HIGH"),
            answer("cert_chain_of_trust", "CRITICAL"),
            answer("security_headers", "MEDIUM"),
            answer("LUCKY13", "LOW"),
        ];
        let found = findings(&format!("[{}]", report.join(",")));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("\"cipher_order\""), "{found:?}");
    }
}
