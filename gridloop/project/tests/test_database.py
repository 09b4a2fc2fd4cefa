"""What an administrator says of the way to the database holds for every role and process."""

from __future__ import annotations

from gridloop.doors.cli.database import with_login
from gridloop.project.settings import database


def test_the_way_to_a_database_elsewhere_is_as_safe_as_the_address_says() -> None:
    given = "postgresql://boss:secret@db.city.example:5433/gridloop?sslmode=verify-full&sslrootcert=/etc/ssl/own%20ca.pem&connect_timeout=9"
    entry = database(with_login(given, "gridloop_app", "p/w"))
    assert (entry["HOST"], entry["PORT"], entry["USER"], entry["PASSWORD"]) == ("db.city.example", "5433", "gridloop_app", "p/w")
    assert entry["OPTIONS"]["sslmode"] == "verify-full"
    assert entry["OPTIONS"]["sslrootcert"] == "/etc/ssl/own ca.pem"
    assert "sslmode" not in database("postgresql://a:b@/gridloop?host=/tmp/socket&port=5432")["OPTIONS"]
