"""The words of the reference that stand in no other place: what a setting means, facts outside of cases, the doors beside the API."""

from __future__ import annotations

GROUPS = {
    "deployment": "The deployment",
    "people": "People and notices",
    "signals": "Signals",
    "tests": "Tests and tools",
    "up": "Made by `gridloop up`",
}

# name: (group, meaning). A star stands for the kind in a name that is put together.
SETTINGS: dict[str, tuple[str, str]] = {
    "DATABASE_URL": ("deployment", "PostgreSQL ≥ 15 instead of the embedded one; a role with CREATEROLE and CREATEDB, or a superuser"),
    "NATS_URL": ("deployment", "a NATS server with JetStream and MQTT instead of the embedded one"),
    "GRIDLOOP_DATA_DIR": ("deployment", "the data folder; the same as `--data-dir`. Default: `var/data` of the checkout"),
    "GRIDLOOP_HOSTS": ("deployment", "further host names the product is called by, comma separated (`up` adds its own)"),
    "GRIDLOOP_PUBLIC_URL": ("deployment", "the address people use, when a proxy of yours stands before the port; stands in notices"),
    "GRIDLOOP_PROXIES": ("deployment", "trusted proxies in front of `web`; 2 with a proxy of yours"),
    "GRIDLOOP_MQTT_LISTEN": ("deployment", "address of the MQTT door. Default: 127.0.0.1:1883, or a free port when that is taken"),
    "GRIDLOOP_MQTT_CERT": ("deployment", "PEM file of a certificate (and its chain): the MQTT door then speaks TLS only; none by default"),
    "GRIDLOOP_MQTT_KEY": ("deployment", "PEM file of its key"),
    "GRIDLOOP_SAMPLE_SCALE": ("deployment", "(0–1]: load fewer people and devices of the sample county"),
    "GRIDLOOP_METRICS_FROM": (
        "deployment",
        "networks that may read `/metrics` besides this machine, such as `10.3.0.0/16`, comma separated; none by default",
    ),
    "GRIDLOOP_LOG_FORMAT": ("deployment", "`json`: every line is a JSON object, see [deploy](../deploy.md#lines-of-the-log)"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": (
        "deployment",
        "where traces go over OTLP/HTTP, such as `http://127.0.0.1:4318`; the library's other `OTEL_…` variables hold, too",
    ),
    "NOTIFY_SOCKET": ("up", "where systemd hears that everything answers (`Type=notify`); set by it"),
    "NO_COLOR": ("deployment", "anything: no colours in the supervisor's lines"),
    "GRIDLOOP_OIDC_ISSUER": ("people", "address of the city's identity provider (OpenID Connect); none by default"),
    "GRIDLOOP_OIDC_CLIENT_ID": ("people", "how it knows us"),
    "GRIDLOOP_OIDC_CLIENT_SECRET": ("people", "the secret it gave us"),
    "GRIDLOOP_OIDC_NAME": ("people", "the words on its button"),
    "GRIDLOOP_OIDC_CLAIM": ("people", "which of its claims names an account at the first log-in"),
    "GRIDLOOP_OIDC_MATCH": ("people", "what the claim is: `username` of an account, or `staff` code of its person"),
    "GRIDLOOP_OUTGOING_HOSTS": (
        "people",
        "hosts of the house's own network that notices and assistants may call, as `host` or `host:port`, comma separated",
    ),
    "GRIDLOOP_REPORTS_PER_MINUTE": ("people", "reports one address may send in a minute without an account; `0`: no limit"),
    "GRIDLOOP_REQUIRE_MFA_ROLES": (
        "people",
        "roles that must use a second factor, such as `operator,duty_commander,admin,security_officer,auditor`, or `none`. Default: "
        "`admin,auditor,security_officer` (those with rights over accounts, tokens and the security log), in a sample deployment `none`",
    ),
    "GRIDLOOP_SCANNER": (
        "people",
        "what looks at uploaded files for malware, as `clamd:/run/clamav/clamd.ctl` or `clamd:HOST:PORT`; none by default",
    ),
    "GRIDLOOP_SCANNER_DOWN": ("people", "while it does not answer: `refuse` files until it does (503), or `take` them unseen"),
    "GRIDLOOP_CHANNEL_*": (
        "people",
        "`SMS`, `APP`, `VOICE`, `EMAIL`, `SPEAKER`, `CONTROL`: adapter and address of this kind of notice; default `file:` (see below)",
    ),
    "GRIDLOOP_RIGHTS_SECONDS": ("people", "seconds until an open screen is closed whose right to see was taken away"),
    "GRIDLOOP_QUIET_HOURS": ("people", "hours in which people at home get no text message or call"),
    "GRIDLOOP_ASSISTANT": ("people", "a language model that drafts summaries and replies, as `openai:BASE-URL#MODEL`; none by default"),
    "GRIDLOOP_ASSISTANT_KEY": ("people", "its key, if it wants one"),
    "GRIDLOOP_PLATFORM": ("people", "how the house signs its messages"),
    "GRIDLOOP_TOKEN": ("signals", "API token of `gridloop gateway` when its settings name no `token_file`"),
    "GRIDLOOP_SIGNAL_PARTITIONS": ("signals", "partitions of the signal log, 1 to 1024; may be raised at any time"),
    "GRIDLOOP_SIGNALS_LOG": (
        "signals",
        "where signals are kept: `postgres`, the database, or `jetstream`, NATS servers ([deploy](../deploy.md#more-machines))",
    ),
    "GRIDLOOP_SIGNALS_SERVERS": ("signals", "these servers, `nats://a:4222,nats://b:4222,nats://c:4222`"),
    "GRIDLOOP_SIGNALS_REPLICAS": ("signals", "on how many of them each batch lies: 1, 3 or 5; 3 from three servers on"),
    "GRIDLOOP_SIGNALS_DOMAIN": ("signals", "JetStream domain of a town's leaf node"),
    "GRIDLOOP_SIGNALS_TOWNS": ("signals", "domains of the towns whose logs this deployment takes over"),
    "GRIDLOOP_SIGNALS_CREDENTIALS": ("signals", "NATS credentials file, if the servers want one"),
    "GRIDLOOP_SIGNALS_PREFIX": ("signals", "first part of the streams' names; another one for each deployment on the same servers"),
    "GRIDLOOP_ALARMS_AN_HOUR": (
        "signals",
        "alarms a detector may tell in an hour; one that would tell more is held back until somebody has looked",
    ),
    "JAVA_HOME": ("signals", "`gridloop detect --engine`: where Java lies when it is not on the `PATH`"),
    "GRIDLOOP_DETECTION": (
        "signals",
        "`numba`: detectors run in compiled loops, in the worker and in `gridloop detect`; the alarms are the same. Needs `pip install "
        "--require-hashes -r requirements/numba.txt` and some 100 MB more in the worker",
    ),
    "GRIDLOOP_LOG_HOURS": ("signals", "how long the log keeps what every consumer has behind it"),
    "GRIDLOOP_HISTORY_DAYS": ("signals", "how long the Parquet history of readings is kept"),
    "GRIDLOOP_KEEP_DAYS": (
        "people",
        "how long kinds of data are kept, as `looks=400,visits=14`; the kinds stand in [deploy](../deploy.md#how-long-things-are-kept)",
    ),
    "GRIDLOOP_TEST_DATABASE_URL": ("tests", "run the tests on this server instead of the embedded one"),
    "GRIDLOOP_DATA": ("tests", "folder with the evaluation data; without it the tests marked `shared_data` are left out"),
    "GRIDLOOP_URL": ("tests", "the running product that the front end's development server talks to"),
    "PROMETHEUS_MULTIPROC_DIR": ("up", "where a process keeps its figures: `run/metrics/<host>` of the data folder"),
    "GRIDLOOP_APP_URL": ("up", "database as the ordinary role: row security binds it"),
    "GRIDLOOP_OWNER_URL": ("up", "database as its owner: for `prepare`, `migrate` and administrators' commands only, never for a child"),
    "GRIDLOOP_INGEST_URL": ("up", "database as the role that appends to the signal log"),
    "GRIDLOOP_NATS_URL": ("up", "NATS as the ingest process sees it"),
    "GRIDLOOP_FACTOR_KEY": (
        "deployment",
        "key that seals the secrets of authenticators in the database; of several, comma separated, the first seals and each opens. "
        "Default: made by the first start and kept in `secrets.json`; `web` and `worker` on other machines need the same",
    ),
    "GRIDLOOP_SECRET_KEY": ("up", "key of sessions; kept in `secrets.json`"),
    "GRIDLOOP_SAMPLE": ("up", "`1` in a sample deployment: role buttons, moving clock and banner are allowed"),
    "GRIDLOOP_ORIGINS": ("up", "origins whose forms are taken (CSRF)"),
    "GRIDLOOP_HTTPS": ("up", "`1` with `--lan` or behind your proxy: cookies for HTTPS only"),
    "GRIDLOOP_STRICT_TRANSPORT": ("up", "`1` behind your HTTPS proxy: browsers are told to use HTTPS only, for a year"),
    "GRIDLOOP_WORKER_HINT": ("up", "UDP ports on 127.0.0.1, comma separated, where workers hear that signals have come"),
    "GRIDLOOP_PUSH_HINT": ("up", "UDP ports on 127.0.0.1, comma separated, where push processes hear that something was committed"),
    "GRIDLOOP_PROCESS": ("up", "name of the process, shown by the database"),
    "GRIDLOOP_CONNECT_SECONDS": ("up", "how long to wait for a database connection"),
}

