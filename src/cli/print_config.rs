use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::ExitStatus;
use super::arguments::{Invocation, command_tree};
use super::context::Context;

/// Prints the settings of a command in the form of the configuration file, each with its origin.
pub(super) fn execute(context: &Context, invocation: &Invocation) -> ExitStatus {
    let Some((name, matches)) = invocation.matches.subcommand() else { return ExitStatus::Usage };
    let tree = command_tree();
    let common: Vec<&Arg> = tree.get_arguments().filter(|arg| arg.is_global_set()).collect();
    let own = tree.find_subcommand(name).into_iter().flat_map(|command| command.get_arguments());
    let own = own.filter(|arg| common.iter().all(|other| other.get_id() != arg.get_id()));
    let line = |section: &str, arg: &Arg| line(invocation, matches, section, arg);
    let top: String = common.iter().filter_map(|arg| line("", arg)).collect();
    let section: String = own.filter_map(|arg| line(name, arg)).collect();
    context.screen.write(&format!("{top}\n[{name}]\n{section}"));
    ExitStatus::Passed
}

fn line(invocation: &Invocation, matches: &ArgMatches, section: &str, arg: &Arg) -> Option<String> {
    let (long, id) = (arg.get_long()?, arg.get_id().as_str());
    if matches!(long, "help" | "version" | "print-config" | "config") {
        return None;
    }
    let values: Vec<String> = matches
        .get_raw(id)
        .into_iter()
        .flatten()
        .map(|value| format!("{:?}", value.to_string_lossy()))
        .collect();
    let origin = match matches.value_source(id) {
        Some(ValueSource::CommandLine) => format!("--{long}"),
        Some(ValueSource::EnvVariable) => {
            arg.get_env().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        }
        _ => invocation.defaults.place(section, id).unwrap_or("default").to_owned(),
    };
    let setting = match values.as_slice() {
        [] => format!("# {long} is not set"),
        [one] if !arg.get_action().takes_values() => {
            format!("{long} = {}", one.trim_matches('"'))
        }
        [one] => format!("{long} = {one}"),
        several => format!("{long} = [{}]", several.join(", ")),
    };
    Some(format!("{setting:<44} # {origin}\n"))
}
