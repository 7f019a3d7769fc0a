//! HTTP/1.1 and HTTP/2: one request, the redirects it leads to, and the complete answer.
//!
//! Main types: [`HttpSession`], what the requests of one run share (cookies, kept connections);
//! [`HttpRequest`], one request with every value in it final. The client is hyper without a pool or
//! tasks: a connection is driven by the request that uses it, so dropping the request closes it.

mod body;
mod connection;
mod content;
mod exchange;
mod redirect;
mod request;
mod session;
mod wire;

pub use request::{HttpRequest, HttpRequestError, Sensitive};
pub use session::HttpSession;
