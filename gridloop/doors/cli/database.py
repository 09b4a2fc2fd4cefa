"""Roles, databases and rights. Three roles: the owner migrates, the app obeys row security, ingest writes the signal log only."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from gridloop.doors.cli.loading import loading

OWNER, APP, INGEST = "gridloop_owner", "gridloop_app", "gridloop_ingest"
OLDEST = 150000  # PostgreSQL 15

# Tables the app may only add to: facts are never changed, not even by a fault of ours.
APPEND_ONLY = ("journal_fact", "journal_checkpoint")
READ_ONLY = ("django_migrations",)


class DatabaseFault(Exception):
    """A database that cannot be used, in one clear line."""


@dataclass(frozen=True)
class Urls:
    """The three doors into one database."""

    owner: str
    app: str
    ingest: str

    def environment(self) -> dict[str, str]:
        return {"GRIDLOOP_OWNER_URL": self.owner, "GRIDLOOP_APP_URL": self.app, "GRIDLOOP_INGEST_URL": self.ingest}


def with_login(url: str, user: str, password: str, database: str | None = None) -> str:
    """The same server, another role (and database)."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(user)}:{quote(password, safe='')}@{host}"
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query) if k not in ("user", "password")], quote_via=quote, safe="/")
    return urlunsplit((parts.scheme, netloc, "/" + quote(database) if database else parts.path, query, ""))


def on_database(url: str, name: str) -> str:
    """The same server and login, another database."""
    return urlunsplit(urlsplit(url)._replace(path="/" + quote(name)))


def database_name(url: str) -> str:
    return unquote(urlsplit(url).path.lstrip("/")) or "gridloop"


def refuse_old(number: int, shown: str) -> None:
    """DatabaseFault below PostgreSQL 15 (``number`` as libpq gives it: 150003 for 15.3)."""
    if number < OLDEST:
        raise DatabaseFault(f"PostgreSQL {shown} is too old: 15 or newer is needed / 需要 PostgreSQL 15 或更新版本")


def ensure_roles(connection: psycopg.Connection[Any], passwords: dict[str, str]) -> None:
    """Create the roles or give them these passwords; the URL's role must be allowed to."""
    connection.autocommit = True
    for role, password in passwords.items():
        known = connection.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        if known and known[0]:
            raise DatabaseFault(f"role {role} is a superuser or bypasses row security: refused")
        verb = sql.SQL("ALTER") if known else sql.SQL("CREATE")
        command = sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, sql.Identifier(role), sql.Literal(password))
        try:
            connection.execute(command)
        except psycopg.errors.InsufficientPrivilege as fault:
            raise DatabaseFault(
                f"DATABASE_URL's role may not create role {role}: use one with CREATEROLE ({fault.diag.message_primary})"
            ) from fault


def ensure_database(connection: psycopg.Connection[Any], name: str, owner: str = OWNER) -> bool:
    """Create the database in C.UTF-8 when missing; True when it was new."""
    connection.autocommit = True
    found = connection.execute("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [name]).fetchone()
    if found:
        return False
    me = connection.info.user
    # CREATE DATABASE … OWNER needs membership in the role; a superuser has it, a CREATEROLE role since 16 by grant
    if not _is_superuser(connection):
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(owner), sql.Identifier(me)))
    command = "CREATE DATABASE {} OWNER {} ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0"
    connection.execute(sql.SQL(command).format(sql.Identifier(name), sql.Identifier(owner)))
    return True


def _is_superuser(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    return bool(row and row[0])


def grant_app(connection: Any) -> None:
    """Rights after a migration, run as the owner: the app works on rows, appends facts. Ingest's few rights are in the signals migration.

    ``connection`` is anything with ``cursor()``: a Django connection (alias ``owner``) or psycopg's.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {APP}, {INGEST}")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP}")
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = {row[0] for row in cursor.fetchall()}
        for table in tables & set(APPEND_ONLY):
            cursor.execute(f'REVOKE UPDATE, DELETE, TRUNCATE ON "{table}" FROM {APP}')
        for table in tables & set(READ_ONLY):
            cursor.execute(f'REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON "{table}" FROM {APP}')


def continue_order(connection: Any) -> None:
    """After a restore: another server counts its transactions from elsewhere, so the offset is raised until every new fact comes after
    the restored ones and their consumers see it. Run as the owner; ``connection`` as in ``grant_app``."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE journal_offset SET value = greatest(value, 1 - pg_current_xact_id()::text::bigint + greatest("
            "(SELECT coalesce(max(tx), 0) FROM journal_fact), (SELECT coalesce(max(tx_to), 0) FROM journal_checkpoint)))"
        )


_LOCK_WAIT, _ATTEMPTS, _LOCK_NOT_AVAILABLE = "3s", 20, "55P03"


def migrate(progress: bool = False) -> None:
    """Bring the schema up to date as the owner, then give the ordinary roles their rights."""
    from django.core.management import call_command
    from django.db import OperationalError, connections

    owner = connections["owner"]
    for attempt in range(1, _ATTEMPTS + 1):
        with owner.cursor() as cursor:  # a change of a table waits in front of everybody else: rather wait again than long
            cursor.execute(f"SET lock_timeout = '{_LOCK_WAIT}'")
        try:
            call_command("migrate", database="owner", verbosity=1 if progress else 0, interactive=False)
            break
        except OperationalError as fault:
            if attempt == _ATTEMPTS or getattr(fault.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
            time.sleep(1)
    grant_app(owner)


def setup_django(urls: Urls | None = None) -> None:
    """Django for a command in this process, against these URLs or the environment's."""
    import django

    if urls:
        os.environ.update(urls.environment())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gridloop.project.settings")
    with loading():
        django.setup()
