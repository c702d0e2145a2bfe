//! The modules shipped in the binary. A file of the same path on disk overrides one.

/// The shipped modules: path and text. One line for each file of `stdlib/`; a test compares the
/// two.
pub(crate) const EMBEDDED: &[(&str, &str)] = &[
    (
        "stdlib/collections.lua",
        include_str!("../../stdlib/collections.lua"),
    ),
    (
        "stdlib/collections.rhai",
        include_str!("../../stdlib/collections.rhai"),
    ),
    ("stdlib/dates.lua", include_str!("../../stdlib/dates.lua")),
    ("stdlib/dates.rhai", include_str!("../../stdlib/dates.rhai")),
    ("stdlib/fanout.lua", include_str!("../../stdlib/fanout.lua")),
    (
        "stdlib/fanout.rhai",
        include_str!("../../stdlib/fanout.rhai"),
    ),
    (
        "stdlib/mapping.lua",
        include_str!("../../stdlib/mapping.lua"),
    ),
    (
        "stdlib/mapping.rhai",
        include_str!("../../stdlib/mapping.rhai"),
    ),
    ("stdlib/retry.lua", include_str!("../../stdlib/retry.lua")),
    ("stdlib/retry.rhai", include_str!("../../stdlib/retry.rhai")),
    (
        "stdlib/strings.lua",
        include_str!("../../stdlib/strings.lua"),
    ),
    (
        "stdlib/strings.rhai",
        include_str!("../../stdlib/strings.rhai"),
    ),
    (
        "stdlib/validation.lua",
        include_str!("../../stdlib/validation.lua"),
    ),
    (
        "stdlib/validation.rhai",
        include_str!("../../stdlib/validation.rhai"),
    ),
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
