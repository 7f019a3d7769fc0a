//! What needs the whole library: one binary, one file a topic.

mod aws_canaries;
mod aws_clients;
mod aws_hostile;
mod aws_server;
mod backtest;
#[cfg(test)]
mod baselines;
mod browser;
mod browser_faulty_driver;
mod browser_leaks;
mod browser_pages;
mod browser_pictures;
mod browser_run;
mod cli;
mod demo;
mod golden;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod hostile_files;
#[cfg(test)]
mod hostile_http;
#[cfg(test)]
mod hostile_probes;
#[cfg(test)]
mod hostile_texts;
#[cfg(test)]
mod http_probe;
#[cfg(test)]
mod import;
#[cfg(test)]
mod monitor;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod otlp_out;
#[cfg(test)]
mod picture_bombs;
#[cfg(test)]
mod picture_diff;
#[cfg(test)]
mod picture_drawing;
#[cfg(test)]
mod picture_properties;
#[cfg(test)]
mod picture_verdicts;
#[cfg(test)]
mod probes;
mod program;
mod queries;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod report;
#[cfg(test)]
mod run_command;
#[cfg(test)]
mod run_fixture;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod script_worker;
#[cfg(test)]
mod scripts;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod store;
#[cfg(test)]
mod target;
#[cfg(test)]
mod tls_target;
#[cfg(test)]
mod ui;
#[cfg(test)]
mod untrusted;
