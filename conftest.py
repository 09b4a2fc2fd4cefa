"""One PostgreSQL per test run, with the product's roles: migrations run as the owner, tests as the ordinary app role.

``GRIDLOOP_TEST_DATABASE_URL`` (a role that may create roles and databases) uses that server instead of the embedded one.
"""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from pytest_django import DjangoDbBlocker
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from gridloop.doors.cli.database import APP, INGEST, OWNER, Urls, ensure_database, ensure_roles, migrate, with_login
from gridloop.doors.cli.postgres import EmbeddedPostgres, new_password, os_user

pytest_plugins = ["gridloop.simulation.county.testkit"]  # the fixture ``small_county``
_SERVER, _PASSWORD = "GRIDLOOP_TEST_SERVER", "GRIDLOOP_TEST_PASSWORD"
_MADE = "GRIDLOOP_TEST_MADE"  # folder of deployments that had their first start in this run, for all its workers (tests/house/product.py)
_embedded: list[EmbeddedPostgres] = []
_folders: list[Path] = []
_deselected = 0


def _server() -> str:
    """URL of a role that may do everything. Every xdist worker has a server of its own: an open transaction holds back the snapshot

    horizon of its whole server, and with it the trace's consumers under test in another worker's database.
    """
    if given := os.environ.get("GRIDLOOP_TEST_DATABASE_URL") or os.environ.get(_SERVER):
        return given
    folder = Path(tempfile.mkdtemp(prefix="gl-test-"))
    server = EmbeddedPostgres(folder / "pg", new_password(), fast=True)
    server.prepare()
    server.start()
    _embedded.append(server)
    os.environ[_SERVER] = server.url()
    return server.url()


