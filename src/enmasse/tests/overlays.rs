//! The files of a project together: base, folder, overlay.
