//! `kladka config …` and its alias `enmasse`.