# A property is no race: on a crowded machine the library's own patience with an example, or with making one, says nothing of the property.
settings.register_profile("crowded", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crowded")
gc.disable()  # until all is collected: nothing of that is garbage, and no later look need go through it


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    gc.freeze()
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    if "GRIDLOOP_DATA_DIR" not in os.environ:
        _folders.append(Path(tempfile.mkdtemp(prefix="gl-data-")))
        os.environ["GRIDLOOP_DATA_DIR"] = str(_folders[0])
    if _MADE not in os.environ:
        _folders.append(Path(tempfile.mkdtemp(prefix="gl-made-")))
        os.environ[_MADE] = str(_folders[-1])
    from django.conf import settings
    from django.contrib.auth.hashers import ScryptPasswordHasher

    ScryptPasswordHasher.work_factor = 2**8  # of the tests' own process: a third of a second otherwise for each password made or tried
    settings.REQUIRE_MFA_ROLES = frozenset()  # as in a sample: what a real deployment asks for is tested where it is tested
    settings.DATA_DIR = Path(os.environ["GRIDLOOP_DATA_DIR"])  # pytest-django reads the settings before this hook
    os.environ.setdefault(_PASSWORD, secrets.token_hex(8))
    os_user()  # the account of the databases, once before the workers start theirs
    config.pluginmanager.register(_Xdist())


def pytest_unconfigure(config: pytest.Config) -> None:
    for server in _embedded:
        server.stop()
        _folders.append(server.folder.parent)
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
    _embedded.clear()
    if _deselected:
        _say_deselected(config)


@pytest.fixture(scope="session")
def database_urls() -> Iterator[Urls]:
    """The three doors into this worker's own test database, created empty and dropped at the end."""
    server, password = _server(), os.environ[_PASSWORD]
    name = f"gridloop_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    with psycopg.connect(server) as connection:
        connection.execute("SELECT pg_advisory_lock(7200)")  # workers of one run create the roles one after another
        connection.commit()
        ensure_roles(connection, {OWNER: password, APP: password, INGEST: password})
        ensure_database(connection, name)
    yield Urls(*(with_login(server, role, password, name) for role in (OWNER, APP, INGEST)))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def django_db_setup(database_urls: Urls, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """pytest-django's hook: point both aliases at the test database, migrate as owner, remember the rows migrations made."""
    from django.conf import settings
    from django.db import connections
    from django.test import TransactionTestCase

    from gridloop.project.settings import database

    os.environ.update(database_urls.environment())
    settings.INGEST_URL = database_urls.ingest
    for alias, address in (("default", database_urls.app), ("owner", database_urls.owner)):
        connections.databases[alias].update(
            {k: v for k, v in database(address).items() if k in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
        )
    admin = with_login(_server(), *_login(_server()), database=connections.databases["default"]["NAME"])
    with django_db_blocker.unblock():
        migrate()
        _remember_seed(admin)
        TransactionTestCase._fixture_teardown = lambda self: _reset(admin)  # type: ignore[attr-defined]  # the app role may not TRUNCATE
    yield
    with django_db_blocker.unblock():
        connections.close_all()


@pytest.fixture(scope="session")
def empty_tables(django_db_setup: None) -> Callable[[], None]:
    """For fixtures that commit for a whole module: puts the database back to what the migrations left."""
    from django.db import connections

    admin = with_login(_server(), *_login(_server()), database=connections.databases["default"]["NAME"])
    return lambda: _reset(admin)


def _login(url: str) -> tuple[str, str]:
    info = psycopg.conninfo.conninfo_to_dict(url)
    return str(info.get("user", "postgres")), str(info.get("password", ""))


_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'django_migrations' ORDER BY 1"


def _remember_seed(admin: str) -> None:
    with psycopg.connect(admin) as connection:
        connection.execute("CREATE SCHEMA seed")
        for (table,) in connection.execute(_TABLES).fetchall():
            name = sql.Identifier(table)
            if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name)).fetchone():
                connection.execute(sql.SQL("CREATE TABLE seed.{} AS TABLE public.{}").format(name, name))


_GUARDS = "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgenabled = 'A'"


_LARGE = 1 << 20  # bytes of a table: below, taking out its rows is cheaper than new files for it, its indexes and all that refer to it


def _reset(admin: str) -> None:
    """After a test that commits: empty every table that has rows, guards of the facts lifted, and put the migrations' rows back."""
    connection = _kept(admin)
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '20s'")
        with _unguarded(connection):
            for table, size in _filled(connection):
                emptied = sql.SQL("TRUNCATE {} CASCADE" if size > _LARGE else "DELETE FROM {}")
                connection.execute(emptied.format(sql.Identifier(table)))
            for (table,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'seed'").fetchall():
                connection.execute(
                    sql.SQL("INSERT INTO public.{0} OVERRIDING SYSTEM VALUE SELECT * FROM seed.{0}").format(sql.Identifier(table))
                )


_connections: dict[str, psycopg.Connection[Any]] = {}


def _kept(admin: str) -> psycopg.Connection[Any]:
    """A connection for the whole run: a new one would read the catalogue of every table again."""
    if admin not in _connections or _connections[admin].closed:
        _connections[admin] = psycopg.connect(admin, autocommit=True)
    return _connections[admin]


def _filled(connection: psycopg.Connection[Any]) -> list[tuple[str, int]]:
    """Tables that have rows, and how large their files are."""
    asked = [
        sql.SQL("SELECT {}, pg_relation_size({}) WHERE EXISTS (SELECT FROM {})").format(table, table, sql.Identifier(table))
        for (table,) in connection.execute(_TABLES).fetchall()
    ]
    return connection.execute(sql.SQL(" UNION ALL ").join(asked)).fetchall()


@contextmanager
def _unguarded(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """The guards of the facts lifted until the end of the transaction's work."""
    connection.execute("SET LOCAL session_replication_role = replica")
    guards = [(sql.Identifier(table), sql.Identifier(name)) for table, name in connection.execute(_GUARDS).fetchall()]
    for guard in guards:
        connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(*guard))
    yield
    for guard in guards:
        connection.execute(sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(*guard))


@pytest.fixture
def learners(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A folder of its own for what proposals learn; nothing is learned yet."""
    from gridloop.dispatch import store

    settings.DATA_DIR = tmp_path
    store.forget()
    yield tmp_path / "models"
    store.forget()


@pytest.fixture
def intruder(django_db_setup: None) -> Callable[..., None]:
    """Statements as somebody who holds the database server itself and has lifted the guards."""
    from django.db import connections

    admin = with_login(_server(), *_login(_server()), database=connections.databases["default"]["NAME"])

    def run(*statements: str) -> None:
        with psycopg.connect(admin) as connection, _unguarded(connection):
            for statement in statements:
                connection.execute(statement)

    return run


def shared_data() -> Path:
    """The evaluation data beside the checkout; tests marked ``shared_data`` need it."""
    return Path(os.environ.get("GRIDLOOP_DATA", Path(__file__).parent.parent / "shared" / "data"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs absent data."""
    global _deselected
    if shared_data().is_dir():
        return
    gone = [item for item in items if item.get_closest_marker("shared_data")]
    _deselected = len(gone)
    items[:] = [item for item in items if not item.get_closest_marker("shared_data")]
    config.hook.pytest_deselected(items=gone)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["shared_data"] = _deselected


# The longest first: the browsers' one product. Files that start products are spread among those that only compute, which use the processors
# while a product is waited for; the first of those come before, as the first product of a kind is made for all. Short files last, so that
# no worker is left alone.
ONE_PRODUCT = ("tests/e2e/", "tests/live/")  # folders whose files share a deployment
_OWN_PRODUCTS = ("tests/proof/", "tests/scenes/", "tests/house/", "tests/signals/")
_COMPUTE = "gridloop/"
_HEAD_START = 0.05


def places(files: Sequence[str]) -> dict[str, float]:
    """Where each file comes in the order of a run."""
    own = [file for folder in _OWN_PRODUCTS for file in files if file.startswith(folder)]
    compute = [file for file in files if file.startswith(_COMPUTE)]
    found = {file: n / len(compute) for n, file in enumerate(compute)}
    found |= {file: _HEAD_START + (1 - _HEAD_START) * n / len(own) for n, file in enumerate(own)}
    first, shared = ONE_PRODUCT
    return {file: -1.0 if file.startswith(first) else _HEAD_START if file.startswith(shared) else found.get(file, 1.0) for file in files}


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_order_files(items: list[pytest.Item]) -> None:
    """pytest-django puts tests without a database last, and with them all that start a product; within a file its order stays."""
    place = places(list(dict.fromkeys(_file(item.nodeid) for item in items)))
    items.sort(key=lambda item: place[_file(item.nodeid)])


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # the library has no types
    """A file's tests run in one worker, and so do all of a folder that share a deployment.

    (The plugin's own ``loadgroup`` puts names into node ids, which pytest 9 no longer takes over: every test would run anywhere.)
    """

    def _split_scope(self, nodeid: str) -> str:
        path = _file(nodeid)
        return next((folder for folder in ONE_PRODUCT if path.startswith(folder)), path)

    def _reschedule(self, node: Any) -> None:
        """A worker has one test waiting beside the one it runs (it wants to know the next), never a long file that another could begin."""
        if self.workqueue and not node.shutting_down:
            if self._pending_of(self.assigned_work[node]) < 2:
                self._assign_work_unit(node)
        else:
            super()._reschedule(node)


class _Xdist:
    """Under xdist the workers collect: take the number from them."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> ByFile:
        return ByFile(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        global _deselected
        _deselected = max(_deselected, getattr(node, "workeroutput", {}).get("shared_data", 0))


def _say_deselected(config: pytest.Config) -> None:
    """The last line of the run."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and not hasattr(config, "workerinput"):
        reporter.write_line(f"{_deselected} tests deselected: they need the evaluation data folder (GRIDLOOP_DATA), which is absent")
