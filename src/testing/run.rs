//! Runs the tests of a project that were asked for, one after the other.

use std::sync::Arc;
use std::time::Instant;

use crate::base::{Code, Fault, Faults, Place, closest};
use crate::config::Project as Directory;
use crate::contract::{Engine, Entry, HostFn, Services as _};
use crate::enmasse::{Sheet, SourceText};
use crate::kinds::{engines_with, tables};
use crate::script::lua::LuaEngine;
use crate::script::rhai::RhaiEngine;
use crate::script::{Api, Coverage, Declares};
use crate::testing::case::Run;
use crate::testing::cases::{Case, CasesFile, Exposure};
use crate::testing::client::takes;
use crate::testing::covered::Covered;
use crate::testing::find::{Form, TestFile, find};
use crate::testing::golden::{self, Golden};
use crate::testing::paste::Written;
use crate::testing::project::Project;
use crate::testing::report::{FileReport, Report, TestReport};
use crate::testing::{scripts, table};

/// Which tests to run, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Only tests whose file or name holds this text.
    pub(crate) filter: Option<String>,
    /// Whether golden files are written.
    pub(crate) golden: Golden,
    /// Whether it is noted which lines ran.
    pub(crate) coverage: bool,
}

impl Selection {
    fn takes(&self, path: &str, name: &str) -> bool {
        let filter = self.filter.as_deref().unwrap_or_default();
        path.contains(filter) || name.contains(filter)
    }
}

/// Runs the tests of a project on a thread of its own kind, as a core is one. Problems that keep all tests from running
/// come back at once.
pub(crate) fn run(directory: Directory, selection: &Selection) -> Result<Report, Faults> {
    on_core(all(directory, selection))
}

/// Reads the files with tests of a project that loads; returns what would keep them from running.
pub(crate) fn problems(directory: Directory) -> Vec<Fault> {
    let read = async {
        let files = find(directory.root())?;
        let selection = Selection::default();
        let suite = Suite::load(directory, &selection, None).await?;
        let problems = files.iter().flat_map(|file| suite.problems(file));
        Ok(problems.collect())
    };
    match on_core(read) {
        Ok(problems) => problems,
        Err(faults) => {
            let told = |fault: &Fault| fault.code() != Code::NoTests;
            faults.0.into_iter().filter(told).collect()
        }
    }
}

fn on_core<T>(work: impl Future<Output = Result<T, Faults>>) -> Result<T, Faults> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default());
    let runtime = runtime
        .map_err(|error| Fault::new(Code::Internal, format!("the tests cannot be run: {error}")))?;
    runtime.block_on(work)
}

async fn all(directory: Directory, selection: &Selection) -> Result<Report, Faults> {
    let started = Instant::now();
    let files = find(directory.root())?;
    let coverage: Option<Arc<Coverage>> = selection.coverage.then(Arc::default);
    let suite = Suite::load(directory, selection, coverage.clone()).await?;
    let mut reports = Vec::new();
    for file in &files {
        reports.extend(suite.file(file).await);
    }
    if reports.is_empty() {
        let filter = selection.filter.as_deref().unwrap_or_default();
        let message = format!("no test has '{filter}' in its file or name");
        return Err(Fault::new(Code::NoTests, message).into());
    }
    Ok(Report {
        files: reports,
        elapsed: started.elapsed(),
        covered: coverage.map(|coverage| Covered::new(&coverage)),
    })
}

/// Returns what tests can do: all that services can, and the functions of `t`.
fn for_tests(services: &Api) -> Api {
    let own: &'static [HostFn] = table::TABLE;
    let mut api = services.clone();
    api.tables.push(own);
    api.declares = Declares::Tests;
    api
}

struct Suite<'a> {
    project: Project,
    selection: &'a Selection,
    lua: LuaEngine,
    rhai: RhaiEngine,
}

