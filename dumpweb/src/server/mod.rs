//! The page over HTTP: who is let in, what is asked, how it is sent.

pub mod answer;
pub mod app;
pub mod connections;
pub mod download;
pub mod guard;
pub mod headers;
pub mod limits;
pub mod peer;
pub mod progressive;
pub mod routes;
