//! Proxies.

use heartwire::engineio::client::{Client, ConnectErrorKind};
use heartwire::engineio::{ClientBuilder, Server};
use heartwire::tls::ClientTls;

use super::super::proxy::{TestProxy, http_proxy, socks4_proxy, socks5_proxy};
use super::super::support::{TestServer, WAYS, client, echo, echoes};
use super::tls::{Authority, acceptor, serve_tls};
use crate::support::run;

/// `user:pass word`, in base64.
const AUTHORIZATION: &str = "Basic dXNlcjpwYXNzIHdvcmQ=";

#[test]
fn http_proxies_forward_requests_and_tunnel_websockets() {
    run(async {
        let server = echo(Server::builder()).await;
        let mut proxy = http_proxy(AUTHORIZATION, None).await;
        let through = format!("http://user:pass%20word@{}", proxy.addr);
        for (name, transports) in WAYS {
            echoes(name, client(server.url(), transports).proxy(&through)).await;
            check(name, &mut proxy, &server);
        }
    });
}

#[test]
fn proxies_over_tls() {
    run(async {
        let authority = Authority::new();
        let server = echo(Server::builder()).await;
        let mut proxy = http_proxy(AUTHORIZATION, Some(acceptor(&authority))).await;
        let through = format!("https://user:pass%20word@localhost:{}", proxy.addr.port());
        let tls = ClientTls::builder().authorities(authority.pem()).build().unwrap();
        for (name, transports) in WAYS {
            let builder = client(server.url(), transports).proxy(&through);
            echoes(name, builder.tls(tls.clone())).await;
            check(name, &mut proxy, &server);
        }
    });
}

#[test]
fn servers_with_tls_are_tunnelled_to() {
    run(async {
        let authority = Authority::new();
        let server = serve_tls(Server::builder(), &authority).await;
        let tls = ClientTls::builder().authorities(authority.pem()).build().unwrap();
        let mut plain = http_proxy("", None).await;
        let mut over_tls = http_proxy("", Some(acceptor(&authority))).await;
        for (name, transports) in WAYS {
            for (through, proxy) in [("http", &mut plain), ("https", &mut over_tls)] {
                let through = format!("{through}://localhost:{}", proxy.addr.port());
                let url = format!("https://localhost:{}", server.addr.port());
                echoes(name, client(url, transports).proxy(through).tls(tls.clone())).await;
                let wanted = proxy.wanted();
                assert!(!wanted.is_empty(), "{name}");
                let expected = format!("CONNECT localhost:{}", server.addr.port());
                assert!(wanted.iter().all(|wanted| *wanted == expected), "{name}: {wanted:?}");
            }
        }
    });
}

#[test]
fn socks_proxies() {
    run(async {
        let server = echo(Server::builder()).await;
        let port = server.addr.port();
        let mut proxy = socks5_proxy(Some(("user", "pass word"))).await;
        let mut open = socks5_proxy(None).await;
        for (name, transports) in WAYS {
            for (scheme, host) in [("socks5h", "localhost"), ("socks5", "127.0.0.1")] {
                let through = format!("{scheme}://user:pass%20word@{}", proxy.addr);
                // The system may have an IPv6 address for the name first, where nobody listens.
                let url = format!("http://{host}:{port}");
                echoes(name, client(url, transports).proxy(through)).await;
                let wanted = proxy.wanted();
                let expected = format!("SOCKS {host}:{port}");
                assert!(!wanted.is_empty(), "{name}");
                assert!(wanted.iter().all(|wanted| *wanted == expected), "{name}: {wanted:?}");
            }
            let through = format!("socks5h://{}", open.addr);
            echoes(name, client(server.url(), transports).proxy(through)).await;
            assert!(!open.wanted().is_empty());
        }
    });
}

