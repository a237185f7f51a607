//! Tells the core that it is to have mistakes.

fn main() {
    println!("cargo::rustc-cfg=mutants");
    println!("cargo::rustc-check-cfg=cfg(feature, values(\"deflate\"))");
}
