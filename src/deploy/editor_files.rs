//! The names that editors and copying programs use for a moment and that nobody means to deploy.

/// Tells whether a file name is hidden or a temporary one.
pub(crate) fn is_temporary(name: &str) -> bool {
    const ENDINGS: &[&str] = &[
        "~",
        ".swp",
        ".swo",
        ".swx",
        ".tmp",
        ".temp",
        ".bak",
        ".orig",
        ".part",
        "___jb_tmp___",
        "___jb_old___",
    ];
    let vim_probe = name == "4913";
    let emacs_autosave = name.len() > 1 && name.starts_with('#') && name.ends_with('#');
    let lower = name.to_ascii_lowercase();
    name.starts_with('.')
        || vim_probe
        || emacs_autosave
        || ENDINGS.iter().any(|ending| lower.ends_with(ending))
}

/// Returns the ending of a file name, without the dot.
pub(crate) fn ending(name: &str) -> Option<&str> {
    let (stem, ending) = name.rsplit_once('.')?;
    (!stem.is_empty() && !stem.ends_with('/')).then_some(ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_leave_for_a_moment_is_not_a_source() {
        let temporary = [
            ".rates.lua.swp",
            "4913",
            "#rates.lua#",
            ".#rates.lua",
            "rates.lua~",
            "rates.tmp",
            "rates.lua.TMP",
            "rates.lua___jb_tmp___",
            ".hidden.lua",
            "rates.lua.part",
        ];
        for name in temporary {
            assert!(is_temporary(name), "{name}");
        }
        for name in ["rates.lua", "4913.lua", "a#b.lua", "#", "tmp.lua"] {
            assert!(!is_temporary(name), "{name}");
        }
    }

    #[test]
    fn a_hidden_name_has_no_ending() {
        assert_eq!(ending("a/b.lua"), Some("lua"));
        assert_eq!(ending("a.d/b"), Some("d/b"));
        assert_eq!(ending("a/.lua"), None);
    }
}
