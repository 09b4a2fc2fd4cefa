"""Tables of scenes: installed versions of packs, which never change, and where each pack is switched on or off."""

from __future__ import annotations

from django.db import models


class PackVersion(models.Model):
    """One installed state of a pack with its process; the newest row of a name is the one new cases take."""

    name = models.TextField()
    version = models.TextField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the pack and its process")
    process_digest = models.CharField(max_length=64)
    content = models.JSONField(help_text="the pack as gridloop.sdk.pack.Pack")
    tier = models.TextField()
    installed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["name", "-id"], name="scenes_pack_name_newest")]


class PackSwitch(models.Model):
    """A pack on or off in a region (empty = everywhere); the narrowest row that covers a place decides, without a row it is on."""

    name = models.TextField()
    region = models.TextField(blank=True, default="")
    unit_id = models.IntegerField(null=True, help_text="the unit whose territory it is; null = everywhere")
    on = models.BooleanField()
    changed_at = models.DateTimeField()
    basis = models.TextField(blank=True, default="", db_default="", help_text="the legal basis recorded for a pack that needs one")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "region"], name="scenes_one_switch_per_place")]
