//! Reference CRM server.
