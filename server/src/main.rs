//! `flette-server`: see `flette-server --help`.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match flette_server::cli::run(flette_server::cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flette-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}