# Facts outside of a case: they are read by administrators, so no screen has a sentence for them.
FACTS: dict[str, tuple[str, str]] = {
    "retention_applied": ("到期数据清除", "What was kept long enough was removed: how many of each kind"),
    "absence_recorded": ("登记住户外出", "A household told that nobody is at home"),
    "absence_ended": ("住户外出结束", "A household is back"),
    "accounts_loaded": ("批量开通账号", "Accounts loaded"),
    "assignment_ended": ("网格任职结束", "Assignment to a region ended"),
    "calendar_edited": ("工作日历调整", "Working calendar edited"),
    "calendar_seeded": ("工作日历初始化", "Working calendar filled from the holiday table"),
    "device_added": ("设备登记", "Device added"),
    "device_changed": ("设备信息变更", "Device changed"),
    "device_secret_issued": ("设备凭据签发", "Secret of a device issued"),
    "device_secrets_revoked": ("设备凭据吊销", "Secrets of a device revoked"),
    "device_status": ("设备状态变化", "Status of a device changed"),
    "pack_installed": ("场景包安装", "Scene pack installed"),
    "pack_switched": ("场景包启停", "Scene pack switched"),
    "rehearsal_asked": ("预警规则试运行", "Rehearsal of detectors asked for"),
    "rehearsal_cancelled": ("试运行取消", "Rehearsal cancelled"),
    "detectors_published": ("预警规则发布", "Detectors published"),
    "proposal_decided": ("处理预警建议", "Proposal accepted or put aside"),
    "person_erased": ("人员信息删除", "Person erased"),
    "personal_data_erased": ("密封信息删除", "Sealed values erased"),
    "records_loaded": ("批量导入", "Records loaded"),
    "cases_imported": ("导入历史事件", "Historic cases imported"),
    "region_created": ("区划新建", "Region created"),
    "duty_ended": ("职责终止", "Duty of a unit ended"),
    "duty_given": ("职责赋予", "Duty given to a unit"),
    "region_merged": ("区划合并", "Regions merged"),
    "region_redrawn": ("区划边界调整", "Outline of a region redrawn"),
    "region_renamed": ("区划更名", "Region renamed"),
    "region_retired": ("区划撤销", "Region retired"),
    "region_split": ("区划拆分", "Region split"),
    "roster_set": ("排班", "Roster set"),
    "detector_held": ("预警规则因预警过多暂停", "Detector held back: too many alarms"),
    "detector_set_aside": ("预警规则出错搁置", "Detector set aside: it cannot go on"),
    "detector_tried_again": ("预警规则再次启用", "Detector tried again"),
    "detector_released": ("预警规则恢复", "Detector released"),
    "signals_erased": ("信号数据删除", "Signals erased"),
    "staff_added": ("人员登记", "Person added to the staff"),
    "staff_changed": ("人员信息变更", "Person of the staff changed"),
    "staff_left": ("人员离职", "Person left the staff"),
    "staff_returned": ("人员复职", "Person came back to the staff"),
    "unit_added": ("单位登记", "Unit added"),
    "unit_changed": ("单位信息变更", "Unit changed"),
    "unit_restored": ("单位恢复", "Unit back in service"),
    "unit_retired": ("单位停用", "Unit out of service"),
    "staff_assigned": ("网格任职", "Staff assigned to a region"),
    "working_hours_set": ("工作时间设置", "Working hours set"),
}

