"""What the learner has in rows: how its proposals fared, which cases were alike, and its trainings. Its weights are files."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Tally(models.Model):
    """How often a label was proposed in one way, and how often the desk took it."""

    head = models.TextField(help_text="type, unit or severity")
    label = models.TextField()
    how = models.TextField(help_text="learned, words, duty or catalogue")
    proposed = models.IntegerField(default=0)
    right = models.IntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["head", "label", "how"], name="dispatch_tally_once")]


class Likeness(models.Model):
    """Cases decided alike whose reports say the same, address aside. Written anew at each training, so erased words go with it."""

    digest = models.CharField(max_length=32, help_text="keyed digest of what the report is about")
    type = models.CharField(max_length=5)
    cases = ArrayField(models.TextField(), help_text="codes of the last few")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["digest", "type"], name="dispatch_likeness_once")]


class Training(models.Model):
    """One training from all decided cases, and what it found. Without ``finished_at`` somebody is at it, or died at it."""

    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    seconds = models.FloatField(default=0)
    version = models.TextField(default="", blank=True)
    report = models.JSONField(
        default=dict, blank=True, help_text="head → examples, labels, tested, right, in_three, calibration_error, by_label"
    )
