//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// An integration server: scripts as services over JSON, XML and SOAP.
#[derive(Parser)]
#[command(name = "kladka", version, max_term_width = 100)]
pub(super) struct CommandLine {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags of every command.
#[derive(Args)]
pub(super) struct Global {
    /// The project directory
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(super) project: PathBuf,
    /// The server's admin address; default: the one that runs on the project (or `KLADKA_SERVER`)
    #[arg(long, global = true, value_name = "URL")]
    pub(super) server: Option<String>,
    /// The admin token; default: the token file of the data directory (or `KLADKA_TOKEN`)
    #[arg(long, global = true, value_name = "TOKEN")]
    pub(super) token: Option<String>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Run the project for development: demo partner, demo credentials, everything reloads
    Dev,
    /// Run the server in the foreground
    Start,
    /// Stop the server: it finishes what runs, then ends
    Stop,
    /// Show how the server is doing
    Status,
    /// Make a new project
    Init {
        /// The directory to make
        dir: PathBuf,
        /// What to start from
        #[arg(long, value_enum, default_value_t = Template::Rates)]
        template: Template,
        /// The language of its services
        #[arg(long, value_enum, default_value_t = Lang::Lua)]
        lang: Lang,
    },
    /// Check the project, the data directory and the server, and say what to do
    Doctor,
    /// Check scripts and configuration without a server
    Check {
        /// Only what is in these files or directories
        paths: Vec<PathBuf>,
        /// Mend misspelt names that are certain to fail
        #[arg(long)]
        fix: bool,
        /// Fail on warnings, too
        #[arg(long)]
        strict: bool,
        /// What to print
        #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
        format: CheckFormat,
    },
    /// Write the files by which editors complete the script API and this project's own names
    Stubs,
    /// Explain an error code: KL-S101
    Explain {
        /// The code, with or without KL-
        code: String,
    },
    /// Run the project's tests, with no server
    Test(TestArgs),
    /// Talk with the project, or with the running server, in Lua or Rhai
    Repl(ReplArgs),
    /// Print the version
    Version,
    /// Deploy files or archives (.lua, .rhai, .zip, .tar.gz)
    Deploy {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Services: list, call, reload, roll back
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Channels
    #[command(subcommand)]
    Channel(ChannelCommand),
    /// Outgoing connections
    #[command(subcommand)]
    Outgoing(OutgoingCommand),
    /// Jobs: list, run, pause, look ahead and back
    #[command(subcommand)]
    Job(JobCommand),
    /// Objects as files: check, compare, apply, export
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The same as `config export` and `config apply FILE`
    #[command(hide = true)]
    Enmasse {
        /// Print all objects
        #[arg(long, conflicts_with = "import")]
        export: bool,
        /// Apply the objects of a file
        #[arg(long, value_name = "FILE", required_unless_present = "export")]
        import: Option<PathBuf>,
    },
}

#[derive(Args)]
pub(super) struct TestArgs {
    /// Only tests whose file or name holds this text
    pub(super) filter: Option<String>,
    /// Run them again whenever something is saved
    #[arg(long)]
    pub(super) watch: bool,
    /// Also write a report in XML, as continuous integration reads it
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Tell which lines of the scripts ran
    #[arg(long)]
    pub(super) cov: bool,
    /// Write the golden files anew
    #[arg(long)]
    pub(super) update: bool,
}

#[derive(Args)]
pub(super) struct ReplArgs {
    /// The language; default: that of most scripts
    #[arg(long, value_enum)]
    pub(super) lang: Option<Lang>,
    /// Reach keys, peers and services of the running server
    #[arg(long)]
    pub(super) live: bool,
    /// Let lines change things from the start
    #[arg(long)]
    pub(super) write: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Template {
    /// The reference scenario: Treasury rates over JSON, XML and SOAP
    Rates,
    /// Nothing but the layout
    Blank,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CheckFormat {
    /// Blocks for people
    Text,
    /// One document for programs
    Json,
    /// SARIF 2.1.0, for code hosts
    Sarif,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Lang {
    /// Lua (Luau)
    Lua,
    /// Rhai
    Rhai,
}

#[derive(Subcommand)]
pub(super) enum ServiceCommand {
    /// List all services
    List,
    /// Show one service: state, revision, inputs and outputs
    Show {
        /// The service
        name: String,
    },
    /// Show what happened to the last message, beside the code it hit (`kladka dev` only)
    Last {
        /// The service; default: whichever was last
        name: Option<String>,
    },
    /// Call a service directly; its output goes to stdout
    Invoke {
        /// The service
        name: String,
        /// The input as JSON; @FILE reads a file, - reads stdin
        #[arg(long, default_value = "{}")]
        payload: String,
        /// One input: name=text, or name:=json
        #[arg(short = 'p', value_name = "NAME=VALUE")]
        pairs: Vec<String>,
    },
    /// Load the scripts again
    Reload {
        /// The service; without it, or with --all, all of them
        name: Option<String>,
        /// All services
        #[arg(long)]
        all: bool,
        /// Wait until it is done (it always is; kept for scripts)
        #[arg(long)]
        wait: bool,
    },
    /// Show the revisions of a service
    History {
        /// The service
        name: String,
    },
    /// Put an earlier revision back
    Rollback {
        /// The service
        name: String,
        /// The revision; default: the one before
        revision: Option<String>,
    },
    /// Delete a service and its file
    Delete {
        /// The service
        name: String,
        /// Also when the file defines other services
        #[arg(long)]
        force: bool,
    },
}

#[derive(Subcommand)]
pub(super) enum ChannelCommand {
    /// List all channels
    List,
    /// Show one channel
    Show {
        /// The channel
        name: String,
    },
}

#[derive(Subcommand)]
pub(super) enum OutgoingCommand {
    /// List all outgoing connections
    List,
    /// Call the peer and say how long it took
    Ping {
        /// The connection
        name: String,
    },
}

#[derive(Subcommand)]
pub(super) enum JobCommand {
    /// List all jobs
    List,
    /// Run a job now
    Run {
        /// The job
        name: String,
        /// Wait until the run has ended; exit 1 if it failed
        #[arg(long)]
        wait: bool,
    },
    /// Show when a job fires next
    Next {
        /// The job
        name: String,
        /// How many times to show, 1 to 1000
        #[arg(short = 'n', default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        count: u32,
    },
    /// Stop a job from firing
    Pause {
        /// The job
        name: String,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Let a paused job fire again
    Resume {
        /// The job
        name: String,
    },
    /// Show the last runs of a job
    History {
        /// The job
        name: String,
        /// How many runs to show, 1 to 1000
        #[arg(short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        count: u32,
    },
}

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Check config/ without a server
    Validate,
    /// Show what applying config/ would change
    Plan {
        #[command(flatten)]
        source: PlanSource,
        /// Exit 3 when the plan holds any of: add, change, remove, drift
        #[arg(long, value_delimiter = ',', value_name = "WHAT")]
        #[arg(value_parser = ["add", "change", "remove", "drift"])]
        fail_on: Vec<String>,
    },
    /// Apply config/
    Apply {
        #[command(flatten)]
        source: PlanSource,
        /// Apply only if the configuration still has this revision (as `config plan --json` said); else exit 6
        #[arg(long, value_name = "REV")]
        rev: Option<i64>,
    },
    /// Print all objects of the server
    Export {
        /// The format
        #[arg(long, value_enum, default_value_t = ExportFormat::Yaml)]
        format: ExportFormat,
    },
}

#[derive(Args)]
pub(super) struct PlanSource {
    /// Files to read instead of config/
    pub(super) files: Vec<PathBuf>,
    /// Remove objects that came from files and are in none any more
    #[arg(long)]
    pub(super) prune: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ExportFormat {
    /// YAML
    Yaml,
    /// JSON
    Json,
}