impl<'a> Suite<'a> {
    async fn load(
        directory: Directory,
        selection: &'a Selection,
        coverage: Option<Arc<Coverage>>,
    ) -> Result<Self, Faults> {
        let services = Api {
            rarely: true,
            coverage,
            ..tables().into()
        };
        let tests = for_tests(&services);
        Ok(Self {
            project: Project::load(directory, engines_with(&services)).await?,
            selection,
            lua: LuaEngine::new(tests.clone()),
            rhai: RhaiEngine::new(tests),
        })
    }

    /// Runs the tests of a file; `None` when none was asked for.
    async fn file(&self, file: &TestFile) -> Option<FileReport> {
        let path = &file.path;
        let ran = match file.form {
            Form::Cases => self.cases(path).await,
            Form::Lua => self.scripts(path, &self.lua, Written::Lua).await,
            Form::Rhai => self.scripts(path, &self.rhai, Written::Rhai).await,
        };
        match ran {
            Ok((_, tests)) if tests.is_empty() => None,
            Ok((holds, tests)) => Some(FileReport {
                path: path.clone(),
                holds,
                tests,
            }),
            Err(faults) => Some(FileReport {
                path: path.clone(),
                holds: "not run".to_owned(),
                tests: vec![TestReport {
                    name: "the file".to_owned(),
                    place: Some(Place::new(path.as_str(), 0, 0)),
                    faults,
                    ..TestReport::default()
                }],
            }),
        }
    }

    async fn scripts(
        &self,
        path: &str,
        engine: &dyn Engine,
        written: Written,
    ) -> Result<(String, Vec<TestReport>), Vec<Fault>> {
        let tests = scripts::load(&self.project, engine, path)?;
        let mut reports = Vec::new();
        for test in &tests {
            if self.selection.takes(path, test.name()) {
                reports.push(test.run(&self.project, written).await);
            }
        }
        Ok((counted(reports.len(), "test"), reports))
    }

    /// Reads a file of cases; returns it with the service that it is about.
    fn read(&self, path: &str) -> Result<(CasesFile, Sheet, Arc<Entry>), Vec<Fault>> {
        let read = std::fs::read_to_string(self.project.directory.root().join(path));
        let text = read.map_err(|error| {
            let message = format!("{path} cannot be read: {error}");
            vec![Fault::new(Code::Storage, message)]
        })?;
        let text = SourceText {
            path: path.into(),
            text,
        };
        let (file, sheet) = Sheet::read::<CasesFile>(text).map_err(|faults| faults.0)?;
        let entry = self.entry(&file, &sheet).map_err(|fault| vec![fault])?;
        check(&file, &sheet)?;
        Ok((file, sheet, entry))
    }

    /// Reads a file without running it; returns what is wrong with it.
    fn problems(&self, file: &TestFile) -> Vec<Fault> {
        let path = &file.path;
        let read = match file.form {
            Form::Cases => self.read(path).map(drop),
            Form::Lua => scripts::load(&self.project, &self.lua, path).map(drop),
            Form::Rhai => scripts::load(&self.project, &self.rhai, path).map(drop),
        };
        read.err().unwrap_or_default()
    }

    async fn cases(&self, path: &str) -> Result<(String, Vec<TestReport>), Vec<Fault>> {
        let (file, sheet, entry) = self.read(path)?;
        let all = Exposure::ALL.iter().copied();
        let all = all.filter(|exposure| takes(&self.project, &file.service, *exposure));
        let exposures = match file.exposures.as_slice() {
            [] => all.collect(),
            own => own.to_vec(),
        };
        let mut reports = Vec::new();
        let mut count = 0;
        for (index, case) in file.cases.iter().enumerate() {
            if !self.selection.takes(path, &case.name) {
                continue;
            }
            count += 1;
            for exposure in &exposures {
                let case = Numbered { index, case };
                reports.push(
                    self.case(path, (&file, &sheet), &entry, &case, *exposure)
                        .await,
                );
            }
        }
        let holds = format!(
            "{} × {}",
            counted(count, "case"),
            counted(exposures.len(), "exposure")
        );
        Ok((holds, reports))
    }

