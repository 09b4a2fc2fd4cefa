"""The WSGI door: Django, synchronous."""

import os
from typing import cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

from gridloop.doors.http.shedding import Application, shed_late

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gridloop.project.settings")
application = shed_late(cast(Application, get_wsgi_application()))
if settings.SECRET_KEY == settings.NO_SECRET:  # sessions and links would be signed with a word everybody can read
    raise ImproperlyConfigured("GRIDLOOP_SECRET_KEY is not set")
