//! Proxies that stand before servers: nginx and HAProxy.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{debian, target};

/// A proxy, as its packages have it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Software {
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
}

/// A proxy that runs. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    child: Child,
    /// What it was told, and what it has said.
    folder: PathBuf,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Software {
    /// The program: the system's, or one of its own below target/. `None`, after a notice, where neither is to be
    /// had.
    ///
    /// # Panics
    ///
    /// If its packages cannot be downloaded.
    pub fn program(self) -> Option<PathBuf> {
        let name = self.name();
        let system = [name.to_owned(), format!("/usr/sbin/{name}")];
        if let Some(program) = system.iter().find(|program| runs(Command::new(program))) {
            return Some(program.into());
        }
        let home = debian::unpacked(name, &format!("{name}.txt"))?;
        let program = home.join("usr/sbin").join(name);
        if runs(with_libraries(&program)) {
            return Some(program);
        }
        eprintln!("NOTICE: {name} of Debian's packages does not run here");
        None
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
        }
    }

    /// Starts it before a server. Into every request that it passes on it writes a header with `mark`, whatever the
    /// client has written there. `settings` are added to its own.
    ///
    /// # Panics
    ///
    /// If it does not listen.
    pub fn start(self, program: &Path, server: SocketAddr, mark: &str, settings: &str) -> Proxy {
        let port = free_port();
        let name = self.name();
        let folder = target().join("peers/proxies").join(format!("{name}-{port}"));
        fs::create_dir_all(&folder).expect("target/ can be written");
        let folder = folder.canonicalize().expect("it was made");
        let (file, log) = (folder.join("settings"), folder.join("log"));
        let settings = self.settings(&folder, port, server, mark, settings);
        fs::write(&file, settings).expect("target/ can be written");
        let mut command = with_libraries(program);
        match self {
            Self::Nginx => command.arg("-p").arg(&folder).arg("-e").arg(&log).arg("-c").arg(&file),
            Self::Haproxy => command.arg("-db").arg("-f").arg(&file),
        };
        let said = File::create(folder.join("said")).expect("target/ can be written");
        let too = said.try_clone().expect("there are descriptors");
        command.stdin(Stdio::null()).stdout(said).stderr(too);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut proxy = Proxy { child, folder, addr };
        let begin = Instant::now();
        while TcpStream::connect(proxy.addr).is_err() {
            let ended = proxy.child.try_wait().expect("it was started");
            let waits = ended.is_none() && begin.elapsed() < PATIENCE;
            assert!(waits, "{name} does not listen: {ended:?}, see {}", proxy.folder.display());
            std::thread::sleep(Duration::from_millis(10));
        }
        proxy
    }

    fn settings(
        self,
        folder: &Path,
        port: u16,
        server: SocketAddr,
        mark: &str,
        settings: &str,
    ) -> String {
        let folder = folder.display();
        match self {
            // One process, which ends when it is told to. Connections to the server are used again.
            Self::Nginx => format!(
                "daemon off; master_process off; pid {folder}/pid;\n\
                 events {{ worker_connections 512; }}\n\
                 http {{\n\
                 access_log off;\n\
                 client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n\
                 fastcgi_temp_path {folder}/a; uwsgi_temp_path {folder}/b; scgi_temp_path {folder}/c;\n\
                 map $http_upgrade $upgrades {{ default upgrade; '' ''; }}\n\
                 upstream server {{ server {server}; keepalive 2; }}\n\
                 server {{\n\
                 listen 127.0.0.1:{port};\n\
                 {settings}\n\
                 location / {{\n\
                 proxy_pass http://server; proxy_http_version 1.1;\n\
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrades;\n\
                 proxy_set_header Host $http_host; proxy_set_header {MARK} {mark};\n\
                 }} }} }}\n"
            ),
            Self::Haproxy => format!(
                "global\n\
                 maxconn 500\n\
                 defaults\n\
                 mode http\n\
                 timeout connect 10s\n\
                 timeout client 60s\n\
                 timeout server 60s\n\
                 http-reuse always\n\
                 frontend clients\n\
                 bind 127.0.0.1:{port}\n\
                 {settings}\n\
                 http-request set-header {MARK} {mark}\n\
                 default_backend servers\n\
                 backend servers\n\
                 server one {server}\n"
            ),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// With the libraries that were unpacked with a program, if it was.
fn with_libraries(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(folder) = program.ancestors().nth(3).filter(|home| home.starts_with(target()))
        && let Some(library) = debian::find(&folder.join("usr/lib"), |name| name.contains(".so."))
    {
        command.env("LD_LIBRARY_PATH", library.parent().expect("a file is in a folder"));
    }
    command
}

fn runs(mut command: Command) -> bool {
    command.arg("-v").output().is_ok_and(|output| output.status.success())
}

/// A port that nobody listens at. Both programs want to be told one.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it listens").port()
}

/// The header that a proxy writes.
const MARK: &str = "X-Mark";

/// Far longer than either takes to start.
const PATIENCE: Duration = Duration::from_secs(60);
