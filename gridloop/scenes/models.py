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
    detect_text = models.TextField(blank=True, default="", db_default="", help_text="detect.yaml as it was written, remarks and all")
    edited = models.BooleanField(default=False, db_default=False, help_text="its detectors were published in this deployment")
    base_digest = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="of an edited one: the digest of the pack it changes"
    )

    class Meta:
        indexes = [models.Index(fields=["name", "-id"], name="scenes_pack_name_newest")]


class PackSwitch(models.Model):
    """A pack on or off in a region (empty = everywhere); the narrowest row that covers a place decides.

    Without a row it is on, unless it needs a legal basis or is a draft.
    """

    name = models.TextField()
    region = models.TextField(blank=True, default="")
    unit_id = models.IntegerField(null=True, help_text="the unit whose territory it is; null = everywhere")
    on = models.BooleanField()
    changed_at = models.DateTimeField()
    basis = models.TextField(blank=True, default="", db_default="", help_text="the legal basis recorded for a pack that needs one")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "region"], name="scenes_one_switch_per_place")]


class Rehearsal(models.Model):
    """A pack's detectors, as they are or as somebody would have them, run over the signals of the past before they are published."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        PUBLISHED = "published"

    pack = models.TextField()
    base_id = models.BigIntegerField(help_text="the pack version at the time: it is what the wish changes")
    text = models.TextField(blank=True, default="", help_text="detect.yaml as wished; empty: as the pack has it")
    since = models.DateTimeField()
    until = models.DateTimeField()
    status = models.TextField(choices=Status.choices, default=Status.WAITING)
    hours = models.IntegerField(default=0)
    hours_done = models.IntegerField(default=0)
    readings = models.BigIntegerField(default=0)
    report = models.JSONField(null=True)
    fault = models.TextField(blank=True, default="")
    asked_by = models.TextField()
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    published_id = models.BigIntegerField(null=True, help_text="the pack version it became")
    owner = models.TextField(blank=True, default="")
    attempts = models.SmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, help_text="real time of the database: a lease is about processes")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["pack"], condition=models.Q(status__in=["waiting", "running"]), name="scenes_one_rehearsal_at_a_time"
            )
        ]
        indexes = [
            models.Index(fields=["pack", "-id"], name="scenes_rehearsal_newest"),
            models.Index(fields=["id"], name="scenes_rehearsal_due", condition=models.Q(status__in=["waiting", "running"])),
        ]
