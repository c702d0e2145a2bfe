//! The modules shipped in the binary. A file of the same path on disk overrides one.

/// The shipped modules: path and text. One line for each file of `stdlib/`; a test compares the
/// two.
pub(crate) const EMBEDDED: &[(&str, &str)] = &[
    ("stdlib/dates.lua", include_str!("../../stdlib/dates.lua")),
    ("stdlib/dates.rhai", include_str!("../../stdlib/dates.rhai")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_stdlib_is_shipped() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        let mut todo = vec![root.join("stdlib")];
        while let Some(dir) = todo.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                let ending = path.extension().and_then(|ending| ending.to_str());
                match ending {
                    _ if path.is_dir() => todo.push(path),
                    Some("lua" | "rhai") => {
                        let below = path.strip_prefix(root).unwrap();
                        found.push(below.to_str().unwrap().to_owned());
                    }
                    _ => {}
                }
            }
        }
        found.sort();
        let mut shipped: Vec<&str> = EMBEDDED.iter().map(|(path, _)| *path).collect();
        shipped.sort_unstable();
        assert_eq!(found, shipped, "add the file to EMBEDDED with include_str!");
    }
}
