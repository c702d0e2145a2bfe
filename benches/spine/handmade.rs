//! The hand-written peers: the least that answers at all, and the same job in fixed Rust code.

use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use redis::aio::MultiplexedConnection;

type Answer = Result<Response<Full<Bytes>>, Infallible>;

/// Serves `serve-fixed` or `serve-redis` on one thread until killed.
pub(crate) fn serve(kind: &str, port: u16, redis_port: u16) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    runtime.block_on(async {
        let redis = match kind {
            "serve-redis" => Some(connect(redis_port).await),
            _ => None,
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
            .await
            .unwrap();
        let redis = Rc::new(redis);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let redis = Rc::clone(&redis);
            tokio::task::spawn_local(async move {
                let service = service_fn(move |request| answer(request, Rc::clone(&redis)));
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .ok();
            });
        }
    });
}

async fn connect(port: u16) -> MultiplexedConnection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

#[derive(serde::Deserialize)]
struct Input {
    year: i64,
    month: i64,
    day: i64,
}

async fn answer(request: Request<Incoming>, redis: Rc<Option<MultiplexedConnection>>) -> Answer {
    let Some(redis) = &*redis else {
        request.into_body().collect().await.ok();
        return Ok(json(200, r#"{"response":{"rate":"1.22"}}"#.to_owned()));
    };
    if request
        .headers()
        .get("x-api-key")
        .is_none_or(|key| key != "demo-one")
    {
        return Ok(json(401, "{}".to_owned()));
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let input: Input = serde_json::from_slice(&body).unwrap();
    let key = format!(
        "linuxjournal:rates:{}:{:02}:{:02}",
        input.year, input.month, input.day
    );
    let mut redis = redis.clone();
    let rate: Option<String> = redis::cmd("GET")
        .arg(key)
        .query_async(&mut redis)
        .await
        .unwrap();
    Ok(json(
        200,
        serde_json::json!({ "response": { "rate": rate } }).to_string(),
    ))
}

fn json(status: u16, body: String) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    response.body(Full::new(Bytes::from(body))).unwrap()
}
