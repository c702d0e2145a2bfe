//! Runs services for jobs.

use crate::base::{BoxFuture, Cid, Fault, Millis, ServiceName, Value};
use crate::contract::JobInfo;
use crate::schedule::RunJob;
use crate::service::{Direct, Terms};

/// Hands the runs of jobs to the cores.
pub(super) struct Runner {
    pub(super) direct: Direct,
}

impl RunJob for Runner {
    fn run(
        &self,
        job: JobInfo,
        service: ServiceName,
        payload: serde_json::Value,
        timeout: Millis,
        cid: Cid,
    ) -> BoxFuture<'static, Result<(), Fault>> {
        let direct = self.direct.clone();
        Box::pin(async move {
            let terms = Terms {
                cid,
                caller: "scheduler",
                timeout: timeout.into(),
                job: Some(job),
                read_only: false,
            };
            direct
                .invoke(service, Value::from(&payload), terms)
                .await
                .map(drop)
        })
    }
}
