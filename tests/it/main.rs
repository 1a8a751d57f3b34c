//! The promises, each as tests with real processes, real signals and real files. One module per group of promises.
#![allow(clippy::unwrap_used)] // all of this is tests
#![cfg(target_os = "linux")] // the other platforms get their matrix with their implementation

mod supervision;
mod support;

mod bad_input;
mod big_trees;
mod callers;
mod census;
mod completing;
mod dashboard;
mod dashboard_input;
mod dashboard_load;
mod dashboard_page;
mod dashboard_security;
mod dependencies;
mod detached;
mod doctor;
mod documents;
mod exit_status;
mod failing_calls;
mod frameworks;
mod frameworks_other;
mod frameworks_python;
mod ghosts;
mod ghosts_recorded;
mod healing;
mod installer;
mod library;
mod limits;
mod listing;
mod log_jobs;
mod log_pty;
mod logs;
mod nothing_survives;
mod npm_package;
mod pipes;
mod playwright;
mod ports;
mod readiness;
mod refused;
mod registry_faults;
mod registry_files;
mod registry_load;
mod secrets;
mod single_flight;
mod soak;
mod stable_ports;
mod staying_alive;
mod tauri;
mod terminal;
mod then;
mod tidy;
mod verbs;
mod verbs_between;
mod who;
