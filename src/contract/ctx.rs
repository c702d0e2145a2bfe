//! What a service sees of its call beside the input. The same for native and script services.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::base::{Caller, Cid, Clock, Meta, ObjectName, Story, Text};
use crate::contract::{Connections, KeyValue, Services, Settings};

/// One call: who, from where, until when, and the ports to everything else. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    /// The correlation id, the same through all nested calls.
    pub cid: Cid,
    /// Who asked.
    pub caller: Arc<Caller>,
    /// The channel the message came by; `None` for jobs and direct calls.
    pub channel: Option<Arc<ChannelInfo>>,
    /// The run of a job this call belongs to.
    pub job: Option<Arc<JobInfo>>,
    /// The message itself, for services that want more than the input.
    pub request: Arc<Request>,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// How many invocations deep this call is.
    pub depth: u8,
    /// The bounds of the call.
    pub limits: Limits,
    /// The ports to everything else.
    pub ports: Arc<Ports>,
    /// The services of the moment the message arrived; nested calls see the same revisions.
    pub services: Arc<dyn Services>,
}

/// The ports of a call, the same for all calls of a server.
pub struct Ports {
    /// The key/value store.
    pub kvdb: Arc<dyn KeyValue>,
    /// The live outgoing connections.
    pub connections: Arc<dyn Connections>,
    /// The scripts' own settings.
    pub settings: Arc<dyn Settings>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
}

/// The channel a message came by.
#[derive(Clone, Debug)]
pub struct ChannelInfo {
    /// Its name.
    pub name: ObjectName,
    /// Its kind's last part, such as `http`.
    pub transport: &'static str,
    /// Its format, such as `json`.
    pub format: &'static str,
}

/// The run of a job.
#[derive(Clone, Debug)]
pub struct JobInfo {
    /// The job's name.
    pub name: ObjectName,
    /// The moment the schedule named; with the job's name it is the key of the run.
    pub fire_time: DateTime<Utc>,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The fencing token of the run: grows with every claim.
    pub fence: i64,
}

/// The message behind a call.
#[derive(Debug, Default)]
pub struct Request {
    /// The body as it came.
    pub raw: Bytes,
    /// Headers, parameters and the HTTP part.
    pub meta: Arc<Meta>,
    /// The SOAP part, on SOAP channels.
    pub soap: Option<SoapInfo>,
    /// How much is under way for it beside the first call.
    pub under_way: AtomicUsize,
    /// Whether nothing may be changed on its behalf, by no call of it.
    pub read_only: bool,
    /// What happened to it, where that is told: in `dev`.
    pub story: Option<Arc<Story>>,
}

/// The SOAP part of a message.
#[derive(Clone, Debug)]
pub struct SoapInfo {
    /// The version of its envelope.
    pub version: SoapVersion,
    /// The operation that was matched.
    pub operation: Text,
}

/// The version of a SOAP envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoapVersion {
    /// SOAP 1.1.
    V11,
    /// SOAP 1.2.
    V12,
}

/// The bounds of one call. Zero never means unlimited.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time inside the script, in milliseconds.
    pub cpu_ms: u64,
    /// Memory of the script's VM, in bytes.
    pub memory: usize,
    /// Length of the encoded answer, in bytes.
    pub output: usize,
    /// What a call may write to the log, in bytes.
    pub log: usize,
    /// How many outgoing calls it may make.
    pub outgoing: u32,
    /// How deep services may invoke each other.
    pub depth: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms: 250,
            memory: 64 << 20,
            output: 16 << 20,
            log: 64 << 10,
            outgoing: 50,
            depth: 16,
        }
    }
}
