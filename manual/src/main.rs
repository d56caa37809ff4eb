//! Writes the manual pages and the completions: `cargo run -p manual`.

#![forbid(unsafe_code)]

use std::fs;
use std::io;

fn main() -> io::Result<()> {
    for page in manual::pages() {
        let path = manual::folder().join(page.path);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        fs::write(path, page.text)?;
    }
    Ok(())
}
