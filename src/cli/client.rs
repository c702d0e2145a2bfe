//! Calls the admin API: `POST /api/v1/kladka.*` with the token of the data directory, or the one given.

use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

use crate::base::{Code, Exit, Fault};
use crate::cli::{Failure, Global};
use crate::config::{Environment, Project, ServerConfig};

/// A connection to one server.
pub(super) struct Client {
    base: String,
    token: String,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

impl Client {
    /// Finds the server and the token: flags, then environment, then the project's data directory.
    pub(super) fn new(global: &Global) -> Result<Self, Fault> {
        let environment = Environment::of_process();
        let data = data_dir(global, &environment)?;
        let given = global
            .server
            .clone()
            .or_else(|| environment.get("KLADKA_SERVER").map(str::to_owned));
        let base = match given {
            Some(base) => base,
            None => endpoint(&data)?,
        };
        let given = global
            .token
            .clone()
            .or_else(|| environment.get("KLADKA_TOKEN").map(str::to_owned));
        let token = match given {
            Some(token) => token,
            None => {
                std::fs::read_to_string(data.join("token")).map_err(|_missing| no_token(&data))?
            }
        };
        let failed = |error: &dyn std::fmt::Display| Fault::new(Code::Internal, error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| failed(&error))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(2))
            .build();
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self {
            base,
            token: token.trim().to_owned(),
            runtime,
            http: http.map_err(|error| failed(&error))?,
        })
    }

    /// Runs an operation and returns its answer, or its fault as the server told it.
    pub(super) fn call(&self, operation: &str, input: &Json) -> Result<Json, Failure> {
        let sent = self.runtime.block_on(self.send(operation, input));
        let (status, body) = sent.map_err(Failure::from)?;
        if status < 400 {
            Ok(body)
        } else {
            Err(problem(status, &body))
        }
    }

    /// Runs an operation; returns the status and the document that the server answered.
    pub(super) fn send(
        &self,
        operation: &str,
        input: &Json,
    ) -> impl Future<Output = Result<(u16, Json), Fault>> + Send + use<> {
        let url = format!("{}/api/v1/{operation}", self.base);
        let request = self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .header("Content-Type", "application/json")
            .body(input.to_string());
        let base = self.base.clone();
        async move {
            let sent = async {
                let response = request.send().await?;
                let status = response.status().as_u16();
                Ok::<_, reqwest::Error>((status, response.bytes().await?))
            };
            let (status, body) = sent.await.map_err(|error| unreachable(&base, &error))?;
            Ok((status, serde_json::from_slice(&body).unwrap_or(Json::Null)))
        }
    }
}

fn unreachable(base: &str, error: &reqwest::Error) -> Fault {
    Fault::new(
        Code::ServerUnreachable,
        format!("cannot reach the server at {base}"),
    )
    .hint("Start it with `kladka start` or `kladka dev`, or pass --server URL.")
    .detail(error.to_string())
}

/// Returns the data directory of the project.
pub(super) fn data_dir(
    global: &Global,
    environment: &Environment,
) -> Result<std::path::PathBuf, Fault> {
    let project = Project::at(&global.project);
    let config = ServerConfig::load(&project, environment)?;
    Ok(project.data(&config.data.dir))
}

fn endpoint(data: &Path) -> Result<String, Fault> {
    let text = std::fs::read_to_string(data.join("endpoints.json"));
    let json: Option<Json> = text.ok().and_then(|text| serde_json::from_str(&text).ok());
    let admin = json
        .as_ref()
        .and_then(|json| json.get("admin")?.as_str().map(str::to_owned));
    admin.ok_or_else(|| {
        Fault::new(
            Code::ServerUnreachable,
            format!("no server runs on {}", data.display()),
        )
        .hint("Start it with `kladka start` or `kladka dev`, or pass --server URL.")
    })
}

fn no_token(data: &Path) -> Fault {
    Fault::new(
        Code::BadToken,
        format!("no token file in {}", data.display()),
    )
    .hint("Run on the server's machine, or pass --token or KLADKA_TOKEN.")
}

/// Makes the failure of a problem document; the server's own block is shown as it came.
fn problem(status: u16, body: &Json) -> Failure {
    let text = |field: &str| body.get(field).and_then(Json::as_str);
    let named = text("code").and_then(|code| Code::ALL.iter().find(|known| known.as_str() == code));
    let exit = named.map_or_else(|| exit_of(status), |code| code.exit());
    let block = match (text("diagnostic"), text("detail").or_else(|| text("title"))) {
        (Some(block), _) => block.to_owned(),
        (None, detail) => {
            let code = text("code").map_or_else(|| status.to_string(), str::to_owned);
            format!(
                "error[{code}]: {}",
                detail.unwrap_or("the server answered without a reason")
            )
        }
    };
    Failure {
        exit,
        block,
        document: body.clone(),
    }
}

fn exit_of(status: u16) -> Exit {
    match status {
        401 | 403 | 429 => Exit::Forbidden,
        404 => Exit::NotFound,
        409 | 412 => Exit::Conflict,
        400..=499 => Exit::Invalid,
        504 => Exit::TimedOut,
        _ => Exit::Unexpected,
    }
}