#[test]
fn socks4_proxies() {
    run(async {
        let server = echo(Server::builder()).await;
        let port = server.addr.port();
        let mut proxy = socks4_proxy().await;
        for (name, transports) in WAYS {
            for (scheme, asked, told) in [
                ("socks4a", "localhost", "localhost"),
                ("socks4", "localhost", "127.0.0.1"),
                ("socks4", "127.0.0.1", "127.0.0.1"),
            ] {
                let through = format!("{scheme}://{}", proxy.addr);
                let url = format!("http://{asked}:{port}");
                echoes(name, client(url, transports).proxy(through)).await;
                let wanted = proxy.wanted();
                let expected = format!("SOCKS {told}:{port}");
                assert!(!wanted.is_empty(), "{name} {scheme}");
                assert!(wanted.iter().all(|wanted| *wanted == expected), "{name}: {wanted:?}");
            }
        }
    });
}

#[test]
fn the_environment_names_proxies() {
    run(async {
        let authority = Authority::new();
        let plain = echo(Server::builder()).await;
        let over_tls = serve_tls(Server::builder(), &authority).await;
        let mut proxy = http_proxy("", None).await;
        let mut other = http_proxy("", None).await;
        let http = plain.url();
        let https = format!("https://localhost:{}", over_tls.addr.port());
        let (through, elsewhere) =
            (format!("http://{}", proxy.addr), format!("http://{}", other.addr));
        for (url, variables, asked) in [
            (&http, &[("HTTP_PROXY", &*through), ("HTTPS_PROXY", &elsewhere)][..], true),
            (&https, &[("HTTPS_PROXY", &*through), ("HTTP_PROXY", &elsewhere)], true),
            (&http, &[("ALL_PROXY", &through)], true),
            (&https, &[("ALL_PROXY", &through)], true),
            (&http, &[("http_proxy", &through)], true),
            (&http, &[("HTTPS_PROXY", &through)], false),
            (&http, &[("ALL_PROXY", &through), ("NO_PROXY", "127.0.0.0/8")], false),
            (&https, &[("ALL_PROXY", &through), ("NO_PROXY", "example.com,localhost")], false),
            (&http, &[("ALL_PROXY", &through), ("NO_PROXY", "example.com")], true),
        ] {
            let mut child = tokio::process::Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", CHILD, "--ignored"]).env("HEARTWIRE_TEST_URL", url);
            for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
                child.env_remove(name).env_remove(name.to_lowercase());
            }
            child.env_remove("REQUEST_METHOD").envs(variables.iter().copied());
            let output = child.output().await.unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{variables:?}\n{said}");
            assert!(said.contains("1 passed"), "{said}");
            assert_eq!(!proxy.wanted().is_empty(), asked, "{url} {variables:?}");
            assert!(other.wanted().is_empty(), "{url} {variables:?}");
        }
    });
}

/// The test below, by its name.
const CHILD: &str = "engineio::client::proxies::a_client_in_an_environment_of_its_own";

#[test]
#[ignore = "run by the_environment_names_proxies, in a process of its own"]
fn a_client_in_an_environment_of_its_own() {
    run(async {
        let url = std::env::var("HEARTWIRE_TEST_URL").unwrap();
        for (name, transports) in WAYS {
            let builder = client(&url, transports).danger_accept_invalid_certificates(true);
            echoes(name, builder).await;
        }
    });
}

#[test]
fn proxies_that_refuse_are_told() {
    run(async {
        let server = echo(Server::builder()).await;
        let http = http_proxy(AUTHORIZATION, None).await;
        let socks = socks5_proxy(Some(("user", "password"))).await;
        let [(_, polling), (_, websocket), _] = WAYS;
        let url = server.url();

        let refused = client(&url, polling).proxy(format!("http://user:wrong@{}", http.addr));
        let error = refused.connect().await.unwrap_err();
        assert!(matches!(error.kind(), ConnectErrorKind::Refused { status: 407, .. }), "{error}");

        let refused = client(&url, websocket).proxy(format!("http://user:wrong@{}", http.addr));
        told(refused, "it answered CONNECT with 407 Proxy Authentication Required, expected 200")
            .await;

        let refused = client(&url, websocket).proxy(format!("socks5h://x:wrong@{}", socks.addr));
        told(refused, "credentials not accepted").await;

        let nobody = client(&url, polling).proxy("http://127.0.0.1:1");
        told(nobody, "proxy 127.0.0.1:1: 127.0.0.1:1: Connection refused").await;
    });
}

