"""The table of evidence. The bytes lie beside the database under their own hash; a row says whose, when, where and until when."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from gridloop.kernel.ids import uuid7


class File(models.Model):
    """One piece of evidence. ``sha256`` is the hash of what was sent, also in the fact of the case; outward goes a clean copy."""

    class Status(models.TextChoices):
        STORED = "stored"  # sent, not yet named by a report or a task
        ATTACHED = "attached"
        ERASED = "erased"  # bytes gone, the row and the fact's hash stay

    id = models.UUIDField(primary_key=True, default=uuid7)
    sha256 = models.CharField(max_length=64)
    mime = models.CharField(max_length=40)
    size = models.PositiveIntegerField()
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    kind = models.CharField(max_length=16, blank=True, default="")  # '' until attached
    at = models.DateTimeField()
    received_at = models.DateTimeField()
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    gap_m = models.FloatField(null=True, help_text="metres between the stated place and the camera's own, when both are known")
    origin = models.JSONField(null=True, help_text="reference to the sealed camera data (place and time from the file)")
    look = models.BinaryField(null=True, help_text="256 bits of what a picture shows, to know it again")
    look_bands = ArrayField(models.IntegerField(), null=True, help_text="the look in 16 numbered pieces, for the index")
    uploaded_by = models.ForeignKey("access.User", null=True, on_delete=models.PROTECT, related_name="+")
    case_code = models.TextField(null=True)
    task = models.UUIDField(null=True)
    seq = models.BigIntegerField(null=True, help_text="position of its fact in the case's chain")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.STORED)
    retain_until = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["case_code"], condition=Q(case_code__isnull=False), name="evidence_of_case"),
            models.Index(fields=["sha256"], name="evidence_by_hash"),
            GinIndex(fields=["look_bands"], name="evidence_look"),
            models.Index(fields=["retain_until"], condition=~Q(status="erased"), name="evidence_due"),
        ]
        constraints = [
            models.CheckConstraint(name="evidence_kind_known", condition=Q(kind__in=["", "before", "after", "scene", "document"])),
            models.CheckConstraint(name="evidence_attached_to_case", condition=~Q(status="attached") | Q(case_code__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.id)
