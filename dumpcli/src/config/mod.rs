//! What holds for a run: a flag beats the environment, which beats the file,
//! which beats the default.

pub mod environment;
pub mod excludes;
pub mod file;
pub mod keep;
pub mod keys;
pub mod local_state;
pub mod options;
pub mod origin;
mod plain;
pub mod policies;
pub mod print_config;
pub(crate) mod search;
pub mod session_settings;
pub mod settings;
pub mod shadow;
pub(crate) mod tables;
pub mod trees;
