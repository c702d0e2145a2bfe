//! Objects as files: read, plan, apply, export. Knows no kind by name.
