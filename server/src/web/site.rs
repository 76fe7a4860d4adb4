//! The web CRM's files, with the headers that keep foreign script out.
//!
//! A file is looked up by its canonical path, which must lie in the canonical folder: `..`, links that lead
//! out and odd encodings end as 404. Pages the browser navigates to that are no file get `index.html`: the
//! page has routes of its own.

use super::Asked;
use flette_odata::error::Result;
use flette_odata::{Headers, ODataError, Response};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// On HTML and on the worker. Trusted Types: script and HTML only through the policy `flette` (the page's
/// own, which lets `/worker.js` be registered); webpack's and Workbox's own policies are named too.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
    connect-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    manifest-src 'self'; base-uri 'none'; \
    object-src 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types flette webpack workbox";

/// Answers a request for a file of the site.
pub(super) fn answer(folder: &Path, asked: &Asked) -> Result<Response> {
    if asked.method != "GET" && asked.method != "HEAD" {
        return Err(ODataError::method_not_allowed(&asked.method, asked.path()));
    }
    let path = asked.path();
    match find(folder, path) {
        Some(file) => send(folder, &file, &asked.headers),
        None if is_navigation(&asked.headers) => {
            let index = find(folder, "/index.html").ok_or_else(|| ODataError::segment_not_found(path))?;
            send(folder, &index, &asked.headers)
        }
        None => Err(ODataError::segment_not_found(path)),
    }
}

fn is_navigation(headers: &Headers) -> bool {
    let accepts = headers.get("Accept").unwrap_or_default().contains("text/html");
    accepts && headers.get("Sec-Fetch-Mode").is_none_or(|mode| mode == "navigate")
}

/// The file a path means, when it lies in the folder.
fn find(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    let relative = path.strip_prefix('/')?;
    let relative = if relative.is_empty() { "index.html" } else { relative };
    // Decoded once: what still holds an escape, a backslash or a NUL is no file of ours.
    if relative.contains(['\\', '\0', '%', ':'])
        || relative.split('/').any(|part| part.is_empty() || part.starts_with('.'))
    {
        return None;
    }
    let file = folder.join(relative).canonicalize().ok()?;
    (file.starts_with(folder) && file.is_file()).then_some(file)
}

fn send(folder: &Path, file: &Path, headers: &Headers) -> Result<Response> {
    let failed = |_| ODataError::new(500, "0x80040216", "A file of the site could not be read.");
    let modified = file.metadata().map_err(failed)?.modified().map_err(failed)?;
    let body = std::fs::read(file).map_err(failed)?;
    let changed = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let etag = format!("\"{changed:x}-{:x}\"", body.len());
    let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let caching = if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let status = if headers.get("If-None-Match") == Some(&etag) { 304 } else { 200 };
    let mut response = Response { status, headers: Headers::new(), body: Vec::new() }
        .header("Content-Type", content_type(name))
        .header("Cache-Control", caching)
        .header("ETag", etag)
        .header("Referrer-Policy", "no-referrer")
        .header("Cross-Origin-Resource-Policy", "same-origin");
    if name.ends_with(".html") || file == folder.join("worker.js") {
        response = response
            .header("Content-Security-Policy", POLICY)
            .header("Cross-Origin-Opener-Policy", "same-origin")
            .header("X-Frame-Options", "DENY");
    }
    if status == 200 {
        response.body = body;
    }
    Ok(response)
}

/// Whether a name holds the hash of its content, as `app.3f2a9c1b7d.js` does.
fn is_hashed(name: &str) -> bool {
    let parts: Vec<&str> = name.split(['.', '-']).collect();
    let inner = parts.get(1..parts.len().saturating_sub(1)).unwrap_or_default();
    inner.iter().any(|part| {
        part.len() >= 8
            && part.bytes().all(|b| b.is_ascii_hexdigit())
            && part.bytes().any(|b| b.is_ascii_digit())
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "webmanifest" => "application/manifest+json; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml; charset=utf-8",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_content_hash_are_kept_for_ever() {
        fn check(name: &str, expected: bool) {
            assert_eq!(is_hashed(name), expected, "{name}");
        }
        check("app.3f2a9c1b7d.js", true);
        check("flette_bg-0123456789abcdef.wasm", true);
        check("index.html", false);
        check("worker.js", false);
        check("app.js", false);
        check("app.deadbeef.js", false);
        check("manifest.webmanifest", false);
        check("12345678.js", false);
    }
}
