"""Tables of processes at work: definitions, instances, tasks and due rows."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Definition(models.Model):
    """One version of a process diagram, kept once; cases name it by its digest."""

    digest = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of the XML")
    name = models.TextField()
    xml = models.TextField()
    installed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["name", "installed_at"], name="flow_definition_name")]


class Instance(models.Model):
    """Where a case stands in its process; the state is small and dropped when the case ends."""

    case_code = models.TextField(primary_key=True)
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, db_constraint=False)
    state = models.JSONField()


class Task(models.Model):
    """One user task of a case."""

    id = models.UUIDField(primary_key=True)
    case_code = models.TextField()
    ref = models.TextField()
    name = models.TextField()
    title_zh = models.TextField()
    title_en = models.TextField()
    stage = models.TextField()
    performer = models.TextField()
    verbs = ArrayField(models.TextField())
    must = ArrayField(models.TextField(), default=list)
    form = models.JSONField(null=True)
    item = models.JSONField(null=True)
    status = models.TextField()
    unit_id = models.IntegerField(null=True)
    post_id = models.IntegerField(null=True)
    staff_id = models.IntegerField(null=True)
    region = models.TextField()
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    done_by = models.TextField(blank=True, default="")
    outcome = models.TextField(blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["case_code"], name="flow_task_case"),
            models.Index(fields=["unit_id", "due_at"], name="flow_task_unit_live", condition=models.Q(status__in=["open", "accepted"])),
            models.Index(fields=["staff_id", "due_at"], name="flow_task_staff_live", condition=models.Q(status__in=["open", "accepted"])),
        ]


class Limit(models.Model):
    """A due row: reminder, card or wait. Taken by compare-and-set under its row lock; a poisoned one is pushed ahead."""

    id = models.UUIDField(primary_key=True)
    case_code = models.TextField()
    task_id = models.UUIDField(null=True)
    kind = models.TextField()
    stage = models.TextField()
    share = models.IntegerField(default=0)
    ref = models.TextField(blank=True, default="")
    due_at = models.DateTimeField()
    state = models.TextField(default="pending")
    fired_at = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0)
    retry_at = models.DateTimeField(null=True, help_text="a row that failed is tried again then, its neighbours at once")
    last_error = models.TextField(blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["due_at", "id"], name="flow_limit_due", condition=models.Q(state="pending")),
            models.Index(fields=["case_code"], name="flow_limit_case"),
        ]
