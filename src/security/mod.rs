//! Security definitions, one file each: its kind and its guard.
