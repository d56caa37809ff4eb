//! Says in one sentence where this library cannot be built, instead of naming
//! every system call that is missing there.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        println!(
            "cargo::error=dumpcore is for Linux: \
             it rests on system calls that other systems do not have"
        );
    }
}
