"""Tables of notices. Address and text are sealed values of the journal; a row here names no person."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Delivery(models.Model):
    """One notice to one recipient over one channel, from the fact that called for it to the service's receipt."""

    id = models.UUIDField(primary_key=True)
    fact_id = models.BigIntegerField()
    case_code = models.TextField()
    template = models.CharField(max_length=40)
    audience = models.CharField(max_length=20)
    recipient = models.CharField(max_length=80, help_text="staff:12, person:5, enterprise:3, source:77; none:owner when nobody was found")
    channel = models.CharField(max_length=8, help_text="kind: sms, app, voice, email")
    sealed = models.UUIDField(null=True, help_text="{to, name, text} beside the trace")
    status = models.CharField(max_length=8, help_text="waiting, sent, failed")
    attempts = models.SmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=100, blank=True, default="")
    error = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fact_id", "template", "recipient", "channel"], name="notices_delivery_once"),
            models.CheckConstraint(condition=Q(status__in=["waiting", "sent", "failed"]), name="notices_delivery_status"),
            models.CheckConstraint(condition=~Q(status="waiting") | Q(next_at__isnull=False), name="notices_delivery_waits_for_a_time"),
        ]
        indexes = [
            models.Index(fields=["next_at"], name="notices_delivery_due", condition=Q(status="waiting")),
            models.Index(fields=["case_code"], name="notices_delivery_case"),
            models.Index(fields=["recipient", "-created_at"], name="notices_delivery_recipient"),
            models.Index(fields=["sealed"], name="notices_delivery_sealed"),
        ]
