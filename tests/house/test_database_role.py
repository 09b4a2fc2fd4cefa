"""Row security only protects when the role obeys it: the tests themselves run as the ordinary role."""

from __future__ import annotations

import pytest
from django.db import connection, connections


@pytest.mark.django_db
def test_tests_run_as_an_ordinary_role() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("gridloop_app", False, False, False)


@pytest.mark.django_db(databases=["default", "owner"])
def test_owner_is_another_role_without_superuser() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("gridloop_owner", False)


@pytest.mark.django_db
def test_database_sorts_by_code_point_in_utf8() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datcollate, pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()")
        assert cursor.fetchone() == ("C.UTF-8", "UTF8")
