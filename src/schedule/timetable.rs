//! When a job fires: the pure part, from one moment to the next.
//!
//! The rule where clocks change (for `cron` and for local moments of `at` and `anchor`): a fire
//! time in the skipped hour comes once, at the first moment after it; one in the repeated hour
//! comes once, the first time. A cron whose hour field has a `*` follows the clock instead: it
//! fires in both passes of a repeated hour, and what falls into a skipped hour is not made up for.
//! `every` knows no clocks.

use chrono::{
    DateTime, FixedOffset, LocalResult, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Utc,
};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

use crate::base::{Code, Fault, Faults, Millis, Zone};
use crate::schedule::JobSpec;

/// The longest step that clocks make, but for days that islands dropped when they crossed the date
/// line.
const LONGEST_CHANGE: TimeDelta = TimeDelta::hours(3);

/// Names for crons.
const NICKNAMES: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// How people write a local moment.
const LOCAL: &[&str] = &[
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
];

/// When a job fires.
#[derive(Clone, Debug)]
pub(crate) struct Timetable {
    zone: Zone,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    At(DateTime<Utc>),
    Every {
        step: i64,
        anchor: i64,
    },
    Cron {
        cron: Box<Cron>,
        /// Whether its hours are named, so that each comes once a day whatever the clocks do.
        fixed: bool,
    },
}

impl Timetable {
    /// Reads the timetable of a job; reports all that is wrong with it.
    pub(crate) fn parse(spec: &JobSpec) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        check_choice(spec, &mut faults);
        let zone = zone(&spec.timezone).unwrap_or_else(|fault| {
            faults.push(fault);
            Zone::UTC
        });
        let mut take = |rule: Result<Rule, Fault>| rule.map_err(|fault| faults.push(fault)).ok();
        let at = spec.at.as_deref().map(|text| {
            let moment = local_moment("at", text, &zone)?;
            Ok(Rule::At(moment))
        });
        let every = spec
            .every
            .map(|step| every(step, spec.anchor.as_deref(), &zone));
        let cron = spec.cron.as_deref().map(cron);
        let rules: Vec<Rule> = [at, every, cron]
            .into_iter()
            .flatten()
            .filter_map(&mut take)
            .collect();
        faults.into_result()?;
        let rule = rules.into_iter().next().ok_or_else(none_given)?;
        Ok(Self { zone, rule })
    }

    /// Returns the first fire time after a moment; `None` when there is none any more.
    pub(crate) fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.rule {
            Rule::At(moment) => (*moment > after).then_some(*moment),
            Rule::Every { step, anchor } => {
                let elapsed = after.timestamp_millis().checked_sub(*anchor)?;
                let steps = if elapsed < 0 { 0 } else { elapsed / step + 1 };
                DateTime::from_timestamp_millis(anchor.checked_add(steps.checked_mul(*step)?)?)
            }
            Rule::Cron { cron, fixed } => self.next_cron(cron, *fixed, after),
        }
    }

    /// Returns the fire time of a job that is seen for the first time: that of `at` may lie in the
    /// past.
    pub(crate) fn first(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.rule {
            Rule::At(moment) => Some(*moment),
            Rule::Every { .. } | Rule::Cron { .. } => self.next_after(now),
        }
    }

    /// Returns the next fire times after a moment.
    pub(crate) fn upcoming(&self, after: DateTime<Utc>, n: usize) -> Vec<DateTime<Utc>> {
        let next = |at: &DateTime<Utc>| self.next_after(*at);
        std::iter::successors(self.next_after(after), next)
            .take(n)
            .collect()
    }

    /// Returns a moment as the clocks of the job's time zone show it.
    pub(crate) fn local_moment(&self, at: DateTime<Utc>) -> DateTime<FixedOffset> {
        at.with_timezone(&self.zone).fixed_offset()
    }

    /// Tells whether there is only one fire time ever.
    pub(crate) fn is_single(&self) -> bool {
        matches!(self.rule, Rule::At(_))
    }

    fn next_cron(&self, cron: &Cron, fixed: bool, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let steady = self.offset(after.checked_sub_signed(LONGEST_CHANGE)?)
            == self.offset(after.checked_add_signed(LONGEST_CHANGE)?);
        // Near a change of clocks, local times before this one may still lie ahead.
        let back = if steady {
            TimeDelta::zero()
        } else {
            LONGEST_CHANGE
        };
        let mut local = self.local(after).checked_sub_signed(back)?;
        let mut best: Option<DateTime<Utc>> = None;
        loop {
            let Some(next) = next_local(cron, local) else {
                return best;
            };
            local = next;
            let (first, second) = self.instants(local, fixed);
            if best.is_some_and(|best| first.is_some_and(|first| first > best)) {
                return best;
            }
            let ahead = [first, second].into_iter().flatten();
            best = ahead.filter(|at| *at > after).chain(best).min();
            if steady && best.is_some() {
                return best;
            }
        }
    }

    /// Returns when a local fire time comes: once, never, or twice.
    fn instants(
        &self,
        local: NaiveDateTime,
        fixed: bool,
    ) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(at) => (Some(at.to_utc()), None),
            LocalResult::Ambiguous(first, _) if fixed => (Some(first.to_utc()), None),
            LocalResult::Ambiguous(first, second) => (Some(first.to_utc()), Some(second.to_utc())),
            LocalResult::None if fixed => (after_gap(local, &self.zone), None),
            LocalResult::None => (None, None),
        }
    }

    fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    fn offset(&self, at: DateTime<Utc>) -> i32 {
        at.with_timezone(&self.zone)
            .offset()
            .fix()
            .local_minus_utc()
    }
}

