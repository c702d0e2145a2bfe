//! What people see when a file is wrong: code, place, source line, caret, hint.

use std::collections::HashMap;

use expect_test::{Expect, expect};

use super::kinds::{Fixed, KINDS};
use super::one;
use crate::base::Fault;
use crate::enmasse::{Against, load};

fn blocks(faults: &[Fault]) -> String {
    let blocks: Vec<_> = faults.iter().map(Fault::block).collect();
    blocks.join("\n\n") + "\n"
}

fn errors(text: &str) -> String {
    let variables = Fixed(HashMap::from([("PORT", "80"), ("WORD", "eighty")]));
    let against = Against {
        kinds: KINDS,
        variables: &variables,
        stored: &[],
    };
    match load(&one("config/objects.yaml", text), &against) {
        Ok((_, warnings)) => format!("no errors, warnings:\n{}", blocks(&warnings)),
        Err(faults) => blocks(&faults.0),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "`expect!` makes values")]
fn shows(text: &str, expected: Expect) {
    expected.assert_eq(&errors(text));
}

const CHANNEL: &str = "\
channels:
  - name: a
    service: x.y
    http: { path: /a }
    format: json
    security: none
";

#[test]
fn the_ground_of_these_tests_is_valid() {
    assert_eq!(errors(CHANNEL), "no errors, warnings:\n\n");
}

