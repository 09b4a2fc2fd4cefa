"""Every address of the product."""

from django.urls import path

from gridloop.doors.http import pages
from gridloop.doors.http.api import api, docs, track_api
from gridloop.doors.http.health import healthz, readyz
from gridloop.doors.http.metrics import metrics

urlpatterns: list[object] = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("api/docs", docs),
    path("api/v1/", api.urls),
    path("track/", track_api.urls),
    *pages.urlpatterns,
]

handler500 = "gridloop.doors.http.api.server_error"
