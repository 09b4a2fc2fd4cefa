"""Tables of organisation and territory. Dated rows are never overwritten: a change closes one row and opens the next."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from gridloop.orgs.messages import SINCE_EVER

CODE = 24  # digits of the longest region code with room for a deeper level


class Level(models.Model):
    """One level of territory; the product knows levels only by these rows. ``rank`` 1 is the widest."""

    code = models.CharField(max_length=16, primary_key=True)
    rank = models.PositiveSmallIntegerField(unique=True)
    digits = models.PositiveSmallIntegerField(unique=True)
    name_zh = models.CharField(max_length=32)
    name_en = models.CharField(max_length=64)

    class Meta:
        ordering = ["rank"]


class Region(models.Model):
    """A territory as it was from ``valid_from`` (included) to ``valid_to`` (excluded; null = still). ``boundary`` is WKB, WGS-84."""

    code = models.CharField(max_length=CODE)
    name = models.CharField(max_length=128)
    pinyin = models.CharField(max_length=256, blank=True, default="")
    level = models.ForeignKey(Level, on_delete=models.PROTECT, related_name="+")
    parent_code = models.CharField(max_length=CODE, blank=True, default="")
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    boundary = models.BinaryField(null=True)
    households = models.PositiveIntegerField(null=True)
    population = models.PositiveIntegerField(null=True)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code"], condition=Q(valid_to__isnull=True), name="orgs_region_current"),
            models.CheckConstraint(condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")), name="orgs_region_dates"),
        ]
        indexes = [
            models.Index(fields=["code"], opclasses=["varchar_pattern_ops"], name="orgs_region_code"),
            models.Index(fields=["parent_code"], name="orgs_region_parent"),
        ]


class Department(models.Model):
    """A line of work that exists in several places (urban management, fire, housing …)."""

    code = models.CharField(max_length=32, primary_key=True)
    name_zh = models.CharField(max_length=64)
    name_en = models.CharField(max_length=128)


class Unit(models.Model):
    """A body that can be given work. ``path`` holds the ids from the root, joined by dots, and ends with the own id."""

    class Presence(models.TextChoices):
        RESIDENT = "resident"
        ROTATING = "rotating"
        ON_CALL = "on_call"

    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=128)
    kind = models.CharField(max_length=32)
    department = models.ForeignKey(Department, null=True, on_delete=models.PROTECT, related_name="+")
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    path = models.CharField(max_length=255)
    region_code = models.CharField(max_length=CODE)
    presence = models.CharField(max_length=16, choices=Presence.choices, default=Presence.RESIDENT)
    phone = models.CharField(max_length=32, blank=True, default="")
    active = models.BooleanField(default=True)

    class Meta:
        indexes = [
            models.Index(fields=["path"], opclasses=["varchar_pattern_ops"], name="orgs_unit_path"),
            models.Index(fields=["region_code"], opclasses=["varchar_pattern_ops"], name="orgs_unit_region"),
        ]


class Post(models.Model):
    """A job position in a unit, holder of duties; ``panel`` names the town's functional group."""

    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=64)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="posts")
    panel = models.CharField(max_length=64, blank=True, default="")


class Duty(models.Model):
    """Who is competent: for which step (``kind``), which case types and where (prefixes, '' = all), when (``hours`` null = always)."""

    kind = models.CharField(max_length=32)
    case_type = models.CharField(max_length=8, blank=True, default="")
    region_code = models.CharField(max_length=CODE, blank=True, default="")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="duties")
    post = models.ForeignKey(Post, null=True, on_delete=models.PROTECT, related_name="duties")
    hours = models.JSONField(null=True)
    priority = models.IntegerField(default=100)
    valid_from = models.DateField(default=SINCE_EVER)
    valid_to = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "case_type", "region_code", "unit", "post", "valid_from"], nulls_distinct=False, name="orgs_duty_once"
            )
        ]


class Staff(models.Model):
    """A person who works for a unit, with the last known position."""

    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=64)
    pinyin = models.CharField(max_length=128, blank=True, default="")
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="staff")
    phone = models.CharField(max_length=32, blank=True, default="")
    employment = models.CharField(max_length=32, blank=True, default="")
    skills = models.JSONField(default=list)
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    position_at = models.DateTimeField(null=True)
    active = models.BooleanField(default=True)


class Assignment(models.Model):
    """A staff member's place in a grid team (1 leader + 3 kinds + N members) or a post, dated."""

    class Role(models.TextChoices):
        GRID_LEADER = "grid_leader"
        FULL_TIME = "full_time_grid_worker"
        PART_TIME = "part_time_grid_worker"
        ADVISOR = "grid_advisor"
        MEMBER = "member"

    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="assignments")
    post = models.ForeignKey(Post, null=True, on_delete=models.PROTECT, related_name="assignments")
    region_code = models.CharField(max_length=CODE)
    role = models.CharField(max_length=32, choices=Role.choices, default=Role.MEMBER)
    valid_from = models.DateField(default=SINCE_EVER)
    valid_to = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["staff", "region_code", "role", "post", "valid_from"], nulls_distinct=False, name="orgs_assignment_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["region_code"], opclasses=["varchar_pattern_ops"], condition=Q(valid_to__isnull=True), name="orgs_assignment_region"
            )
        ]


class Shift(models.Model):
    """One line of the roster: who is on duty for a unit, from ``starts_at`` (included) to ``ends_at`` (excluded)."""

    class Role(models.TextChoices):
        DUTY_COMMANDER = "duty_commander"
        OPERATOR = "operator"
        MEMBER = "member"

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="shifts")
    staff = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="shifts")
    role = models.CharField(max_length=32, choices=Role.choices, default=Role.MEMBER)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="orgs_shift_dates"),
            models.UniqueConstraint(fields=["unit", "starts_at", "staff", "role"], name="orgs_shift_once"),
        ]


class CalendarDay(models.Model):
    """A day that differs from its weekday: ``holiday`` rests, ``makeup`` works. ``region_code`` is a prefix ('' = everywhere)."""

    class Kind(models.TextChoices):
        HOLIDAY = "holiday"
        MAKEUP = "makeup"

    day = models.DateField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    name = models.CharField(max_length=64, blank=True, default="")
    region_code = models.CharField(max_length=CODE, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "region_code"], name="orgs_calendarday_once")]


class WorkingHours(models.Model):
    """Office hours below a region prefix: ``ranges`` is ``[["08:30","12:00"],["14:00","17:30"]]`` in the zone ``tz``."""

    region_code = models.CharField(max_length=CODE, blank=True, default="")
    ranges = models.JSONField()
    tz = models.CharField(max_length=64, default="Asia/Shanghai")
    valid_from = models.DateField(default=SINCE_EVER)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["region_code", "valid_from"], name="orgs_workinghours_once")]


class TableVersion(models.Model):
    """A counter per cached table (``regions``, ``calendar``), raised by every change, so that processes drop what they remember."""

    name = models.CharField(max_length=32, primary_key=True)
    value = models.BigIntegerField(default=1)
