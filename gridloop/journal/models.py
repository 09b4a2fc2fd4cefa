"""Tables of the trace."""

from __future__ import annotations

from django.db import models


class Fact(models.Model):
    """One entry of the trace. Append-only: a trigger refuses update, delete and truncate for every role.

    The column ``tx`` (made by the migration, default ``gl_tx()``) is the writing transaction's id plus the
    deployment's offset; readers order by (tx, id) and stop at the snapshot horizon, so late commits are never skipped.
    """

    chain = models.TextField()
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    actor = models.TextField()
    action = models.TextField()
    data = models.JSONField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    case_code = models.TextField(null=True)
    trace = models.CharField(max_length=55, null=True, help_text="W3C traceparent, when traces are collected; not hashed")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain", "seq"], name="journal_fact_once_in_chain")]
        indexes = [models.Index(fields=["case_code"], name="journal_fact_case", condition=models.Q(case_code__isnull=False))]


class ChainHead(models.Model):
    """The last fact of a chain; its row lock puts appends to one chain in order."""

    chain = models.TextField(primary_key=True)
    seq = models.BigIntegerField()
    hash = models.CharField(max_length=64)


class Checkpoint(models.Model):
    """A seal over all facts of a span of transactions, chained to the one before: no fact and no whole chain can vanish."""

    at = models.DateTimeField()
    tx_from = models.BigIntegerField(help_text="first transaction of the span, inclusive")
    tx_to = models.BigIntegerField(help_text="first transaction after the span")
    count = models.BigIntegerField()
    root = models.CharField(max_length=64, help_text="SHA-256 over the facts' hashes in (tx, id) order")
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)


class Sealed(models.Model):
    """A personal value or free text with the key of its commitment; erased together, the fact's commitment stays."""

    id = models.UUIDField(primary_key=True)
    subject = models.TextField(help_text="whose value it is, e.g. case:YL…/reporter or person:12")
    purpose = models.TextField()
    case_code = models.TextField(null=True)
    value = models.JSONField(null=True)
    key = models.BinaryField(null=True)
    retain_until = models.DateTimeField(help_text="by its purpose: journal.rules.RETENTION")
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)
    erased_rule = models.TextField(blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["subject"], name="journal_sealed_subject"),
            models.Index(fields=["retain_until"], name="journal_sealed_due", condition=models.Q(erased_at__isnull=True)),
            models.Index(fields=["case_code"], name="journal_sealed_case"),
        ]


class Consumer(models.Model):
    """A durable reader of the trace and the last fact it has dealt with."""

    name = models.TextField(primary_key=True)
    tx = models.BigIntegerField(default=0)
    fact_id = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(null=True)


class Offset(models.Model):
    """One row: added to transaction ids. A restore into a new server raises it so that order is kept."""

    value = models.BigIntegerField(default=0)


class Answer(models.Model):
    """What an unsafe request with an Idempotency-Key was answered, kept for a day."""

    key = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of caller, method, path and Idempotency-Key")
    body_hash = models.CharField(max_length=64)
    status = models.IntegerField(null=True)
    content_type = models.TextField(blank=True, default="")
    body = models.TextField(blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["at"], name="journal_answer_at")]
