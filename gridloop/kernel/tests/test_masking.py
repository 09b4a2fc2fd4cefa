"""What looks like a secret is covered in every line, and what does not is left readable."""

from __future__ import annotations

import pytest

from gridloop.kernel.masking import mask_event, masked

SECRET = "s3cretvalue_0123456789-abcdefgh"


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {SECRET}",
        f"Authorization: Basic {SECRET}",
        f"token gl_{SECRET} is over",
        f"GET /track/990101?key={SECRET}&x=1",
        f"/api/v1/evidence/1?a=b&pass={SECRET}",
        f"/login/city/callback/?code={SECRET}&state={SECRET}",
        f"{{'password': '{SECRET}', 'login': 'operator'}}",
        f'{{"oldpassword":"{SECRET}"}}',
        f"password={SECRET}&login=operator",
        f"Cookie: sessionid={SECRET}; csrftoken={SECRET}",
        f"connect postgresql://gridloop_app:{SECRET}@127.0.0.1:5432/gridloop failed",
    ],
)
def test_covered(line: str) -> None:
    assert SECRET not in masked(line)
    assert "***" in masked(line)


@pytest.mark.parametrize("line", ["POST /api/v1/tasks/accept 409", "case 990101 closed", "keyboard=cn", "passed 3 of 4", "monkey=1"])
def test_left_readable(line: str) -> None:
    assert masked(line) == line


def test_structured_lines() -> None:
    event = mask_event(None, "info", {"event": f"x ?key={SECRET}", "password": SECRET, "case": "990101", "n": 3})
    assert event == {"event": "x ?key=***", "password": "***", "case": "990101", "n": 3}


def test_what_stands_inside() -> None:
    event = mask_event(None, "error", {"exception": {"told": f"?key={SECRET}", "token": SECRET, "frames": [f"/x?pass={SECRET}"]}})
    assert SECRET not in str(event)
