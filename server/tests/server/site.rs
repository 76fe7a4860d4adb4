//! The web CRM's files.

use super::support::{database, Server};
use flette_server::api::Profile;

const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml");

fn site() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    std::fs::create_dir_all(site.join("icons")).unwrap();
    for (name, text) in [
        ("site/index.html", "<!doctype html>"),
        ("site/worker.js", "// worker"),
        ("site/app.0123456789ab.js", "// app"),
        ("site/flette.wasm", "\0asm"),
        ("site/manifest.webmanifest", "{}"),
        ("site/icons/a b.svg", "<svg/>"),
        ("site/.hidden", "secret"),
        ("secret.txt", "secret"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("secret.txt"), site.join("link.txt")).unwrap();
    let server = Server::over(database(), Profile::Open, Some(site));
    (folder, server)
}

#[tokio::test]
async fn files_come_with_their_type_and_caching() {
    let (_folder, server) = site();
    for (path, kind, caching) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/worker.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/app.0123456789ab.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/flette.wasm", "application/wasm", "no-cache"),
        ("/manifest.webmanifest", "application/manifest+json; charset=utf-8", "no-cache"),
        ("/icons/a%20b.svg", "image/svg+xml; charset=utf-8", "no-cache"),
    ] {
        let answer = server.bare("GET", path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("Content-Type"), Some(kind), "{path}");
        assert_eq!(answer.header("Cache-Control"), Some(caching), "{path}");
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"));
        let etag = answer.header("ETag").unwrap();
        assert_eq!(server.bare("GET", path, &[("If-None-Match", etag)], "").await.status, 304);
        let guarded = path.ends_with("html") || path == "/" || path == "/worker.js";
        assert_eq!(answer.header("Content-Security-Policy").is_some(), guarded, "{path}");
    }
    let answer = server.bare("GET", "/", &[], "").await;
    let policy = answer.header("Content-Security-Policy").unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "require-trusted-types-for 'script'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part}");
    }
    assert_eq!(answer.header("Cross-Origin-Opener-Policy"), Some("same-origin"));
}

#[tokio::test]
async fn only_navigations_to_the_pages_own_routes_get_the_index() {
    let (_folder, server) = site();
    for (method, path, headers, status) in [
        ("GET", "/contacts/7", vec![HTML], 200),
        ("GET", "/contacts/7", vec![HTML, ("Sec-Fetch-Mode", "navigate")], 200),
        ("GET", "/contacts/7", vec![HTML, ("Sec-Fetch-Mode", "cors")], 404),
        ("GET", "/contacts/7", vec![("Accept", "*/*")], 404),
        ("GET", "/missing.js", vec![], 404),
        ("GET", "/api/nothing", vec![HTML], 404),
        ("GET", "/auth/nothing", vec![HTML], 404),
        ("GET", "/flette/status", vec![HTML], 404),
        ("POST", "/contacts/7", vec![HTML], 405),
        ("GET", "/api/data/v9.2/accounts", vec![HTML], 401),
    ] {
        let answer = server.bare(method, path, &headers, "").await;
        assert_eq!(answer.status, status, "{method} {path} {headers:?}");
        let is_index = answer.body.starts_with("<!doctype");
        assert_eq!(is_index, status == 200, "{path}");
        if !is_index {
            assert!(answer.code().starts_with("0x8"), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let (_folder, server) = site();
    for path in [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "/%252e%252e%252fsecret.txt",
        "/icons/../../secret.txt",
        "/icons/%2e%2e/%2e%2e/secret.txt",
        "//secret.txt",
        "/./secret.txt",
        "/secret.txt%00.html",
        "/link.txt",
        "/.hidden",
        "/%2ehidden",
        "/icons",
        "/%ff",
    ] {
        let answer = server.bare("GET", path, &[], "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("secret\""), "{path}");
    }
    let long = format!("/{}", "a/".repeat(8000));
    assert_eq!(server.bare("GET", &long, &[], "").await.status, 404);
}
