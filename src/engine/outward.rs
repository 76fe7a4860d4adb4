//! What goes to the server past the replica, in words that the server understands.

use super::Engine;
use crate::platform::Platform;
use crate::replica::IdMap;
use flette_odata::Request;

impl<P: Platform + 'static> Engine<P> {
    /// A request that is about to be passed on, by ids that the server has: whoever made a row here may name it by the id that
    /// it had then.
    pub(super) fn outward(&self, request: Request) -> Request {
        by_server_ids(&self.replica.state().id_map, request)
    }
}

fn by_server_ids(map: &IdMap, mut request: Request) -> Request {
    if let Some(url) = map.for_server(request.url.as_bytes()) {
        // Only letters, digits and hyphens were changed.
        request.url = String::from_utf8(url).unwrap_or(request.url);
    }
    // The bytes of a file say nothing of rows.
    let kind = request.headers.get("Content-Type").unwrap_or_default();
    if !kind.starts_with("application/octet-stream") {
        if let Some(body) = map.for_server(&request.body) {
            request.body = body;
        }
    }
    request
}
