"""Tables of cases and their sources."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Case(models.Model):
    """One matter brought to its end. Free text and reporter live in the sealed values beside the trace, not here."""

    code = models.TextField()
    type = models.CharField(max_length=5)
    title = models.TextField()
    severity = models.SmallIntegerField()
    status = models.TextField()
    desk_waits = models.BooleanField(default=True, help_text="waits for the centre: box todo")
    stage = models.TextField(blank=True, default="", help_text="stage of the most pressing live task")
    stage_due_at = models.DateTimeField(null=True)
    region = models.TextField()
    desk_region = models.TextField()
    source = models.TextField()
    sources = models.JSONField(default=list, help_text="[{kind, at, count}] for lists; the rows are in Source")
    scene = models.TextField()
    scene_version_id = models.BigIntegerField(null=True)
    same_thing = models.TextField(blank=True, default="")
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    place_m = models.FloatField(null=True, help_text="expected error in metres of a place found from the address; null: it was given")
    address = models.TextField(blank=True, default="")
    text_sealed = models.UUIDField(null=True)
    reporter_sealed = models.UUIDField(null=True)
    reported_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(blank=True, default="", db_default="", help_text="why its process closed it; '' of a closed one: done")
    updated_at = models.DateTimeField()
    lead_unit_id = models.IntegerField(null=True)
    supporting_ids = ArrayField(models.IntegerField(), default=list)
    unit_ids = ArrayField(models.IntegerField(), default=list, help_text="every unit involved: they see the case")
    staff_ids = ArrayField(models.IntegerField(), default=list)
    handled_by = ArrayField(models.TextField(), default=list, help_text="actors who submitted a result: they may not check it")
    checked_by = models.TextField(blank=True, default="", help_text="actor who approved the check: may not review it")
    doubts = models.JSONField(default=list, help_text="what speaks against closing, since the last dispatch or rework")
    reporter_id = models.BigIntegerField(null=True)
    proposal = models.JSONField(null=True)
    card = models.TextField(null=True)
    returns = models.IntegerField(default=0)
    reworks = models.IntegerField(default=0)
    escalations = models.IntegerField(default=0)
    merged_count = models.IntegerField(default=0)
    supervised = models.IntegerField(default=0, help_text="how often it was put under supervision")
    merged_into = models.TextField(null=True)
    stars = models.FloatField(null=True, help_text="mean of its reporters' stars")
    centre_stars = models.SmallIntegerField(null=True)
    ratings = models.JSONField(default=dict, help_text="rater → stars; each rates once")

    class Meta:
        constraints = [
            # in the order of the characters, so that the same index finds a code's beginning
            models.UniqueConstraint(fields=["code"], opclasses=["text_pattern_ops"], name="cases_case_one_of_code"),
            models.CheckConstraint(condition=Q(severity__gte=1, severity__lte=4), name="cases_case_severity_1_to_4"),
            models.CheckConstraint(condition=Q(stars__isnull=True) | Q(stars__gte=1, stars__lte=5), name="cases_case_stars_1_to_5"),
            models.CheckConstraint(
                condition=Q(centre_stars__isnull=True) | Q(centre_stars__gte=1, centre_stars__lte=5), name="cases_case_centre_stars_1_to_5"
            ),
            models.UniqueConstraint(
                fields=["scene", "same_thing"],
                condition=~Q(same_thing="") & ~Q(status__in=["closed", "voided", "rejected"]),
                name="cases_case_one_open_per_thing",
            ),
        ]
        indexes = [  # those of units, people, villages, tiles and the ends of codes are made by migrations 0014 and 0019 to 0021 alone
            models.Index(fields=["-reported_at", "-id"], name="cases_case_newest"),
            models.Index(fields=["lead_unit_id", "-reported_at", "-id"], name="cases_case_led"),
            models.Index(fields=["region"], name="cases_case_region_prefix", opclasses=["text_pattern_ops"]),
            models.Index(fields=["severity", "stage_due_at"], name="cases_case_todo", condition=Q(desk_waits=True)),
            models.Index(
                fields=["severity", "stage_due_at"],
                name="cases_case_live",
                condition=~Q(status__in=["closed", "voided", "rejected"]),
            ),
            models.Index(
                fields=["severity", "stage_due_at", "id"], name="cases_case_ended", condition=Q(status__in=["closed", "voided", "rejected"])
            ),
            models.Index(fields=["closed_at"], name="cases_case_closed", condition=Q(closed_at__isnull=False)),
            models.Index(fields=["due_at"], name="cases_case_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["type"], name="cases_case_type_prefix", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["reporter_id"], name="cases_case_reporter", condition=Q(reporter_id__isnull=False)),
        ]


class Source(models.Model):
    """One report or one kind of signal of a case: every source is kept and every reporter answered (B1)."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="source_rows")
    kind = models.TextField(help_text="citizen, hotline, grid_worker, or a signal kind")
    source = models.TextField(blank=True, default="", help_text="the sending system or device vendor")
    device = models.TextField(blank=True, default="")
    signal_id = models.TextField(blank=True, default="")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    count = models.IntegerField(default=1)
    came_under = models.TextField(blank=True, default="", help_text="the case it was reported to, when it has moved since")
    lon = models.FloatField(null=True, help_text="where this reporter said it is")
    lat = models.FloatField(null=True)
    place_m = models.FloatField(null=True)
    address = models.TextField(blank=True, default="")
    track_hash = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256 of the reporter's key")
    reporter_id = models.BigIntegerField(null=True)
    text_sealed = models.UUIDField(null=True)
    reporter_sealed = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["case", "kind", "source", "device"], condition=~Q(device=""), name="cases_source_one_per_device_and_kind"
            )
        ]
        indexes = [
            models.Index(fields=["source", "signal_id"], name="cases_source_origin", condition=Q(device="") & ~Q(signal_id="")),
            models.Index(fields=["track_hash"], name="cases_source_track", condition=~Q(track_hash="")),
        ]


class Visit(models.Model):
    """A check-in of a person at a case's place; kept for the speed between two of them, a month."""

    case_code = models.TextField()
    staff_id = models.IntegerField()
    at = models.DateTimeField()
    lon = models.FloatField()
    lat = models.FloatField()

    class Meta:
        indexes = [
            models.Index(fields=["staff_id", "at"], name="cases_visit_of_staff"),
            models.Index(fields=["case_code"], name="cases_visit_of_case"),
            models.Index(fields=["at"], name="cases_visit_at"),
        ]