ACCOUNTS = """\
The system itself (`SYSTEM`, jobs of the worker) may do everything; a caller without an account (`PUBLIC`) may report and follow a report.
An API token has scopes: `all`, a permission, or the part before its dot such as `signals`.

A permission holds in the territory or units of the grant that gives it, nowhere else: operator of a town and leader of the county takes
in the town's cases and reads the county's ([why](../decisions/0012-bound-to-the-grant.md)). The desk's verbs belong to the desk that
holds a case and those above it. An administrator changes the organisation, accounts and calendar of the own territory.
Roles are given by the security officer, and what both did is read by the auditor: [three people](../decisions/0014-three-officers.md).

Names, numbers, plates, contacts and the numbers in people's words are masked. `?purpose=` (one of the list) and `reason` open them
where `people.unmask` is held: people, enterprises, vehicles, units, staff, `/cases/{code}/reporter`, `/cases/{code}/trace`. The look is
written down before anything is shown. A report's `source` is one the account's role stands for; the public is always a citizen.
"""

DOORS = """\
JSON in UTF-8, times RFC 3339 with zone, coordinates WGS 84. Machines send `Authorization: Bearer TOKEN` (`gridloop token USERNAME`, or for
a machine account a security officer's `POST /users/{id}/tokens`), browsers their session cookie and, on unsafe requests, the CSRF token. An
unsafe request may carry `Idempotency-Key`: the same key and body get the kept answer for a day. Errors: [errors.md](errors.md). The
machine-readable form is `GET /api/v1/openapi.json`. Who may call what: [permissions.md](permissions.md).

## Doors beside the API

| call | meaning |
|---|---|
| `POST /api/v1/signals` | One object, an array or NDJSON, gzip allowed: `{"id", "source", "device", "kind", "at", "value"?, "place"?, \
"data"?}`. 202 only when durable: `{"accepted", "duplicates", "rejected": [{"index", "error", "pointer"}]}`. \
Bearer token with `signals.write`, or Basic with device code and secret |
| `GET /api/v1/live` | Server-sent events: `case`, `task`, `reset` (read afresh), `stale`, `fresh` (database away, back). \
Resume with `Last-Event-ID` |
| `GET /track/{case}?key=…` | The reporter's page; as JSON with `Accept: application/json` |
| `POST /track/{case}/rate?key=…` | `{"stars", "note"?}`: once, after closing |
| `POST /track/{case}/urge?key=…` | The reporter asks how long it still takes |
| `/_allauth/browser/v1/…` | Log-in, second factor and sessions for browsers |
| `GET /healthz`, `GET /readyz` | Alive; able to work (database, devices' door) |
| MQTT `gridloop/v1/{device}/{kind}` | An item as above or a bare number; user = device code, password = its secret; own topics only. \
QoS 1 is kept once acknowledged |

More: [signals.md](signals.md), [notices.md](notices.md), [cockpit.md](cockpit.md).

"""

