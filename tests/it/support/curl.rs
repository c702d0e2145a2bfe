//! Calls with curl, as users do.

use std::process::Command;

/// A call under construction.
pub(crate) struct Curl(Command);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: u16,
    /// The head, lines as they came.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

impl Curl {
    /// Starts a call of a URL.
    pub(crate) fn new(url: &str) -> Self {
        let mut command = Command::new("curl");
        command.args([
            "--silent",
            "--show-error",
            "--include",
            "--max-time",
            "20",
            "--noproxy",
            "*",
            url,
        ]);
        Self(command)
    }

    /// Adds arguments of curl's.
    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        self.0.args(arguments);
        self
    }

    /// Sends a body.
    pub(crate) fn data(self, body: &str) -> Self {
        self.args(&["--data-binary", body])
    }

    /// Adds a header.
    pub(crate) fn header(self, header: &str) -> Self {
        self.args(&["-H", header])
    }

    /// Makes the call.
    pub(crate) fn send(self) -> Reply {
        self.try_send().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes the call, or returns why curl could not.
    pub(crate) fn try_send(mut self) -> Result<Reply, String> {
        let output = self.0.output().expect("curl is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{:?}: {said}", self.0));
        }
        // An interim answer (100 Continue) has a head of its own.
        let mut rest = text.as_str();
        loop {
            let (head, body) = rest.split_once("\r\n\r\n").unwrap_or((rest, ""));
            let status: u16 = head
                .split(' ')
                .nth(1)
                .and_then(|text| text.parse().ok())
                .unwrap_or_default();
            if status != 100 {
                return Ok(Reply {
                    status,
                    head: head.to_owned(),
                    body: body.to_owned(),
                });
            }
            rest = body;
        }
    }
}

impl Reply {
    /// Returns a header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let wanted = |line: &&str| {
            line.split_once(':')
                .is_some_and(|(own, _)| own.eq_ignore_ascii_case(name))
        };
        self.head
            .lines()
            .find(wanted)?
            .split_once(':')
            .map(|(_, value)| value.trim())
    }

    /// Returns the body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        let read = serde_json::from_str(&self.body);
        assert!(read.is_ok(), "{read:?}: {}", self.body);
        read.unwrap()
    }
}