#[test]
fn proxies_are_left_out_where_it_is_wanted() {
    run(async {
        let server = echo(Server::builder()).await;
        let mut proxy = http_proxy("", None).await;
        let through = || Client::builder(server.url()).proxy(format!("http://{}", proxy.addr));
        let around = [through().proxy_except("example.com, 127.0.0.0/8"), through().no_proxy()];
        let elsewhere = through().proxy_except("example.com");
        for builder in around {
            echoes("upgrade", builder).await;
        }
        assert!(proxy.wanted().is_empty());
        echoes("upgrade", elsewhere).await;
        assert!(!proxy.wanted().is_empty());
    });
}

#[test]
fn websockets_may_have_a_proxy_of_their_own() {
    run(async {
        let server = echo(Server::builder()).await;
        let (mut requests, mut sockets) = (http_proxy("", None).await, http_proxy("", None).await);
        let builder = || Client::builder(server.url()).proxy(format!("http://{}", requests.addr));
        let own = builder().websocket_proxy(format!("http://{}", sockets.addr), "");
        let excepted = builder().websocket_proxy(format!("http://{}", sockets.addr), "127.0.0.0/8");
        let direct = builder().no_websocket_proxy();
        for builder in [excepted, direct] {
            echoes("upgrade", builder).await;
            assert!(requests.wanted().iter().all(|wanted| !wanted.starts_with("CONNECT")));
            assert!(sockets.wanted().is_empty());
        }
        echoes("upgrade", own).await;
        assert!(requests.wanted().iter().all(|wanted| !wanted.starts_with("CONNECT")));
        let wanted = sockets.wanted();
        assert!(!wanted.is_empty() && wanted.iter().all(|wanted| wanted.starts_with("CONNECT")));
    });
}

#[test]
fn proxies_that_cannot_be_used_are_told() {
    run(async {
        for url in ["ftp://localhost:21", "http://", "not a url"] {
            let error = Client::builder("http://localhost").proxy(url).connect().await.unwrap_err();
            assert_eq!(*error.kind(), ConnectErrorKind::InvalidOption, "{url}: {error}");
        }
    });
}

async fn told(builder: ClientBuilder, words: &str) {
    let error = builder.connect().await.unwrap_err();
    assert_eq!(*error.kind(), ConnectErrorKind::Proxy, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

/// Whether the proxy was asked in the way that the transport needs.
#[track_caller]
fn check(name: &str, proxy: &mut TestProxy, server: &TestServer) {
    let wanted = proxy.wanted();
    let (tunnel, forward) =
        (format!("CONNECT {}", server.addr), format!("http://{}/engine.io/?", server.addr));
    let tunnels = wanted.iter().filter(|wanted| **wanted == tunnel).count();
    let forwards = wanted.iter().filter(|wanted| wanted.contains(&forward)).count();
    assert_eq!(tunnels + forwards, wanted.len(), "{name}: {wanted:?}");
    assert_eq!(tunnels, usize::from(name != "polling"), "{name}: {wanted:?}");
    assert_eq!(forwards > 0, name != "websocket", "{name}: {wanted:?}");
}

/// Clones of a builder share their connections, so that a proxy is asked once for each.
#[test]
fn clones_of_a_builder_share_connections() {
    run(async {
        let authority = Authority::new();
        let server = serve_tls(Server::builder(), &authority).await;
        let tls = ClientTls::builder().authorities(authority.pem()).build().unwrap();
        let mut proxy = http_proxy("", None).await;
        let url = format!("https://localhost:{}", server.addr.port());
        let [(_, polling), ..] = WAYS;
        let builder = client(url, polling).tls(tls).proxy(format!("http://{}", proxy.addr));
        for _ in 0..5 {
            echoes("polling", builder.clone()).await;
        }
        // One stays; the other ends with the last GET of each session.
        let wanted = proxy.wanted();
        assert!(wanted.len() <= 6, "{wanted:?}");
    });
}