INTROS = {
    "commands": """\
The program is `.venv/bin/gridloop` (the virtual environment's). Every command has `--help`, ends with one clear line and a status
other than 0 when something is wrong, and finds its deployment by `--data-dir` or `GRIDLOOP_DATA_DIR`. More on two of them:
[import](import.md), [packs](packs.md). Settings: [settings.md](settings.md).

""",
    "settings": """\
Everything is set by environment variables, read when a process starts. `gridloop up` makes those of the last group itself and hands
them to its children; set them by hand only when you run the processes one by one ([deploy](../deploy.md)).

""",
    "facts": """\
A fact is one entry of the trace: `chain, seq, at, actor, action, data, previous_hash, hash`. The hash is SHA-256 over the canonical
JSON (RFC 8785) of the fact without `hash`; the first `previous_hash` of a chain is 64 zeros. `data` holds ids, codes and figures. A
free text or personal value stands in it as `{sealed, commitment}`; the value lies beside the trace and can be erased.

""",
    "permissions": """\
A grant is a role over a territory (a region code and everything below it) and, for department people, a unit with everything below it.
What each operation answers to each kind of caller: [`tests/access/permissions.yaml`](../../tests/access/permissions.yaml).

""",
    "errors": """\
A refusal is an RFC 9457 document: `type` = `urn:gridloop:<key>`, `title`, `status`, `detail` and `errors[]` (`pointer`, `message`), in
the language of the account or of `Accept-Language`. 409 lists in `allowed` what may be done now; 429 and 503 say `Retry-After`. “part”
= stands inside `errors[]`, a file check or a page.

""",
    "processes": """\
BPMN 2.0 files in `processes/`; conditions are CEL, script tasks are refused. A performer is a duty (`duty:intake`), the lead unit or a
supporting unit, never a named department. A stage names the limit in a pack's `limits.yaml`. How packs use them: [packs.md](packs.md).

""",
}
