"""Print the OpenAPI document of this source tree; needs no database. ``npm run api`` in web/ makes the front end's types from it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gridloop.project.settings")
django.setup()

from gridloop.doors.http.api import api  # noqa: E402  # only importable once Django is set up

json.dump(api.get_openapi_schema(path_prefix="/api/v1/"), sys.stdout, ensure_ascii=False, indent=1, sort_keys=True)
