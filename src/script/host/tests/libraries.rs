//! The libraries and `ctx.time`, `ctx.crypto`, called as a script language calls them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::base::{Caller, Cid, Clock, Code, Fault, Handle, Place, ServiceName, Value};
use crate::contract::{
    Args, Call, Command, Connections, Core, Ctx, Declaration, Entry, HostCall, HostFn, KeyValue,
    Limits, Ports, Request, Running, Services, Settings,
};
use crate::format::{json_read, json_write};
use crate::script::host::{base64, crypto, csv, date, decimal, json, regex, time, uuid};

const TABLES: &[&[HostFn]] = &[
    base64::TABLE,
    crypto::TABLE,
    csv::TABLE,
    date::TABLE,
    decimal::TABLE,
    json::TABLE,
    regex::TABLE,
    time::TABLE,
    uuid::TABLE,
];

/// A server with nothing behind it but a clock that stands still.
struct Bare;

impl KeyValue for Bare {
    fn run(&self, _: Command) -> Running {
        Running::Done(Err(Fault::new(Code::KeyStoreDown, "no store")))
    }
    fn sync(&self) -> crate::base::BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
}

impl Connections for Bare {
    fn outgoing(&self, _: &str, _: &str) -> Result<Handle, Fault> {
        Err(Fault::new(Code::UnknownConnection, "no connections"))
    }
}

impl Settings for Bare {
    fn file(&self, _: &str) -> Option<Value> {
        None
    }
}

impl Clock for Bare {
    fn now(&self) -> DateTime<Utc> {
        "2013-09-03T22:30:00.123456Z".parse().unwrap()
    }
}

impl Services for Bare {
    fn find(&self, _: &str) -> Option<Arc<Entry>> {
        None
    }
    fn names(&self) -> Vec<ServiceName> {
        Vec::new()
    }
}

fn ctx() -> Ctx {
    let ports = Ports {
        kvdb: Arc::new(Bare),
        connections: Arc::new(Bare),
        settings: Arc::new(Bare),
        clock: Arc::new(Bare),
    };
    Ctx {
        cid: Cid::fresh(),
        caller: Arc::new(Caller::default()),
        channel: None,
        job: None,
        request: Arc::new(Request::default()),
        deadline: Instant::now() + Duration::from_secs(30),
        depth: 0,
        limits: Limits::default(),
        ports: Arc::new(ports),
        services: Arc::new(Bare),
    }
}

fn call() -> Rc<Call> {
    let service = Declaration {
        name: ServiceName::new("test.service").unwrap(),
        doc: String::new(),
        input: None,
        output: None,
        timeout: None,
        cpu: None,
        uses: None,
        place: Place::new("a.lua", 1, 1),
        language: "lua",
    };
    Rc::new(Call {
        core: Rc::new(Core::default()),
        ctx: ctx(),
        service: Arc::new(service),
        log_used: Cell::new(0),
        outgoing_used: Cell::new(0),
        outgoing_turns: tokio::sync::Semaphore::new(6),
    })
}

fn run_values(path: &str, args: Vec<Value>) -> Result<Value, Fault> {
    let mut all = TABLES.iter().flat_map(|table| table.iter());
    let function = all.find(|function| function.path == path).expect(path);
    let HostCall::Now(run) = function.call else {
        panic!("{path} waits")
    };
    run(&call(), Args::new(args))
}

fn run(path: &str, args: &str) -> Result<String, Fault> {
    let Value::List(args) = json_read::read(args.as_bytes()).unwrap() else {
        panic!("{args}")
    };
    run_values(path, args).map(|value| {
        let mut out = Vec::new();
        json_write::write(&mut out, &value).unwrap();
        String::from_utf8(out).unwrap()
    })
}

