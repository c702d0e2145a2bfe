//! What the kernel says of processes: CPU time of a tree, memory, and medians of figures.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};

/// A process that ends with the benchmark.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts a program on one processor.
    pub(crate) fn pinned(
        processor: u32,
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new("taskset");
        command
            .args(["-c", &processor.to_string(), program])
            .args(arguments);
        command
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command.stderr(Stdio::null());
        Self(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{program}: {error}")),
        )
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGTERM first, so that nginx takes its worker along.
        Command::new("kill")
            .arg(self.pid().to_string())
            .status()
            .ok();
        self.0.wait().ok();
    }
}

/// Returns user and system time of a process and its children, in microseconds.
pub(crate) fn cpu_us(pid: u32) -> u64 {
    tree(pid).into_iter().filter_map(schedstat).sum::<u64>() / 1_000
}

/// Returns the nanoseconds that all threads of a process ran: finer than the clock ticks of `stat`.
fn schedstat(pid: u32) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let ran = |thread: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    Some(threads.filter_map(ran).sum())
}

fn tree(root: u32) -> BTreeSet<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((
                pid,
                stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?,
            ))
        })
        .collect();
    let mut found = BTreeSet::from([root]);
    loop {
        let before = found.len();
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| found.contains(parent))
                .map(|(pid, _)| *pid)
                .collect::<Vec<_>>(),
        );
        if found.len() == before {
            return found;
        }
    }
}

/// Returns the resident memory of a process, in MiB.
#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
pub(crate) fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() as f64 / 1024.0
}

/// Returns the median.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
