//! HTTP/1.1 over TCP, one request to a connection, and no more of it than is needed here.

use flette::platform::TransportError;
use flette_odata::{Headers, Method, Request, Response};
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// Whom the server is taken for: its links begin with that, and stay good when it listens elsewhere.
pub const HOST: &str = "127.0.0.1";
/// Longest wait for the next byte.
const WAIT_SECONDS_MAX: u64 = 20;
/// Longest head of a message.
const HEAD_BYTES_MAX: usize = 256 * 1024;
/// What stands between head and body.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Bytes taken from a socket at once.
const PART_BYTES: usize = 16 * 1024;

/// A request as it goes over the line.
pub fn request_bytes(request: &Request, host: &str, token: Option<&str>) -> Vec<u8> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n",
        request.method.as_str(),
        path_of(&request.url),
        request.body.len()
    );
    if let Some(token) = token {
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    for (name, value) in request.headers.iter() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", request.body.as_slice()].concat()
}

/// The path of a URL, and what follows it.
pub fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    rest.unwrap_or(url)
}

/// Sends a request's bytes and reads the answer.
///
/// # Errors
/// When no whole answer comes.
pub fn ask(port: u16, bytes: &[u8]) -> Result<Response, TransportError> {
    let mut stream = connect(port).map_err(|error| TransportError::Unreachable(error.to_string()))?;
    let answer =
        stream.write_all(bytes).and_then(|()| read_to_end(&mut stream)).map_err(|error| {
            match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => TransportError::Timeout,
                _ => TransportError::Cut(error.to_string()),
            }
        })?;
    read_answer(&answer).ok_or_else(|| TransportError::Cut("no whole answer".to_owned()))
}

/// Sends a message on and gives the bytes of the answer.
///
/// # Errors
/// When the line breaks.
pub fn exchange(port: u16, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = connect(port)?;
    stream.write_all(message)?;
    read_to_end(&mut stream)
}

/// Sends what is but the beginning of a message, and breaks off.
pub fn begin(port: u16, part: &[u8]) {
    if let Ok(mut stream) = connect(port) {
        let _ = stream.write_all(part);
    }
}

/// Reads one request with its body.
///
/// # Errors
/// When it ends early, or is none.
pub fn read_request_bytes(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(Duration::from_secs(WAIT_SECONDS_MAX)))?;
    let mut bytes = Vec::new();
    loop {
        if let Some((head, body)) = parts(&bytes) {
            if body.len() >= length(&fields(head)).unwrap_or(0) {
                return Ok(bytes);
            }
        } else if bytes.len() > HEAD_BYTES_MAX {
            return Err(Error::from(ErrorKind::InvalidData));
        }
        let mut part = [0; PART_BYTES];
        match stream.read(&mut part)? {
            0 => return Err(Error::from(ErrorKind::UnexpectedEof)),
            read => bytes.extend_from_slice(part.get(..read).unwrap_or_default()),
        }
    }
}

/// A request from its bytes.
pub fn read_request(bytes: &[u8]) -> Option<Request> {
    let (head, body) = parts(bytes)?;
    let mut words = head.lines().next()?.split(' ');
    let mut request = Request::new(Method::parse(words.next()?)?, words.next()?);
    (request.headers, request.body) = (fields(head), body.to_vec());
    Some(request)
}

/// An answer from its bytes; `None` for one that is not whole.
pub fn read_answer(bytes: &[u8]) -> Option<Response> {
    let (head, body) = parts(bytes)?;
    let status = head.lines().next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = fields(head);
    let whole = length(&headers).is_none_or(|length| length == body.len());
    let plain = headers.get("Transfer-Encoding").is_none();
    (whole && plain).then(|| Response { status, headers, body: body.to_vec() })
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(WAIT_SECONDS_MAX)))?;
    Ok(stream)
}

fn read_to_end(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Head and body.
fn parts(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(HEAD_END.len()).position(|window| window == HEAD_END)?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    Some((head, bytes.get(end + HEAD_END.len()..)?))
}

fn fields(head: &str) -> Headers {
    head.split("\r\n").skip(1).filter_map(|line| line.split_once(": ")).collect()
}

fn length(headers: &Headers) -> Option<usize> {
    headers.get("Content-Length")?.trim().parse().ok()
}
