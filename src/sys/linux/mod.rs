//! Linux: pidfds, subreaper, /proc.