/// Returns the next local time that a cron names, as if clocks never changed.
fn next_local(cron: &Cron, after: NaiveDateTime) -> Option<NaiveDateTime> {
    let next = cron.find_next_occurrence(&after.and_utc(), false).ok()?;
    Some(next.naive_utc())
}

/// Returns the first moment after the skipped stretch that a local time falls into.
fn after_gap(local: NaiveDateTime, zone: &Zone) -> Option<DateTime<Utc>> {
    // Read with the offset from before the gap, our local time is a moment after the change.
    let before = local.checked_sub_signed(TimeDelta::days(1))?;
    let old = zone.offset_from_local_datetime(&before).earliest()?.fix();
    let mut low = before.checked_sub_offset(old)?.and_utc();
    let mut high = local.checked_sub_offset(old)?.and_utc();
    let changed = |at: &DateTime<Utc>| at.with_timezone(zone).offset().fix() != old;
    while high - low > TimeDelta::seconds(1) {
        let middle = low + (high - low) / 2;
        if changed(&middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    DateTime::from_timestamp(high.timestamp(), 0)
}

fn check_choice(spec: &JobSpec, faults: &mut Faults) {
    let given: Vec<&str> = [
        spec.at.as_ref().map(|_at| "at"),
        spec.every.map(|_every| "every"),
        spec.cron.as_ref().map(|_cron| "cron"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match given.as_slice() {
        [] => faults.push(none_given()),
        [_one] => {}
        more => faults.push(bad(format!(
            "only one of at, every and cron may be given, not {}",
            more.join(" and ")
        ))),
    }
    if spec.every.is_none() {
        for (key, set) in [
            ("repeats", spec.repeats.is_some()),
            ("anchor", spec.anchor.is_some()),
        ] {
            if set {
                faults.push(bad(format!("{key} belongs to every, which is not given")));
            }
        }
    }
    if spec.repeats == Some(0) {
        faults.push(bad("repeats must be at least 1").hint("Leave it out to run without end."));
    }
}

fn none_given() -> Fault {
    bad("one of at, every and cron must be given")
        .hint("Write for example `every: 1h`, `cron: \"0 2 * * *\"` or `at: 2026-12-01T02:00`.")
}

fn zone(name: &str) -> Result<Zone, Fault> {
    Zone::named(name).ok_or_else(|| {
        let fault = bad(format!("timezone '{name}' is not known"));
        match Zone::nearest(name) {
            Some(name) => fault.hint(format!("Did you mean `{name}`?")),
            None => fault.hint("Write an IANA name such as `Europe/Paris` or `UTC`."),
        }
    })
}

fn every(step: Millis, anchor: Option<&str>, zone: &Zone) -> Result<Rule, Fault> {
    if step < Millis::seconds(1) {
        return Err(bad(format!("every '{step}' is shorter than 1s")));
    }
    let step =
        i64::try_from(step.0).map_err(|_ignored| bad(format!("every '{step}' is too long")))?;
    let anchor = anchor.map_or(Ok(DateTime::UNIX_EPOCH), |text| {
        local_moment("anchor", text, zone)
    })?;
    let anchor = anchor.timestamp_millis();
    Ok(Rule::Every { step, anchor })
}

fn local_moment(key: &str, text: &str, zone: &Zone) -> Result<DateTime<Utc>, Fault> {
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        // As exact as the database keeps it, or the same moment would come after itself.
        let rounded = DateTime::from_timestamp_millis(moment.timestamp_millis());
        return Ok(rounded.unwrap_or(moment.to_utc()));
    }
    let local = LOCAL
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let moment = local.and_then(|local| match zone.from_local_datetime(&local) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.to_utc()),
        LocalResult::None => after_gap(local, zone),
    });
    moment.ok_or_else(|| {
        bad(format!("{key} '{text}' is not a date and time"))
            .hint("Write 2026-12-01T02:00 for the job's time zone, or 2026-12-01T02:00:00+01:00.")
    })
}

fn cron(text: &str) -> Result<Rule, Fault> {
    let fields = expand(text)?;
    let hours = fields.split_whitespace().nth(1).unwrap_or_default();
    let fixed = !hours.contains('*');
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let cron = parser.parse(&fields).map_err(|error| {
        bad(format!("cron '{text}' cannot be read: {}", plain(&error))).hint(
            "Write minute, hour, day of month, month and day of week, as in `30 2 * * mon-fri`.",
        )
    })?;
    if next_local(&cron, DateTime::UNIX_EPOCH.naive_utc()).is_none() {
        return Err(bad(format!("cron '{text}' never fires")));
    }
    let cron = Box::new(cron);
    Ok(Rule::Cron { cron, fixed })
}

fn expand(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    if text.starts_with('@') {
        let name = text.to_ascii_lowercase();
        let known = NICKNAMES.iter().find(|(nickname, _)| *nickname == name);
        return known
            .map(|(_, fields)| (*fields).to_owned())
            .ok_or_else(|| {
                let names: Vec<&str> = NICKNAMES.iter().map(|(nickname, _)| *nickname).collect();
                bad(format!("cron '{text}' is not a name for a schedule"))
                    .hint(format!("Write one of {}.", names.join(", ")))
            });
    }
    let fields = text.split_whitespace().count();
    if fields != 5 {
        return Err(
            bad(format!("cron '{text}' has {fields} fields and needs 5"))
                .hint("Write minute, hour, day of month, month and day of week."),
        );
    }
    Ok(text.to_owned())
}

/// Returns what the parser says, in our tone: lower case, without a full stop.
fn plain(error: &croner::errors::CronError) -> String {
    let text = error.to_string();
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

fn bad(message: impl Into<String>) -> Fault {
    Fault::new(Code::BadSchedule, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> JobSpec {
        let body: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut spec = serde_json::json!({"service": "a.b"});
        let map = spec.as_object_mut().unwrap();
        map.extend(body.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Where a table starts, and the local fire times that follow.
    type Case = (
        &'static str,
        &'static str,
        &'static str,
        &'static [&'static str],
    );

    const CRONS: &[Case] = &[
        // Europe/Paris: 02:00-03:00 is skipped on 29 March 2026, and comes twice on 25 October.
        (
            "30 2 * * *",
            "Europe/Paris",
            "2026-03-27T12:00:00Z",
            &[
                "2026-03-28T02:30:00+01:00",
                "2026-03-29T03:00:00+02:00",
                "2026-03-30T02:30:00+02:00",
            ],
        ),
        (
            "30 2 * * *",
            "Europe/Paris",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        ),
        // Several fire times in the skipped hour are one, also together with the one after it.
        (
            "0,20,40 2-3 * * *",
            "Europe/Paris",
            "2026-03-28T23:00:00Z",
            &[
                "2026-03-29T03:00:00+02:00",
                "2026-03-29T03:20:00+02:00",
                "2026-03-29T03:40:00+02:00",
                "2026-03-30T02:00:00+02:00",
            ],
        ),
        (
            "*/30 2 * * *",
            "Europe/Paris",
            "2026-10-24T12:00:00Z",
            &[
                "2026-10-25T02:00:00+02:00",
                "2026-10-25T02:30:00+02:00",
                "2026-10-26T02:00:00+01:00",
            ],
        ),
        // A cron that follows the clock fires in both passes and makes up for nothing.
        (
            "0 * * * *",
            "Europe/Paris",
            "2026-10-24T23:30:00Z",
            &[
                "2026-10-25T02:00:00+02:00",
                "2026-10-25T02:00:00+01:00",
                "2026-10-25T03:00:00+01:00",
            ],
        ),
        (
            "45 * * * *",
            "Europe/Paris",
            "2026-03-29T00:00:00Z",
            &["2026-03-29T01:45:00+01:00", "2026-03-29T03:45:00+02:00"],
        ),
        // America/New_York: skipped on 8 March 2026, twice on 1 November (01:00-02:00).
        (
            "15 2 * * *",
            "America/New_York",
            "2026-03-08T05:00:00Z",
            &["2026-03-08T03:00:00-04:00", "2026-03-09T02:15:00-04:00"],
        ),
        (
            "15 1 * * *",
            "America/New_York",
            "2026-11-01T04:00:00Z",
            &["2026-11-01T01:15:00-04:00", "2026-11-02T01:15:00-05:00"],
        ),
        // Seen from the second pass, the fire time of the first is over.
        (
            "45 1 * * *",
            "America/New_York",
            "2026-11-01T06:10:00Z",
            &["2026-11-02T01:45:00-05:00"],
        ),
        (
            "@hourly",
            "America/New_York",
            "2026-11-01T04:30:00Z",
            &[
                "2026-11-01T01:00:00-04:00",
                "2026-11-01T01:00:00-05:00",
                "2026-11-01T02:00:00-05:00",
            ],
        ),
        // Australia/Lord_Howe: half an hour; 02:00-02:30 is skipped on 4 October 2026, 01:30-02:00
        // comes twice on 5 April.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T00:00:00Z",
            &["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
        ),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T00:00:00Z",
            &["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"],
        ),
        (
            "45 * * * *",
            "Australia/Lord_Howe",
            "2026-04-04T14:00:00Z",
            &[
                "2026-04-05T01:45:00+11:00",
                "2026-04-05T01:45:00+10:30",
                "2026-04-05T02:45:00+10:30",
            ],
        ),
        // Calendar.
        (
            "0 12 29 2 *",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2028-02-29T12:00:00+00:00", "2032-02-29T12:00:00+00:00"],
        ),
        (
            "0 0 31 * *",
            "UTC",
            "2026-01-31T00:00:00Z",
            &["2026-03-31T00:00:00+00:00", "2026-05-31T00:00:00+00:00"],
        ),
        (
            "0 0 L * *",
            "UTC",
            "2028-02-01T00:00:00Z",
            &["2028-02-29T00:00:00+00:00", "2028-03-31T00:00:00+00:00"],
        ),
        // Day of month and day of week are alternatives, as cron has always had it.
        (
            "0 9 13 * fri",
            "UTC",
            "2026-11-02T00:00:00Z",
            &["2026-11-06T09:00:00+00:00", "2026-11-13T09:00:00+00:00"],
        ),
        (
            "30 8 * jan-mar mon,SUN",
            "UTC",
            "2026-03-28T12:00:00Z",
            &[
                "2026-03-29T08:30:00+00:00",
                "2026-03-30T08:30:00+00:00",
                "2027-01-03T08:30:00+00:00",
            ],
        ),
        // Names.
        (
            "@daily",
            "Asia/Kolkata",
            "2026-01-01T00:00:00Z",
            &["2026-01-02T00:00:00+05:30"],
        ),
        (
            "@midnight",
            "UTC",
            "2026-01-01T00:00:00Z",
            &["2026-01-02T00:00:00+00:00"],
        ),
        (
            "@weekly",
            "UTC",
            "2026-11-24T00:00:00Z",
            &["2026-11-29T00:00:00+00:00"],
        ),
        (
            "@monthly",
            "UTC",
            "2026-11-24T00:00:00Z",
            &["2026-12-01T00:00:00+00:00"],
        ),
        (
            "@yearly",
            "UTC",
            "2026-11-24T00:00:00Z",
            &["2027-01-01T00:00:00+00:00"],
        ),
        (
            "@Annually",
            "UTC",
            "2026-11-24T00:00:00Z",
            &["2027-01-01T00:00:00+00:00"],
        ),
    ];

    #[test]
    fn crons_fire_as_clocks_and_calendars_say() {
        for (cron, timezone, after, expected) in CRONS {
            let body = serde_json::json!({"cron": cron, "timezone": timezone}).to_string();
            let timetable = Timetable::parse(&spec(&body)).unwrap();
            let fires = timetable.upcoming(utc(after), expected.len());
            let fires: Vec<String> = fires
                .into_iter()
                .map(|at| timetable.local_moment(at).to_rfc3339())
                .collect();
            assert_eq!(fires, *expected, "{cron} in {timezone} after {after}");
        }
    }

    #[test]
    fn a_walk_minute_by_minute_through_every_change_finds_no_fire_time_twice_and_skips_none() {
        // The oracle looks at each minute of the clock; hours are named, so each local minute
        // counts once.
        for (timezone, start) in [
            ("Europe/Paris", "2026-03-28T12:00:00Z"),
            ("Europe/Paris", "2026-10-24T12:00:00Z"),
            ("America/New_York", "2026-11-01T00:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
        ] {
            let zone = Zone::named(timezone).unwrap();
            let body = serde_json::json!({"cron": "10,40 1-2 * * *", "timezone": timezone});
            let timetable = Timetable::parse(&spec(&body.to_string())).unwrap();
            let (start, mut expected) = (utc(start), Vec::new());
            let mut seen = std::collections::HashSet::new();
            let mut offset = start.with_timezone(&zone).offset().fix();
            for minute in 1..(48 * 60) {
                let at = start + TimeDelta::minutes(minute);
                let local = at.with_timezone(&zone);
                let now = local.offset().fix();
                let jump = i64::from(now.local_minus_utc() - offset.local_minus_utc()) / 60;
                offset = now;
                // What this minute stands for: itself, and the local minutes that were skipped
                // before it.
                let minutes =
                    (0..=jump.max(0)).map(|back| local.naive_local() - TimeDelta::minutes(back));
                let fires = |local: &NaiveDateTime| {
                    let text = local.format("%H:%M").to_string();
                    ["01:10", "01:40", "02:10", "02:40"].contains(&text.as_str())
                };
                let new = minutes
                    .filter(fires)
                    .filter(|local| seen.insert(*local))
                    .count();
                expected.extend((new > 0).then_some(at));
            }
            let until = start + TimeDelta::minutes(48 * 60);
            let fires: Vec<_> = timetable
                .upcoming(start, 50)
                .into_iter()
                .take_while(|at| *at < until)
                .collect();
            assert_eq!(fires, expected, "{timezone} from {start}");
        }
    }

    #[test]
    fn intervals_know_no_clocks() {
        let hourly =
            Timetable::parse(&spec(r#"{"every": "1h", "timezone": "Europe/Paris"}"#)).unwrap();
        let fires = hourly.upcoming(utc("2026-10-24T23:30:00Z"), 4);
        let steps: Vec<_> = fires.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(fires[0], utc("2026-10-25T00:00:00Z"));
        assert_eq!(steps, [TimeDelta::hours(1); 3]);
        let anchored =
            r#"{"every": "90s", "anchor": "2026-12-01T02:00", "timezone": "Europe/Paris"}"#;
        let anchored = Timetable::parse(&spec(anchored)).unwrap();
        assert_eq!(
            anchored.upcoming(utc("2026-11-24T00:00:00Z"), 2),
            [utc("2026-12-01T01:00:00Z"), utc("2026-12-01T01:01:30Z"),]
        );
        let inside = anchored.next_after(utc("2026-12-01T01:01:30Z"));
        assert_eq!(inside, Some(utc("2026-12-01T01:03:00Z")));
    }

    #[test]
    fn one_moment_is_read_in_its_zone() {
        for (text, timezone, expected) in [
            ("2026-12-01T02:00", "Europe/Paris", "2026-12-01T01:00:00Z"),
            ("2026-12-01 02:00:30", "UTC", "2026-12-01T02:00:30Z"),
            (
                "2026-12-01T02:00:30.1234567Z",
                "UTC",
                "2026-12-01T02:00:30.123Z",
            ),
            (
                "2026-12-01T02:00:00+05:00",
                "Europe/Paris",
                "2026-11-30T21:00:00Z",
            ),
            ("2026-03-29T02:30", "Europe/Paris", "2026-03-29T01:00:00Z"),
            ("2026-10-25T02:30", "Europe/Paris", "2026-10-25T00:30:00Z"),
            (
                "2026-10-04T02:10",
                "Australia/Lord_Howe",
                "2026-10-03T15:30:00Z",
            ),
        ] {
            let body = serde_json::json!({"at": text, "timezone": timezone}).to_string();
            let timetable = Timetable::parse(&spec(&body)).unwrap();
            let moment = utc(expected);
            assert_eq!(
                timetable.first(moment + TimeDelta::days(9)),
                Some(moment),
                "{text}"
            );
            assert_eq!(timetable.next_after(moment), None, "{text}");
        }
    }

    const MISTAKES: &[(&str, &str)] = &[
        (r"{}", "one of at, every and cron must be given"),
        (
            r#"{"every": "1h", "cron": "@daily"}"#,
            "only one of at, every and cron may be given, not every and cron",
        ),
        (r#"{"every": "500ms"}"#, "every '500ms' is shorter than 1s"),
        (
            r#"{"every": "1h", "repeats": 0}"#,
            "repeats must be at least 1",
        ),
        (
            r#"{"every": "1h", "anchor": "soon"}"#,
            "anchor 'soon' is not a date and time",
        ),
        (
            r#"{"cron": "@daily", "repeats": 3}"#,
            "repeats belongs to every, which is not given",
        ),
        (
            r#"{"cron": "* * * *"}"#,
            "cron '* * * *' has 4 fields and needs 5",
        ),
        (
            r#"{"cron": "0 0 * * * *"}"#,
            "cron '0 0 * * * *' has 6 fields and needs 5",
        ),
        (
            r#"{"cron": "@often"}"#,
            "cron '@often' is not a name for a schedule",
        ),
        (
            r#"{"cron": "61 * * * *"}"#,
            "cron '61 * * * *' cannot be read",
        ),
        (
            r#"{"cron": "* * * foo *"}"#,
            "cron '* * * foo *' cannot be read",
        ),
        (r#"{"cron": "0 0 30 2 *"}"#, "cron '0 0 30 2 *' never fires"),
        (
            r#"{"at": "2026-13-01T00:00"}"#,
            "at '2026-13-01T00:00' is not a date and time",
        ),
        (
            r#"{"every": "1h", "timezone": "Europe/Pariss"}"#,
            "timezone 'Europe/Pariss' is not known",
        ),
    ];

    #[test]
    fn every_mistake_is_named_with_one_code() {
        for (body, expected) in MISTAKES {
            let faults = Timetable::parse(&spec(body)).unwrap_err().0;
            assert_eq!(faults.len(), 1, "{body}: {faults:?}");
            assert_eq!(faults[0].code(), Code::BadSchedule);
            assert!(
                faults[0].message().starts_with(expected),
                "{}",
                faults[0].message()
            );
            let message = faults[0].message();
            assert!(
                !message.ends_with('.') && message == message.trim(),
                "{message}"
            );
        }
        let hint = Timetable::parse(&spec(r#"{"every": "1h", "timezone": "Europe/Pariss"}"#));
        assert_eq!(
            hint.unwrap_err().0[0].hint_text(),
            Some("Did you mean `Europe/Paris`?")
        );
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let body = r#"{"every": "1ms", "anchor": "x", "cron": "a", "timezone": "No/Where",
            "repeats": 0}"#;
        let faults = Timetable::parse(&spec(body)).unwrap_err().0;
        assert_eq!(faults.len(), 5, "{faults:?}");
    }
}