#[test]
fn every_function_is_documented_with_examples() {
    let mut paths = Vec::new();
    for function in TABLES.iter().flat_map(|table| table.iter()) {
        let path = function.path;
        assert!(function.doc.trim_end().ends_with('.'), "{path}");
        assert!(!function.examples.is_empty(), "{path}");
        let (namespace, name) = path.split_once('.').unwrap();
        for example in function.examples {
            json_read::read(example.result.as_bytes()).expect(path);
            for text in [example.lua, example.rhai] {
                assert!(
                    text.contains(namespace) && text.contains(name),
                    "{path}: {text}"
                );
            }
        }
        assert!(!paths.contains(&path), "{path} twice");
        paths.push(path);
    }
}

/// Function, arguments, result.
const RESULTS: &[(&str, &str, &str)] = &[
    (
        "json.parse",
        r#"["{\"a\":[1,2.5,null]}"]"#,
        r#"{"a":[1,2.5,null]}"#,
    ),
    (
        "json.parse",
        r#"["18446744073709551615"]"#,
        "18446744073709551615",
    ),
    (
        "json.encode",
        r#"[{"b":1,"a":"\"x\""}]"#,
        r#""{\"b\":1,\"a\":\"\\\"x\\\"\"}""#,
    ),
    ("json.encode", "[]", r#""null""#),
    (
        "csv.parse",
        r#"["day,rate\n3,1.22\n"]"#,
        r#"[{"day":"3","rate":"1.22"}]"#,
    ),
    (
        "csv.encode",
        r#"[[{"rate":"1.22","day":3}],{"columns":["day","rate"]}]"#,
        r#""day,rate\r\n3,1.22\r\n""#,
    ),
    ("csv.encode", r#"[[{"a":"=1"}]]"#, r#""a\r\n'=1\r\n""#),
    (
        "csv.encode",
        r#"[[{"a":"=1"}],{"formulas":true,"quote_all":true,"bom":true}]"#,
        "\"\u{feff}\\\"a\\\"\\r\\n\\\"=1\\\"\\r\\n\"",
    ),
    (
        "csv.encode",
        r#"[[{"rate":1,"x":2}],{"columns":["rate"],"names":{"Kurs":"rate"},"delimiter":";"}]"#,
        r#""Kurs\r\n1\r\n""#,
    ),
    (
        "csv.encode",
        r#"[[{"a":"ł"}],{"encoding":"windows-1250"}]"#,
        r#""YQ0Ksw0K""#,
    ),
    ("csv.encode", "[[]]", r#""""#),
    ("csv.parse", r#"[""]"#, "[]"),
    ("csv.parse", r#"["\n\n"]"#, "[]"),
    (
        "csv.parse",
        r#"["a\n\"x\"",{"header":true}]"#,
        r#"[{"a":"x"}]"#,
    ),
    (
        "csv.parse",
        r#"["\ufeffa;b\r\n1;\"x;\n\"\"y\"\"\"\r\n",{"delimiter":";"}]"#,
        r#"[{"a":"1","b":"x;\n\"y\""}]"#,
    ),
    (
        "csv.parse",
        r#"["1,2\n3,4",{"header":false}]"#,
        r#"[["1","2"],["3","4"]]"#,
    ),
    (
        "csv.parse",
        r#"["1,2",{"header":false,"columns":["a","b"]}]"#,
        r#"[{"a":"1","b":"2"}]"#,
    ),
    (
        "csv.parse",
        r#"["Kurs,x,Dzień\n1.22,-,3",{"names":{"Kurs":"rate","Dzień":"day"},"columns":["day","rate"]}]"#,
        r#"[{"day":"3","rate":"1.22"}]"#,
    ),
    (
        "json.encode",
        r#"[{"a":[],"b":{"c":"{\"[,:"},"d":[1,{}]},{"pretty":true}]"#,
        r#""{\n  \"a\": [],\n  \"b\": {\n    \"c\": \"{\\\"[,:\"\n  },\n  \"d\": [\n    1,\n    {}\n  ]\n}""#,
    ),
    ("decimal.abs", r#"["-1.20"]"#, r#""1.20""#),
    ("decimal.min", r#"["2","-3"]"#, r#""-3""#),
    ("decimal.max", r#"["2","-3"]"#, r#""2""#),
    ("decimal.sum", "[[]]", r#""0""#),
    ("decimal.sum", r#"[["0.1","0.2",1]]"#, r#""1.3""#),
    (
        "decimal.parse",
        r#"["-1 234,5",{"point":",","group":" "}]"#,
        r#""-1234.5""#,
    ),
    (
        "decimal.parse",
        r#"["1234,50",{"point":",","group":"."}]"#,
        r#""1234.50""#,
    ),
    (
        "decimal.format",
        r#"["-1234567.885",{"places":2,"group":","}]"#,
        r#""-1,234,567.89""#,
    ),
    ("decimal.format", r#"["-0.001",{"places":2}]"#, r#""0.00""#),
    ("decimal.format", r#"["100"]"#, r#""100""#),
    (
        "date.week",
        r#"["2013-01-01"]"#,
        r#"{"year":2013,"week":1}"#,
    ),
    ("date.cmp", r#"["2013-09-03","2013-09-04"]"#, "-1"),
    (
        "date.cmp",
        r#"["2013-09-03T10:00:00.001Z","2013-09-03T10:00:00Z"]"#,
        "1",
    ),
    ("regex.test", r#"["łódź","^\\w{4}$"]"#, "true"),
    ("regex.test", r#"["a\nb","^b$"]"#, "false"),
    ("regex.test", r#"["a\nb","(?m)^b$"]"#, "true"),
    ("regex.test", r#"["",""]"#, "true"),
    ("regex.find", r#"["abc","x"]"#, "null"),
    (
        "regex.find",
        r#"["ab","(a)|(?<two>b)"]"#,
        r#"{"text":"a","groups":["a",""],"named":{}}"#,
    ),
    (
        "regex.find",
        r#"["x łódź","\\b(\\w)ó"]"#,
        r#"{"text":"łó","groups":["ł"],"named":{}}"#,
    ),
    (
        "regex.find_all",
        r#"["łx",""]"#,
        r#"[{"text":"","groups":[],"named":{}},{"text":"","groups":[],"named":{}},{"text":"","groups":[],"named":{}}]"#,
    ),
    ("regex.replace", r#"["aaa","a","b",2]"#, r#""bba""#),
    ("regex.replace", r#"["łó","","-"]"#, r#""-ł-ó-""#),
    (
        "regex.replace",
        r#"["a1","(?P<l>[a-z])([0-9])","${2}x$l$0$$"]"#,
        r#""1xaa1$""#,
    ),
    ("regex.split", r#"["",","]"#, r#"[""]"#),
    ("regex.split", r#"[",a,",","]"#, r#"["","a",""]"#),
    ("regex.split", r#"["a,b",",",1]"#, r#"["a,b"]"#),
    ("regex.escape", r#"["a.b"]"#, r#""a\\.b""#),
    ("base64.encode", r#"["Kladka"]"#, r#""S2xhZGth""#),
    ("base64.encode", r#"["a?>",{"url_safe":true}]"#, r#""YT8-""#),
    ("base64.encode", r#"["a"]"#, r#""YQ==""#),
    (
        "uuid.parse",
        r#"["{67E55044-10B1-426F-9247-BB680E5FE0C8}"]"#,
        r#""67e55044-10b1-426f-9247-bb680e5fe0c8""#,
    ),
    (
        "crypto.sha256",
        r#"["abc"]"#,
        r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#,
    ),
    (
        "crypto.sha1",
        r#"["abc"]"#,
        r#""a9993e364706816aba3e25717850c26c9cd0d89d""#,
    ),
    (
        "crypto.hmac_sha256",
        r#"["Jefe","what do ya want for nothing?"]"#,
        r#""5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843""#,
    ),
    ("crypto.equal", r#"["a","a"]"#, "true"),
    ("crypto.equal", r#"["a","b"]"#, "false"),
    ("crypto.equal", r#"["a","ab"]"#, "false"),
    ("decimal.of", r#"["1.20"]"#, r#""1.20""#),
    ("decimal.of", "[1.22]", r#""1.22""#),
    (
        "decimal.of",
        "[9223372036854775807]",
        r#""9223372036854775807""#,
    ),
    ("decimal.add", r#"["0.1","0.2"]"#, r#""0.3""#),
    ("decimal.add", r#"["1.20","1.30"]"#, r#""2.50""#),
    ("decimal.sub", r#"["1.00",0.01]"#, r#""0.99""#),
    ("decimal.mul", r#"["1.22",3]"#, r#""3.66""#),
    (
        "decimal.mul",
        r#"["1.00000000000000000000","2.00000000000000000000"]"#,
        r#""2""#,
    ),
    ("decimal.div", r#"["10","3",2]"#, r#""3.33""#),
    (
        "decimal.div",
        r#"["1","3"]"#,
        r#""0.3333333333333333333333333333""#,
    ),
    ("decimal.cmp", r#"["1.20","1.2"]"#, "0"),
    ("decimal.cmp", r#"["-1","1"]"#, "-1"),
    ("decimal.cmp", r#"["2",1]"#, "1"),
    ("decimal.round", r#"["1.225",2]"#, r#""1.23""#),
    ("decimal.round", r#"["1.225",2,"half_even"]"#, r#""1.22""#),
    ("decimal.round", r#"["-1.221",2,"floor"]"#, r#""-1.23""#),
    ("decimal.round", r#"["2.5"]"#, r#""3""#),
    (
        "date.parse",
        r#"["2013-09-03"]"#,
        r#"{"year":2013,"month":9,"day":3,"weekday":2,"text":"2013-09-03"}"#,
    ),
    (
        "date.parse",
        r#"["03/09/2013","%d/%m/%Y"]"#,
        r#"{"year":2013,"month":9,"day":3,"weekday":2,"text":"2013-09-03"}"#,
    ),
    (
        "date.parse",
        r#"["2013-09-03T00:00:00"]"#,
        r#"{"year":2013,"month":9,"day":3,"weekday":2,"hour":0,"minute":0,"second":0,"millisecond":0,"text":"2013-09-03T00:00:00"}"#,
    ),
    (
        "date.parse",
        r#"["2013-09-03T10:00:00.250+02:00"]"#,
        r#"{"year":2013,"month":9,"day":3,"weekday":2,"hour":10,"minute":0,"second":0,"millisecond":250,"unix":1378195200,"offset":"+02:00","text":"2013-09-03T10:00:00.250+02:00"}"#,
    ),
    (
        "time.now",
        "[]",
        r#"{"year":2013,"month":9,"day":3,"weekday":2,"hour":22,"minute":30,"second":0,"millisecond":123,"unix":1378247400,"offset":"+00:00","text":"2013-09-03T22:30:00.123Z"}"#,
    ),
    (
        "time.today",
        "[]",
        r#"{"year":2013,"month":9,"day":3,"weekday":2,"text":"2013-09-03"}"#,
    ),
    (
        "time.today",
        r#"["Europe/Warsaw"]"#,
        r#"{"year":2013,"month":9,"day":4,"weekday":3,"text":"2013-09-04"}"#,
    ),
    (
        "date.format",
        r#"["2013-09-03T22:30:00Z","%d.%m.%Y %H:%M","Europe/Warsaw"]"#,
        r#""04.09.2013 00:30""#,
    ),
    (
        "date.format",
        r#"[{"year":2013,"month":9,"day":3},"%d.%m.%Y"]"#,
        r#""03.09.2013""#,
    ),
    ("date.diff", r#"["2013-09-01","2013-09-03","days"]"#, "2"),
    ("date.diff", r#"["2013-09-03","2013-09-01","days"]"#, "-2"),
    ("date.diff", r#"["2013-01-31","2013-02-28","months"]"#, "1"),
    ("date.diff", r#"["2013-01-15","2014-01-14","years"]"#, "0"),
    (
        "date.diff",
        r#"["2013-09-03T10:00:00+02:00","2013-09-03T10:00:00Z","hours"]"#,
        "2",
    ),
];

#[test]
fn functions_return_what_the_table_says() {
    for (path, args, expected) in RESULTS {
        let result = run(path, args).unwrap_or_else(|fault| panic!("{path}{args}: {fault:?}"));
        assert_eq!(result, *expected, "{path}{args}");
    }
}

/// Function, arguments, the text of the moment.
const MOVES: &[(&str, &str, &str)] = &[
    ("date.add", r#"["2013-01-31",1,"months"]"#, "2013-02-28"),
    ("date.add", r#"["2012-02-29",1,"years"]"#, "2013-02-28"),
    ("date.add", r#"["2013-03-31",-1,"months"]"#, "2013-02-28"),
    ("date.add", r#"["2013-12-31",1,"days"]"#, "2014-01-01"),
    (
        "date.add",
        r#"["2013-09-03T23:59:59",1,"seconds"]"#,
        "2013-09-04T00:00:00",
    ),
    (
        "date.add",
        r#"["2013-09-03T10:00:00+02:00",-1,"weeks"]"#,
        "2013-08-27T10:00:00+02:00",
    ),
    // Across the change of clocks: a day later at the same time, or 24 hours later.
    (
        "date.add",
        r#"["2013-10-26T12:00:00+02:00",1,"days","Europe/Warsaw"]"#,
        "2013-10-27T12:00:00+01:00",
    ),
    (
        "date.add",
        r#"["2013-10-26T12:00:00+02:00",24,"hours","Europe/Warsaw"]"#,
        "2013-10-27T11:00:00+01:00",
    ),
    (
        "date.add",
        r#"["2013-03-30T02:30:00+01:00",1,"days","Europe/Warsaw"]"#,
        "2013-03-31T03:30:00+02:00",
    ),
    (
        "date.add",
        r#"["2013-10-26T12:00:00+02:00",1,"days"]"#,
        "2013-10-27T12:00:00+02:00",
    ),
    ("date.start_of", r#"["2013-09-04","weeks"]"#, "2013-09-02"),
    ("date.start_of", r#"["2013-09-04","years"]"#, "2013-01-01"),
    (
        "date.start_of",
        r#"["2013-09-04T10:20:30.5","minutes"]"#,
        "2013-09-04T10:20:00",
    ),
    (
        "date.start_of",
        r#"["2013-09-04T10:20:30+02:00","days"]"#,
        "2013-09-04T00:00:00+02:00",
    ),
    (
        "date.start_of",
        r#"["2018-11-04T12:00:00Z","days","America/Sao_Paulo"]"#,
        "2018-11-04T01:00:00-02:00",
    ),
    // The second of two hours from two to three.
    (
        "date.start_of",
        r#"["2013-10-27T01:30:00Z","hours","Europe/Warsaw"]"#,
        "2013-10-27T02:00:00+01:00",
    ),
    ("date.end_of", r#"["2013-09-04","weeks"]"#, "2013-09-08"),
    ("date.end_of", r#"["2013-12-04","years"]"#, "2013-12-31"),
    (
        "date.end_of",
        r#"["2013-02-04T10:20:30","months"]"#,
        "2013-02-28T23:59:59.999",
    ),
    (
        "date.end_of",
        r#"["2013-10-27T00:00:00+02:00","days","Europe/Warsaw"]"#,
        "2013-10-27T23:59:59.999+01:00",
    ),
    (
        "date.end_of",
        r#"["2013-03-31T00:30:00Z","hours","Europe/Warsaw"]"#,
        "2013-03-31T01:59:59.999+01:00",
    ),
    (
        "date.to_zone",
        r#"["2013-09-03T10:00:00Z","Asia/Kolkata"]"#,
        "2013-09-03T15:30:00+05:30",
    ),
    (
        "date.from_zone",
        r#"["2013-09-03","Asia/Kolkata"]"#,
        "2013-09-03T00:00:00+05:30",
    ),
    ("date.from_unix", "[-1]", "1969-12-31T23:59:59Z"),
    (
        "date.parse",
        r#"["Wed, 04 Sep 2013 00:30:00 +0200"]"#,
        "2013-09-04T00:30:00+02:00",
    ),
    (
        "date.parse",
        r#"[{"year":2013,"month":9,"day":3,"hour":1}]"#,
        "2013-09-03T01:00:00",
    ),
];

#[test]
fn dates_move_by_the_calendar() {
    for (path, args, expected) in MOVES {
        let moved = run(path, args).unwrap();
        assert!(
            moved.ends_with(&format!(r#""text":"{expected}"}}"#)),
            "{path}{args}: {moved}"
        );
    }
}

/// Function, arguments, a part of the message.
const REFUSALS: &[(&str, &str, &str)] = &[
    (
        "regex.test",
        r#"["x","(ab"]"#,
        "the pattern `(ab` is not understood at letter 1: unclosed group",
    ),
    ("regex.test", r#"["x","a\nb**c["]"#, "at line 2, letter 5"),
    ("regex.test", r#"["x","(?=a)"]"#, "look-around"),
    (
        "regex.test",
        r#"["x","(a)\\1"]"#,
        "backreferences are not supported",
    ),
    (
        "regex.test",
        r#"["x","((a{1,90}){1,90}){1,90}"]"#,
        "is too large",
    ),
    (
        "regex.test",
        r#"[[],"a"]"#,
        "argument `text` must be a text, got list",
    ),
    (
        "regex.test",
        r#"["x"]"#,
        "argument `pattern` must be a text, got nothing",
    ),
    (
        "regex.replace",
        r#"["x","(x)","$1a"]"#,
        "the pattern has no group `1a`, which `with` names",
    ),
    ("regex.replace", r#"["x","(x)","$2"]"#, "no group `2`"),
    ("regex.split", r#"["x","x",0]"#, "must be at least 1"),
    (
        "json.parse",
        r#"["{"]"#,
        "json.parse: JSON, line 1, column 2: expected a name",
    ),
    (
        "json.parse",
        "[1]",
        "argument `text` must be a text or bytes, got int",
    ),
    (
        "csv.parse",
        r#"["a,a\n1,2"]"#,
        "csv.parse: the column `a` is given twice",
    ),
    (
        "csv.encode",
        r#"[[{"a":1},{"a":[1]}]]"#,
        "csv.encode: row 2: column `a` holds a list",
    ),
    (
        "csv.encode",
        r#"[[],{"columns":"a"}]"#,
        "option `columns` must be a list of texts, got text",
    ),
    ("csv.encode", r#"[[],{"column":[]}]"#, "no option `column`"),
    ("csv.encode", "[[[1]]]", "do not name their columns"),
    ("csv.encode", r#"["a"]"#, "must be a list of rows, got text"),
    (
        "csv.encode",
        r#"[[[1]],{"columns":["a","b"]}]"#,
        "row 1: 1 cells under 2 columns",
    ),
    (
        "csv.encode",
        r#"[[{"a":"日"}],{"encoding":"windows-1250"}]"#,
        "windows-1250 cannot hold all of this text",
    ),
    (
        "csv.encode",
        r#"[[{"a":"x"}],{"encoding":"utf-16"}]"#,
        "UTF-16LE cannot hold",
    ),
    (
        "csv.parse",
        r#"["a,b\n1,2\n\n3\n"]"#,
        "csv.parse: CSV, line 4: a row of 1 cells under 2 columns",
    ),
    (
        "csv.parse",
        r#"["a,b\n1,\"2\n3,4\n5,6\n"]"#,
        "csv.parse: CSV, line 2: a quote in this row is never closed",
    ),
    (
        "csv.parse",
        r#"["a,b\n1,2",{"columns":["rate"],"names":{"Kurs":"rate"}}]"#,
        "the header lacks the column `Kurs`",
    ),
    (
        "csv.parse",
        r#"["1,2,3",{"columns":["a"],"header":false}]"#,
        "the rows have 3 cells, and 1 columns are named",
    ),
    (
        "csv.parse",
        r#"["a",{"delimiter":"||"}]"#,
        "must be one ASCII character, got `||`",
    ),
    ("csv.parse", r#"["a",{"quote":","}]"#, "are the same"),
    (
        "csv.parse",
        r#"["a",{"encoding":"x"}]"#,
        "there is no encoding `x`",
    ),
    (
        "csv.parse",
        r#"["a",{"bom":true}]"#,
        "there is no option `bom`",
    ),
    (
        "csv.parse",
        r#"["a",{"names":["x"]}]"#,
        "`names` must be a table",
    ),
    ("json.encode", r#"[1,{"prety":true}]"#, "no option `prety`"),
    (
        "crypto.sha256",
        r#"["a","hexa"]"#,
        "there is no encoding `hexa`",
    ),
    (
        "decimal.sum",
        r#"[["1","x"]]"#,
        "member 2 of `values` must be a decimal",
    ),
    (
        "decimal.sum",
        r#"["1"]"#,
        "must be a list of decimals, got text",
    ),
    (
        "decimal.parse",
        r#"["1.23.456",{"point":",","group":"."}]"#,
        "is no such number",
    ),
    ("decimal.parse", r#"["1,5"]"#, "`1,5` is no such number"),
    ("decimal.parse", r#"["1,5",{"group":"."}]"#, "must differ"),
    ("decimal.parse", r#"["1e5"]"#, "is no such number"),
    ("date.http", r#"["2013-09-03T10:00:00"]"#, "has no offset"),
    (
        "date.from_zone",
        r#"["2013-09-03T10:00:00Z","UTC"]"#,
        "has an offset already",
    ),
    (
        "date.start_of",
        r#"["2013-09-03","hours"]"#,
        "has no time of day",
    ),
    (
        "date.start_of",
        r#"["2013-09-03","month"]"#,
        "no unit `month`",
    ),
    ("date.from_unix", "[1e15]", "not in the years"),
    ("date.from_unix", r#"["x"]"#, "must be a number, got text"),
    ("base64.decode", r#"["*"]"#, "the text is not base64"),
    (
        "base64.encode",
        r#"["a",{"url":true}]"#,
        "there is no option `url`",
    ),
    (
        "base64.encode",
        r#"["a",{"url_safe":1}]"#,
        "must be true or false, got int",
    ),
    ("uuid.parse", r#"["x"]"#, "`x` is not a UUID"),
    ("crypto.random", "[0]", "between 1 and 1024, got 0"),
    ("crypto.random", "[1025]", "between 1 and 1024, got 1025"),
    (
        "crypto.sha256",
        "[]",
        "argument `data` must be a text or bytes, got nothing",
    ),
    ("decimal.of", r#"["1,2"]"#, "got text `1,2`"),
    ("decimal.of", "[]", "got nothing"),
    (
        "decimal.div",
        r#"["1","0.0"]"#,
        "1 cannot be divided by zero",
    ),
    (
        "decimal.add",
        r#"["79228162514264337593543950335","0.1"]"#,
        "the sum has more digits",
    ),
    (
        "decimal.mul",
        r#"["0.123456789012345","0.123456789012345"]"#,
        "the product has more digits",
    ),
    ("decimal.round", r#"["1",29]"#, "between 0 and 28, got 29"),
    (
        "decimal.round",
        r#"["1",0,"half_uo"]"#,
        "no way to round named `half_uo`",
    ),
    ("date.parse", r#"["2013-13-01"]"#, "got `2013-13-01`"),
    (
        "date.parse",
        r#"["x","%d"]"#,
        "`x` is not a date in the form `%d`",
    ),
    (
        "date.format",
        r#"["2013-09-03","%Q"]"#,
        "the pattern `%Q` is not understood",
    ),
    (
        "date.format",
        r#"["2013-09-03","%H"]"#,
        "lacks what the pattern `%H` asks for",
    ),
    (
        "date.format",
        r#"["2013-09-03","%Y","UTC"]"#,
        "has no offset",
    ),
    (
        "date.add",
        r#"["2013-09-03",1,"day"]"#,
        "there is no unit `day`",
    ),
    (
        "date.add",
        r#"["2013-09-03",1,"hours"]"#,
        "has no time of day",
    ),
    (
        "date.add",
        r#"["2013-09-03",9223372036854775807,"weeks"]"#,
        "leaves the years",
    ),
    (
        "date.add",
        r#"["2013-09-03",8000,"years"]"#,
        "leaves the years",
    ),
    (
        "date.diff",
        r#"["2013-09-03","2013-09-03T00:00:00Z","days"]"#,
        "one has an offset",
    ),
    (
        "time.now",
        r#"["Europe/Warsav"]"#,
        "there is no time zone `Europe/Warsav`",
    ),
];

#[test]
fn bad_arguments_are_the_scripts_fault_and_say_why() {
    for (path, args, wanted) in REFUSALS {
        let fault = run(path, args).expect_err(&format!("{path}{args}"));
        assert!(fault.message().contains(wanted), "{path}{args}: {fault}");
        assert_eq!(fault.code(), Code::ScriptArgument, "{path}{args}");
    }
}

#[test]
fn a_moment_passes_through_a_script_unchanged() {
    for text in [
        "2013-09-03",
        "2013-09-03T10:20:30",
        "2013-09-03T10:20:30.250+02:00",
    ] {
        let parsed = run("date.parse", &format!(r#"["{text}"]"#)).unwrap();
        let back = run("date.add", &format!(r#"[{parsed},0,"days"]"#)).unwrap();
        assert_eq!(parsed, back);
    }
}

#[test]
fn fresh_values_differ_and_have_their_shape() {
    for path in ["uuid.v4", "uuid.v7"] {
        let (one, other) = (run(path, "[]").unwrap(), run(path, "[]").unwrap());
        assert_ne!(one, other);
        assert_eq!(
            one.chars().nth(15),
            path.chars().last(),
            "the version of {one}"
        );
    }
    assert!(run("uuid.v7", "[]").unwrap() < run("uuid.v7", "[]").unwrap());
    let (one, other) = (
        run("crypto.random", "[16]").unwrap(),
        run("crypto.random", "[16]").unwrap(),
    );
    assert!(one != other && one.len() == 34, "{one}");
}

#[test]
fn csv_is_read_in_the_encoding_that_it_says_or_is_told() {
    let polish = Value::Bytes(vec![b'a', b'\n', 0xb3].into());
    let mut options = crate::base::Map::new();
    options.set("encoding", Value::text("windows-1250"));
    let rows = run_values("csv.parse", vec![polish.clone(), Value::Map(options)]).unwrap();
    assert_eq!(
        format!("{rows:?}"),
        format!(
            "{:?}",
            json_read::read(r#"[{"a":"ł"}]"#.as_bytes()).unwrap()
        )
    );
    let fault = run_values("csv.parse", vec![polish]).unwrap_err();
    assert_eq!(fault.message(), "csv.parse: CSV, line 2: not UTF-8");
    let wide: Vec<u8> = "\u{feff}a\tb\nł\t1"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut options = crate::base::Map::new();
    options.set("delimiter", Value::text("\t"));
    let rows = run_values(
        "csv.parse",
        vec![Value::Bytes(wide.into()), Value::Map(options)],
    )
    .unwrap();
    assert_eq!(
        rows,
        json_read::read(r#"[{"a":"ł","b":"1"}]"#.as_bytes()).unwrap()
    );
}

#[test]
fn bytes_survive_base64() {
    let bytes = Value::Bytes(vec![0, 255, 10, 128].into());
    let text = run_values("base64.encode", vec![bytes.clone()]).unwrap();
    assert_eq!(run_values("base64.decode", vec![text]).unwrap(), bytes);
}