    fn entry(&self, file: &CasesFile, sheet: &Sheet) -> Result<Arc<Entry>, Fault> {
        let services = self.project.registry.load();
        let name = file.service.as_str();
        services.find(name).ok_or_else(|| {
            let message = format!("there is no service named '{name}'");
            let fault = Fault::new(Code::UnknownService, message);
            let names = services.names();
            let near = closest(name, names.iter().map(crate::base::ServiceName::as_str));
            let fault = match near {
                Some(near) => fault.hint(format!("Did you mean `{near}`?")),
                None => fault,
            };
            sheet.value(fault, "/service")
        })
    }

    async fn case(
        &self,
        path: &str,
        (file, sheet): (&CasesFile, &Sheet),
        entry: &Arc<Entry>,
        numbered: &Numbered<'_>,
        exposure: Exposure,
    ) -> TestReport {
        let started = Instant::now();
        let case = numbered.case;
        let golden = file.golden && exposure != Exposure::Direct;
        let run = Run {
            project: &self.project,
            entry,
            case,
            given: file.given.with(&case.given),
            exposure,
            golden: golden.then(|| {
                let path = golden::path(path, &case.name, exposure);
                (path, self.selection.golden)
            }),
        };
        let own = format!("/cases/{}", numbered.index);
        let faults = run.run().await.into_iter().map(|(pointer, fault)| {
            // What holds before each case stands in the file.
            let place = if pointer.starts_with("/given") {
                pointer
            } else {
                format!("{own}{pointer}")
            };
            match fault.place() {
                Some(_) => fault,
                None => sheet.value(fault, &place),
            }
        });
        let faults = faults.collect();
        let place = sheet.value(Fault::new(Code::TestFailed, ""), &own);
        TestReport {
            name: case.name.clone(),
            exposure: Some(exposure.name()),
            place: place.place().cloned(),
            elapsed: started.elapsed(),
            faults,
        }
    }
}

/// Refuses what would pass without having shown anything.
fn check(file: &CasesFile, sheet: &Sheet) -> Result<(), Vec<Fault>> {
    if file.cases.is_empty() {
        let fault = Fault::new(Code::TestFailed, "the file has no cases");
        let fault = fault.hint("Write them below `cases:`, each with a name.");
        return Err(vec![sheet.key(fault, "/cases")]);
    }
    let mut faults = Vec::new();
    for (index, case) in file.cases.iter().enumerate() {
        let pointer = format!("/cases/{index}");
        if !case.expects(file.golden) {
            let message = format!("case '{}' expects nothing", case.name);
            let hint = "Add `output`, `error`, `logs`, `kvdb` or `called`.";
            let fault = Fault::new(Code::TestFailed, message).hint(hint);
            faults.push(sheet.value(fault, &pointer));
        }
        let mut before = file.cases.iter().take(index);
        if before.any(|other| other.name == case.name) {
            let message = format!("there are two cases '{}'", case.name);
            let fault = Fault::new(Code::TestFailed, message);
            faults.push(sheet.value(fault, &format!("{pointer}/name")));
        } else if file.golden
            && let Some(other) = (file.cases.iter().take(index))
                .find(|other| golden::slug(&other.name) == golden::slug(&case.name))
        {
            let message = format!("'{}' has the golden file of '{}'", case.name, other.name);
            let fault = Fault::new(Code::TestFailed, message)
                .hint("Names of golden files have letters and digits only, in lower case.");
            faults.push(sheet.value(fault, &format!("{pointer}/name")));
        }
        if case.output.is_some() && case.error.is_some() {
            let message = format!("case '{}' expects an output and an error", case.name);
            faults.push(sheet.value(Fault::new(Code::TestFailed, message), &pointer));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// A case and its place in the file.
struct Numbered<'a> {
    index: usize,
    case: &'a Case,
}

fn counted(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    }
}
