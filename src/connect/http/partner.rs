//! The demo partner: a real HTTP server that plays the Treasury out of recordings, so that the scenario works offline.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::base::{Code, Fault};
use crate::net::listen;
use crate::tasks::Tasks;

/// The resource that is played.
const RESOURCE: &str = "DailyTreasuryRealLongTermRateAverageData";
/// What is said at the root, for people and for `kladka outgoing ping`.
const ABOUT: &str =
    "This is Kladka's demo partner. It plays the Treasury out of tests/fixtures/treasury/.\n";
/// What is served for a month without a recording.
const EMPTY: &str = r#"<?xml version="1.0" encoding="utf-8" standalone="yes"?>
<feed xml:base="http://data.treasury.gov/Feed.svc/" xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices" xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" xmlns="http://www.w3.org/2005/Atom">
  <title type="text">DailyTreasuryRealLongTermRateAverageData</title>
  <id>http://data.treasury.gov/Feed.svc/DailyTreasuryRealLongTermRateAverageData</id>
</feed>
"#;

/// Starts the partner; it serves `real-long-term-YYYY-MM.xml` of the directory until the server stops.
pub(crate) fn start_partner(
    address: SocketAddr,
    recordings: &Path,
    tasks: &Tasks,
) -> Result<SocketAddr, Fault> {
    let unusable = |error: std::io::Error| {
        Fault::new(
            Code::Internal,
            format!("the demo partner does not start: {error}"),
        )
    };
    let listener = listen(address)?;
    let address = listener.local_addr().map_err(unusable)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(unusable)?;
    let (own, recordings) = (tasks.clone(), Arc::<Path>::from(recordings));
    tasks.spawn("partner", async move {
        while let Some(stream) = next(&listener, &own).await {
            own.spawn(
                "partner connection",
                serve(stream, Arc::clone(&recordings), own.clone()),
            );
        }
    });
    Ok(address)
}

async fn next(listener: &tokio::net::TcpListener, tasks: &Tasks) -> Option<tokio::net::TcpStream> {
    loop {
        tokio::select! {
            () = tasks.soft.cancelled() => return None,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => return Some(stream),
                Err(error) => {
                    tracing::warn!(%error, "Demo partner: connection not accepted.");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
}

async fn serve(stream: tokio::net::TcpStream, recordings: Arc<Path>, tasks: Tasks) {
    let service = service_fn(move |request| answer(Arc::clone(&recordings), request));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = tasks.soft.cancelled() => {}
        result = connection => if let Err(error) = result {
            tracing::debug!(%error, "Demo partner: connection ended.");
        },
    }
}

async fn answer(
    recordings: Arc<Path>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let resource = request.uri().path().rsplit('/').next() == Some(RESOURCE);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    Ok(match filter(request.uri().query().unwrap_or_default()) {
        _ if request.uri().path() == "/" => plain(StatusCode::OK, ABOUT),
        _ if !resource => plain(StatusCode::NOT_FOUND, "no such resource\n"),
        _ if !reads => plain(StatusCode::METHOD_NOT_ALLOWED, "GET only\n"),
        Err(why) => plain(StatusCode::BAD_REQUEST, why),
        Ok(None) => feed(EMPTY.into()),
        Ok(Some(month)) => feed(recording(&recordings, month).await),
    })
}

async fn recording(recordings: &Path, (year, month): (u32, u32)) -> Bytes {
    let path: PathBuf = recordings.join(format!("real-long-term-{year:04}-{month:02}.xml"));
    match tokio::fs::read(&path).await {
        Ok(bytes) => bytes.into(),
        Err(_) => EMPTY.into(),
    }
}

/// Reads year and month out of `$filter=month(QUOTE_DATE) eq 9 and year(QUOTE_DATE) eq 2013`.
fn filter(query: &str) -> Result<Option<(u32, u32)>, &'static str> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let Some((_, filter)) = pairs.find(|(name, _)| name == "$filter") else {
        return Ok(None);
    };
    let (mut year, mut month) = (None, None);
    for term in filter.split(" and ") {
        let (field, number) = term
            .split_once(" eq ")
            .ok_or("a term of $filter is not understood\n")?;
        let number = number
            .trim()
            .parse::<u32>()
            .map_err(|_invalid| "a number of $filter is not understood\n")?;
        match field.trim() {
            "month(QUOTE_DATE)" => month = Some(number),
            "year(QUOTE_DATE)" => year = Some(number),
            _ => return Err("a field of $filter is not understood\n"),
        }
    }
    Ok(year.zip(month))
}

fn feed(body: Bytes) -> Response<Full<Bytes>> {
    answer_of(
        StatusCode::OK,
        "application/atom+xml;type=feed;charset=utf-8",
        body,
    )
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    answer_of(status, "text/plain", text.into())
}

fn answer_of(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml;

    #[tokio::test]
    async fn months_are_served_out_of_recordings_and_others_are_empty() {
        let tasks = Tasks::default();
        let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/treasury");
        let any = "127.0.0.1:0".parse().unwrap();
        let address = start_partner(any, &recordings, &tasks).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let ask = |path: &str| client.get(format!("http://{address}{path}")).send();
        let of = |month: u32, year: u32| {
            format!(
                "/feed.svc/{RESOURCE}?%24filter=month%28QUOTE_DATE%29%20eq%20{month}%20and%20year%28QUOTE_DATE%29%20eq%20{year}"
            )
        };
        for (month, year, entries) in [(9, 2013, 20), (10, 2013, 23), (1, 2013, 0), (9, 2014, 0)] {
            let answer = ask(&of(month, year)).await.unwrap();
            assert_eq!(answer.status(), 200);
            let body = answer.bytes().await.unwrap();
            let feed = xml::parse(&body, None, &xml::Limits::default())
                .unwrap()
                .root();
            assert!(feed.is("http://www.w3.org/2005/Atom", "feed"));
            let found = feed
                .children()
                .filter(|child| child.name() == "entry")
                .count();
            assert_eq!(found, entries, "{year}-{month}");
        }
        assert_eq!(ask(&format!("/{RESOURCE}")).await.unwrap().status(), 200);
        assert_eq!(ask("/other").await.unwrap().status(), 404);
        let root = ask("/").await.unwrap();
        assert_eq!(
            (root.status().as_u16(), root.text().await.unwrap()),
            (200, ABOUT.to_owned())
        );
        assert_eq!(
            ask(&format!("/{RESOURCE}?$filter=1"))
                .await
                .unwrap()
                .status(),
            400
        );
        tasks.shutdown(Duration::from_secs(5)).await;
        assert!(ask("/other").await.is_err());
    }
}