#[test]
fn a_tab_is_named() {
    shows(
        "jobs:\n\t- name: a\n",
        expect![[r#"
            error[KL-C100]: tabs disallowed within this context (block indentation)
              --> config/objects.yaml:2:2
              |
            2 | 	- name: a
              | 	^
               = help: Indent with spaces.
        "#]],
    );
}

#[test]
fn an_unclosed_bracket_is_named() {
    shows(
        r"security:
  - { name: a, type: basic
jobs: []
",
        expect![[r#"
            error[KL-C100]: while parsing a flow mapping, did not find expected ',' or '}'
              --> config/objects.yaml:3:5
              |
            3 | jobs: []
              |     ^
               = help: Check the indentation, quotes and brackets up to here.
        "#]],
    );
}

#[test]
fn an_unquoted_placeholder_in_braces_gets_a_hint() {
    shows(
        r"outgoing:
  http:
    - { name: a, url: ${env.X:-http://h} }
",
        expect![[r#"
            error[KL-C100]: while parsing a flow mapping, did not find expected ',' or '}'
              --> config/objects.yaml:3:24
              |
            3 |     - { name: a, url: ${env.X:-http://h} }
              |                        ^
               = help: Quote a value with `${…}` inside `{ }` or `[ ]`.
        "#]],
    );
}

#[test]
fn bad_indentation_is_named() {
    shows(
        r"jobs:
  - name: a
   service: b
",
        expect![[r#"
            error[KL-C100]: while parsing a block collection, did not find expected '-' indicator
              --> config/objects.yaml:3:4
              |
            3 |    service: b
              |    ^
               = help: Check the indentation, quotes and brackets up to here.
        "#]],
    );
}

#[test]
fn anchors_aliases_tags_and_merge_keys_are_all_refused() {
    shows(
        r"jobs:
  - &a { name: a, service: x, every: 1h }
  - *a
  - { <<: *a, name: c }
  - !job { name: d, service: x, every: 1h }
",
        expect![[r#"
            error[KL-C100]: anchors are not accepted
              --> config/objects.yaml:2:5
              |
            2 |   - &a { name: a, service: x, every: 1h }
              |     ^^^^
               = help: Write the values out: a configuration must read the same from every line.

            error[KL-C100]: aliases are not accepted
              --> config/objects.yaml:3:5
              |
            3 |   - *a
              |     ^^
               = help: Write the values out: a configuration must read the same from every line.

            error[KL-C100]: merge keys are not accepted
              --> config/objects.yaml:4:7
              |
            4 |   - { <<: *a, name: c }
              |       ^^
               = help: Write the values out: a configuration must read the same from every line.

            error[KL-C100]: aliases are not accepted
              --> config/objects.yaml:4:11
              |
            4 |   - { <<: *a, name: c }
              |           ^^
               = help: Write the values out: a configuration must read the same from every line.

            error[KL-C103]: job c: key 'service' is missing
              --> config/objects.yaml:4:21
              |
            4 |   - { <<: *a, name: c }
              |                     ^
               = help: Add `service: …`.

            error[KL-C106]: job c: a job needs exactly one of `every` and `cron`
              --> config/objects.yaml:4:21
              |
            4 |   - { <<: *a, name: c }
              |                     ^

            error[KL-C100]: tags are not accepted
              --> config/objects.yaml:5:5
              |
            5 |   - !job { name: d, service: x, every: 1h }
              |     ^^^^^^
               = help: Leave the tag out; the kind's schema knows the type. Quote a text that begins with `!`.
        "#]],
    );
}

#[test]
fn a_second_document_is_refused() {
    shows(
        r"version: 1
---
version: 1
",
        expect![[r#"
            error[KL-C100]: a second document begins here
              --> config/objects.yaml:2:1
              |
            2 | ---
              | ^^^
               = help: Keep one document in a file.
        "#]],
    );
}

#[test]
fn a_doubled_key_names_both_lines() {
    shows(
        r"jobs:
  - name: a
    service: x
    every: 1h
    service: y
",
        expect![[r#"
            error[KL-C104]: key 'service' is given twice: first in line 3
              --> config/objects.yaml:5:5
              |
            5 |     service: y
              |     ^^^^^^^
               = help: Remove one of them.
        "#]],
    );
}

#[test]
fn a_complex_key_is_refused() {
    shows(
        r"jobs:
  - name: a
    service: x
    every: 1h
    payload: { ? [a, b] : c }
",
        expect![[r#"
            error[KL-C100]: a key must be a text
              --> config/objects.yaml:5:18
              |
            5 |     payload: { ? [a, b] : c }
              |                  ^
               = help: Write `key: value`; quote a text with `{` or `[`.
        "#]],
    );
}

#[test]
fn an_unknown_section_is_named() {
    shows(
        r"chanels: []
version: 1
",
        expect![[r#"
            error[KL-C101]: unknown section 'chanels'
              --> config/objects.yaml:1:1
              |
            1 | chanels: []
              | ^^^^^^^
               = help: Did you mean `channels`?
        "#]],
    );
}

#[test]
fn a_newer_version_is_refused() {
    shows(
        r"version: 2
",
        expect![[r#"
            error[KL-C106]: version 2 of the configuration is not known
              --> config/objects.yaml:1:10
              |
            1 | version: 2
              |          ^
               = help: This kladka reads `version: 1`.
        "#]],
    );
}

#[test]
fn a_section_of_the_wrong_shape_is_named() {
    shows(
        r"security: { name: a }
outgoing: []
project: 7
",
        expect![[r#"
            error[KL-C102]: section 'security' must be a list, not a map
              --> config/objects.yaml:1:11
              |
            1 | security: { name: a }
              |           ^

            error[KL-C102]: section 'outgoing' must be a map, not a list
              --> config/objects.yaml:2:11
              |
            2 | outgoing: []
              |           ^

            error[KL-C102]: 'project' must be a text, not a number
              --> config/objects.yaml:3:10
              |
            3 | project: 7
              |          ^
        "#]],
    );
}

#[test]
fn an_unknown_kind_lists_the_known() {
    shows(
        r"security:
  - { name: a, type: bassic }
outgoing:
  soap:
    - { name: b }
topics:
  - { name: t }
",
        expect![[r#"
            error[KL-C101]: kind 'security.bassic' is not known; known: security.basic, security.api_key, security.wss
              --> config/objects.yaml:2:22
              |
            2 |   - { name: a, type: bassic }
              |                      ^^^^^^
               = help: Did you mean `basic`?

            error[KL-C101]: kind 'outgoing.soap' is not known; known: outgoing.http
              --> config/objects.yaml:4:3
              |
            4 |   soap:
              |   ^^^^

            error[KL-C101]: kind 'topic' is not known; none of this group is built in
              --> config/objects.yaml:7:5
              |
            7 |   - { name: t }
              |     ^
        "#]],
    );
}

#[test]
fn a_missing_type_lists_the_known() {
    shows(
        r"security:
  - { name: a, username: u }
",
        expect![[r#"
            error[KL-C103]: security 'a': key 'type' is missing
              --> config/objects.yaml:2:13
              |
            2 |   - { name: a, username: u }
              |             ^
               = help: Add `type: …`; known: security.basic, security.api_key, security.wss.
        "#]],
    );
}

#[test]
fn a_channel_without_protocol_is_named() {
    shows(
        r"channels:
  - { name: a, service: x.y }
  - { name: b, service: x.y, zmq: { address: x } }
  - { name: c, http: { path: / }, amqp: {} }
",
        expect![[r#"
            error[KL-C103]: channel 'a': no key names its protocol
              --> config/objects.yaml:2:13
              |
            2 |   - { name: a, service: x.y }
              |             ^
               = help: Add one of `http: …`, `amqp: …`.

            error[KL-C101]: kind 'channel.zmq' is not known; known: channel.http, channel.amqp
              --> config/objects.yaml:3:30
              |
            3 |   - { name: b, service: x.y, zmq: { address: x } }
              |                              ^^^

            error[KL-C106]: channel 'c': 'http' and 'amqp' name two protocols
              --> config/objects.yaml:4:35
              |
            4 |   - { name: c, http: { path: / }, amqp: {} }
              |                                   ^^^^
               = help: Keep one of them; make two objects for two protocols.
        "#]],
    );
}

#[test]
fn names_are_checked() {
    shows(
        r"jobs:
  - { service: x, every: 1h }
  - { name: a/b, service: x, every: 1h }
  - { name: 7, service: x, every: 1h }
  - just a text
",
        expect![[r#"
            error[KL-C103]: an object of kind job has no name
              --> config/objects.yaml:2:5
              |
            2 |   - { service: x, every: 1h }
              |     ^
               = help: Add `name: …`.

            error[KL-C106]: 'a/b' is not a name
              --> config/objects.yaml:3:13
              |
            3 |   - { name: a/b, service: x, every: 1h }
              |             ^^^
               = help: Use 1 to 128 of A-Z a-z 0-9 . _ -.

            error[KL-C102]: 'name' must be a text, not a number
              --> config/objects.yaml:4:13
              |
            4 |   - { name: 7, service: x, every: 1h }
              |             ^

            error[KL-C102]: an object of 'jobs' must be a map, not a text
              --> config/objects.yaml:5:5
              |
            5 |   - just a text
              |     ^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn a_doubled_object_names_both_places() {
    shows(
        r#"security:
  - { name: a, type: basic, username: u, password: "${env.P}" }
  - { name: a, type: api_key, key: "${env.K}" }
"#,
        expect![[r#"
            error[KL-C104]: security.api_key 'a' is defined twice: first at config/objects.yaml:2:13
              --> config/objects.yaml:3:13
              |
            3 |   - { name: a, type: api_key, key: "${env.K}" }
              |             ^
               = help: Rename or remove one of them.
        "#]],
    );
}

#[test]
fn an_unknown_key_has_a_suggestion() {
    shows(
        r"channels:
  - name: a
    service: x.y
    http: { path: /a, methodes: [GET] }
    format: json
    security: none
    rate_limits: { limit: 1, per: 1s }
",
        expect![[r#"
            error[KL-C101]: channel.http a: unknown key 'http.methodes'
              --> config/objects.yaml:4:23
              |
            4 |     http: { path: /a, methodes: [GET] }
              |                       ^^^^^^^^
               = help: Did you mean `methods`?

            error[KL-C101]: channel.http a: unknown key 'rate_limits'
              --> config/objects.yaml:7:5
              |
            7 |     rate_limits: { limit: 1, per: 1s }
              |     ^^^^^^^^^^^
               = help: Did you mean `rate_limit`?
        "#]],
    );
}

#[test]
fn an_unknown_key_far_from_all_lists_them() {
    shows(
        r"outgoing:
  http:
    - name: a
      url: http://h
      tls: { ca_bundle_of_mine: x }
",
        expect![[r#"
            error[KL-C101]: outgoing.http a: unknown key 'tls.ca_bundle_of_mine'
              --> config/objects.yaml:5:14
              |
            5 |       tls: { ca_bundle_of_mine: x }
              |              ^^^^^^^^^^^^^^^^^
               = help: Known keys: verify.
        "#]],
    );
}

#[test]
fn wrong_types_are_all_named() {
    shows(
        r#"channels:
  - name: a
    service: 7
    http: /a
    format: json
    security: none
    rate_limit: { limit: many, per: 1s }
    soap: { version: [1.1, "1.2"] }
    enabled: yes
"#,
        expect![[r#"
            error[KL-C102]: channel.http a: 'service' must be a text, not the number 7
              --> config/objects.yaml:3:14
              |
            3 |     service: 7
              |              ^
               = help: Quote it to make it a text.

            error[KL-C102]: channel.http a: 'http' must be a map, not '/a'
              --> config/objects.yaml:4:11
              |
            4 |     http: /a
              |           ^^

            error[KL-C102]: channel.http a: 'rate_limit.limit' must be an integer, not 'many'
              --> config/objects.yaml:7:26
              |
            7 |     rate_limit: { limit: many, per: 1s }
              |                          ^^^^

            error[KL-C102]: channel.http a: 'soap.version.0' must be a text, not the number 1.1
              --> config/objects.yaml:8:23
              |
            8 |     soap: { version: [1.1, "1.2"] }
              |                       ^^^
               = help: Quote it to make it a text.

            error[KL-C102]: 'enabled' must be true or false, not a text
              --> config/objects.yaml:9:14
              |
            9 |     enabled: yes
              |              ^^^
        "#]],
    );
}

#[test]
fn yes_is_not_true() {
    shows(
        r"jobs:
  - { name: a, service: x, every: 1h, run_at_start: yes }
",
        expect![[r#"
            error[KL-C102]: job a: 'run_at_start' must be true or false, not 'yes'
              --> config/objects.yaml:2:53
              |
            2 |   - { name: a, service: x, every: 1h, run_at_start: yes }
              |                                                     ^^^
               = help: Write `true`.
        "#]],
    );
}

#[test]
fn quantities_need_units() {
    shows(
        r"jobs:
  - { name: a, service: x, every: 60, timeout: 5 sec }
",
        expect![[r#"
            error[KL-C102]: job a: 'every' must be a duration, not the number 60
              --> config/objects.yaml:2:35
              |
            2 |   - { name: a, service: x, every: 60, timeout: 5 sec }
              |                                   ^^
               = help: Write the unit: `60s` or `60ms`.

            error[KL-C106]: job a: 'timeout' must be a duration, not '5 sec'
              --> config/objects.yaml:2:48
              |
            2 |   - { name: a, service: x, every: 60, timeout: 5 sec }
              |                                                ^^^^^
               = help: Write 250ms, 30s, 5m, 1h or 2d.
        "#]],
    );
}

#[test]
fn missing_keys_are_all_named() {
    shows(
        r"channels:
  - name: a
    http: {}
    format: json
security:
  - { name: b, type: basic }
",
        expect![[r#"
            error[KL-C103]: channel.http a: key 'service' is missing
              --> config/objects.yaml:2:11
              |
            2 |   - name: a
              |           ^
               = help: Add `service: …`.

            error[KL-C103]: channel.http a: key 'security' is missing
              --> config/objects.yaml:2:11
              |
            2 |   - name: a
              |           ^
               = help: Add `security: …`.

            error[KL-C103]: channel.http a: key 'http.path' is missing
              --> config/objects.yaml:3:5
              |
            3 |     http: {}
              |     ^^^^
               = help: Add `path: …`.

            error[KL-C103]: security.basic b: key 'username' is missing
              --> config/objects.yaml:6:13
              |
            6 |   - { name: b, type: basic }
              |             ^
               = help: Add `username: …`.

            error[KL-C103]: security.basic b: key 'password' is missing
              --> config/objects.yaml:6:13
              |
            6 |   - { name: b, type: basic }
              |             ^
               = help: Add `password: …`.
        "#]],
    );
}

#[test]
fn a_value_outside_an_enum_lists_the_choices() {
    shows(
        r"channels:
  - name: a
    service: x.y
    http: { path: / }
    format: jsn
    security: none
jobs:
  - { name: a, service: x, every: 1h, overlap: skipp }
outgoing:
  http:
    - { name: o, url: http://h, retry: { attempts: 3, backoff: 1s, when: [conect, 502, 99999] } }
",
        expect![[r#"
            error[KL-C106]: channel.http a: 'format' must be one of json, xml, soap, not 'jsn'
              --> config/objects.yaml:5:13
              |
            5 |     format: jsn
              |             ^^^
               = help: Did you mean `json`?

            error[KL-C106]: job a: 'overlap' must be one of skip, queue, allow, not 'skipp'
              --> config/objects.yaml:8:48
              |
            8 |   - { name: a, service: x, every: 1h, overlap: skipp }
              |                                                ^^^^^
               = help: Did you mean `skip`?

            error[KL-C106]: outgoing.http o: 'retry.when.0' must be one of connect, timeout, not 'conect'
              --> config/objects.yaml:11:75
               |
            11 |     - { name: o, url: http://h, retry: { attempts: 3, backoff: 1s, when: [conect, 502, 99999] } }
               |                                                                           ^^^^^^
               = help: Did you mean `connect`?

            error[KL-C106]: outgoing.http o: 'retry.when.2' must be from 0 to 65535, not the number 99999
              --> config/objects.yaml:11:88
               |
            11 |     - { name: o, url: http://h, retry: { attempts: 3, backoff: 1s, when: [conect, 502, 99999] } }
               |                                                                                        ^^^^^
        "#]],
    );
}

#[test]
fn a_number_outside_its_bounds_is_named() {
    shows(
        r"channels:
  - name: a
    service: x.y
    http: { path: /, port: 70000 }
    format: json
    security: none
    rate_limit: { limit: -1, per: 1s }
",
        expect![[r#"
            error[KL-C106]: channel.http a: 'http.port' must be from 0 to 65535, not the number 70000
              --> config/objects.yaml:4:28
              |
            4 |     http: { path: /, port: 70000 }
              |                            ^^^^^

            error[KL-C106]: channel.http a: 'rate_limit.limit' must be from 0 to 4294967295, not the number -1
              --> config/objects.yaml:7:26
              |
            7 |     rate_limit: { limit: -1, per: 1s }
              |                          ^^
        "#]],
    );
}

#[test]
fn a_reference_to_nothing_has_a_suggestion() {
    shows(
        r#"security:
  - { name: client1, type: api_key, key: "${env.K:-k}" }
channels:
  - name: a
    service: x.y
    http: { path: / }
    format: json
    security: cliemt1
outgoing:
  http:
    - { name: o, url: http://h, security: somebody-else }
"#,
        expect![[r#"
            error[KL-C105]: channel.http a: 'security': there is no security named 'cliemt1'
              --> config/objects.yaml:8:15
              |
            8 |     security: cliemt1
              |               ^^^^^^^
               = help: Did you mean `client1`?

            error[KL-C105]: outgoing.http o: 'security': there is no security named 'somebody-else'
              --> config/objects.yaml:11:43
               |
            11 |     - { name: o, url: http://h, security: somebody-else }
               |                                           ^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn the_kinds_own_faults_find_their_place() {
    shows(
        r#"security:
  - name: a
    type: wss
    username: u
    password: "${env.P:-p}"
    passwords: []
outgoing:
  http:
    - name: o
      url: ftp://h
jobs:
  - name: j
    service: x
"#,
        expect![[r#"
            error[KL-C106]: security.wss a: `passwords` must not be empty
              --> config/objects.yaml:6:16
              |
            6 |     passwords: []
              |                ^
               = help: Write `passwords: [digest]`.

            error[KL-C106]: outgoing.http o: `url` must begin with http:// or https://, not 'ftp://h'
              --> config/objects.yaml:10:12
               |
            10 |       url: ftp://h
               |            ^^^^^^^

            error[KL-C106]: job j: a job needs exactly one of `every` and `cron`
              --> config/objects.yaml:12:11
               |
            12 |   - name: j
               |           ^
        "#]],
    );
}

#[test]
fn an_unset_variable_names_its_place() {
    shows(
        r#"outgoing:
  http:
    - name: o
      url: ${env.TREASURY_URL}
      headers: { A: "${enf.X}", B: "${secret.b}", C: "${dev.other}" }
"#,
        expect![[r#"
            error[KL-C207]: outgoing.http o: environment variable 'TREASURY_URL' is not set
              --> config/objects.yaml:4:12
              |
            4 |       url: ${env.TREASURY_URL}
              |            ^^^^^^^^^^^^^^^^^^^
               = help: Set it, or give a default: `${env.TREASURY_URL:-…}`.

            error[KL-C106]: outgoing.http o: placeholder '${enf.X}' is not understood
              --> config/objects.yaml:5:21
              |
            5 |       headers: { A: "${enf.X}", B: "${secret.b}", C: "${dev.other}" }
              |                     ^^^^^^^^^^
               = help: Did you mean `env.`?

            error[KL-C207]: outgoing.http o: secret 'b' is not set
              --> config/objects.yaml:5:36
              |
            5 |       headers: { A: "${enf.X}", B: "${secret.b}", C: "${dev.other}" }
              |                                    ^^^^^^^^^^^^^
               = help: Set the environment variable KLADKA_SECRET_B.

            error[KL-C207]: outgoing.http o: '${dev.other}' has a value in `kladka dev` only
              --> config/objects.yaml:5:54
              |
            5 |       headers: { A: "${enf.X}", B: "${secret.b}", C: "${dev.other}" }
              |                                                      ^^^^^^^^^^^^^^
               = help: Keep it in config/objects.dev.yaml; `dev.partner` is the one there is.
        "#]],
    );
}

#[test]
fn an_unset_secret_is_a_warning() {
    shows(
        r#"security:
  - { name: a, type: api_key, key: "${env.KLADKA_CLIENT1_KEY}" }
"#,
        expect![[r#"
            no errors, warnings:
            error[KL-C207]: security.api_key a: environment variable 'KLADKA_CLIENT1_KEY' is not set
              --> config/objects.yaml:2:36
              |
            2 |   - { name: a, type: api_key, key: "${env.KLADKA_CLIENT1_KEY}" }
              |                                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^
               = help: Set it; until then the object refuses every caller.
        "#]],
    );
}

#[test]
fn a_filled_value_is_checked_and_shown_as_written() {
    shows(
        r#"channels:
  - name: a
    service: x.y
    http: { path: /, port: "${env.PORT}" }
    format: json
    security: none
  - name: b
    service: x.y
    http: { path: /, port: "${env.WORD}" }
    format: ${env.WORD}
    security: none
"#,
        expect![[r#"
            error[KL-C102]: channel.http b: 'http.port' must be an integer, not '${env.WORD}'
              --> config/objects.yaml:9:28
              |
            9 |     http: { path: /, port: "${env.WORD}" }
              |                            ^^^^^^^^^^^^^

            error[KL-C106]: channel.http b: 'format' must be one of json, xml, soap, not '${env.WORD}'
              --> config/objects.yaml:10:13
               |
            10 |     format: ${env.WORD}
               |             ^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn no_secret_is_shown() {
    shows(
        r"security:
  - { name: a, type: basic, username: u, password: hunter2, relm: x }
  - { name: b, type: basic, username: u, password: 12345 }
  - name: c
    type: api_key
    key: hunter3
    headr: x
",
        expect![[r#"
            error[KL-C101]: security.basic a: unknown key 'relm'
              --> config/objects.yaml:2:61
              |
            2 |   - { name: a, type: basic, username: u, password: •••••••, relm: x }
              |                                                             ^^^^
               = help: Did you mean `realm`?

            error[KL-C102]: security.basic b: 'password' must be a text, not what is written
              --> config/objects.yaml:3:52
              |
            3 |   - { name: b, type: basic, username: u, password: ••••• }
              |                                                    ^^^^^
               = help: Quote it to make it a text.

            error[KL-C101]: security.api_key c: unknown key 'headr'
              --> config/objects.yaml:7:5
              |
            7 |     headr: x
              |     ^^^^^
               = help: Did you mean `header`?
        "#]],
    );
}

#[test]
fn numbers_that_would_change_are_refused() {
    shows(
        r"jobs:
  - { name: a, service: x, every: 1h, payload: { account: 007, big: 18446744073709551616, not: .nan } }
",
        expect![[r#"
            error[KL-C102]: '007' begins with a zero that a number would lose
              --> config/objects.yaml:2:59
              |
            2 |   - { name: a, service: x, every: 1h, payload: { account: 007, big: 18446744073709551616, not: .nan } }
              |                                                           ^^^
               = help: Quote it if a text is meant, write it as a plain number otherwise.

            error[KL-C102]: '18446744073709551616' does not fit into 64 bits
              --> config/objects.yaml:2:69
              |
            2 |   - { name: a, service: x, every: 1h, payload: { account: 007, big: 18446744073709551616, not: .nan } }
              |                                                                     ^^^^^^^^^^^^^^^^^^^^
               = help: Quote it if a text is meant, write it as a plain number otherwise.

            error[KL-C102]: '.nan' is not a finite number
              --> config/objects.yaml:2:96
              |
            2 |   - { name: a, service: x, every: 1h, payload: { account: 007, big: 18446744073709551616, not: .nan } }
              |                                                                                                ^^^^
               = help: Quote it if a text is meant, write it as a plain number otherwise.
        "#]],
    );
}

#[test]
fn settings_of_services_are_checked() {
    shows(
        r"services:
  linuxjournal.get-rate: { timeout: 2s, cpu: 100 }
  bad name: {}
  other: [1]
",
        expect![[r#"
            error[KL-C102]: service linuxjournal.get-rate: 'cpu' must be a duration, not the number 100
              --> config/objects.yaml:2:46
              |
            2 |   linuxjournal.get-rate: { timeout: 2s, cpu: 100 }
              |                                              ^^^
               = help: Write the unit: `100s` or `100ms`.

            error[KL-C106]: 'bad name' is not a name
              --> config/objects.yaml:3:3
              |
            3 |   bad name: {}
              |   ^^^^^^^^
               = help: Use 1 to 128 of A-Z a-z 0-9 . _ -.

            error[KL-C102]: service 'other' must be a map, not a list
              --> config/objects.yaml:4:10
              |
            4 |   other: [1]
              |          ^
        "#]],
    );
}
