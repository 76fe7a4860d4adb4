//! HTTP in, HTTP out: the one shape of request and answer at both doors of the engine and in a `$batch` part.

use crate::error::ODataError;

/// The verbs of the Web API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Patch,
    Put,
    Delete,
}

impl Method {
    /// Reads a verb in upper case; `None` for any other.
    pub fn parse(text: &str) -> Option<Method> {
        Some(match text {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PATCH" => Method::Patch,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            _ => return None,
        })
    }

    /// The verb in upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// Header fields in order; names are compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Every value of a field, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Sets a field, replacing what was there.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.push(name, value);
    }

    /// Adds a field beside others of the same name.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Removes a field.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
    }

    /// All fields, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        Headers(fields.into_iter().map(|(n, v)| (n.into(), v.into())).collect())
    }
}

/// Header that names the user to act for by the id in the directory (`azureactivedirectoryobjectid`).
pub const ACT_FOR_OBJECT: &str = "CallerObjectId";
/// Older header that names the user to act for by `systemuserid`.
pub const ACT_FOR_USER: &str = "MSCRMCallerID";

/// A request. `url` is either absolute (`http://host/api/…`) or starts with `/`; it is percent-encoded, as on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Request { method, url: url.into(), headers: Headers::new(), body: Vec::new() }
    }

    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// Whether a body says that it is what its resource needs: JSON, or multipart for a batch. Not for the parts of a
    /// batch, which some clients leave unnamed.
    ///
    /// # Errors
    /// 415 `0x80048d19` when it does not.
    pub fn check_content_type(&self) -> crate::error::Result<()> {
        if self.method == Method::Get || self.body.is_empty() {
            return Ok(());
        }
        let content_type = self.headers.get("Content-Type").unwrap_or_default();
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let path = self.url.split(['?', '#']).next().unwrap_or_default();
        let expected = match path.ends_with("/$batch") || path.ends_with("/%24batch") {
            true => "multipart/mixed",
            false => "application/json",
        };
        match kind == expected {
            true => Ok(()),
            false => {
                let message = format!("The content type must be {expected}.");
                Err(ODataError::new(415, "0x80048d19", message))
            }
        }
    }

    /// Whether it is to be carried out in the name of another user than the one who signed in.
    pub fn acts_for_another(&self) -> bool {
        [ACT_FOR_OBJECT, ACT_FOR_USER].iter().any(|name| self.headers.get(name).is_some())
    }

    /// The same request with one header set.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// The same request with a JSON body and its `Content-Type`.
    pub fn json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.headers.set("Content-Type", "application/json");
        self.body = body.into();
        self
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Response {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Response {
    /// An answer without a body, with the headers every Dataverse answer carries.
    pub fn empty(status: u16) -> Self {
        let headers = [("OData-Version", "4.0"), ("Cache-Control", "no-store")].into_iter().collect();
        Response { status, headers, body: Vec::new() }
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        let mut response = Self::empty(status);
        response.headers.set("Content-Type", "application/json; odata.metadata=minimal");
        response.body = body;
        response
    }

    /// The same answer with one header set.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.set(name, value);
        self
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}
