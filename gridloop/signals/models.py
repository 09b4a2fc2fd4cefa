"""Tables of the signal log. Rows of the log are written by role ``gridloop_ingest`` without the ORM, see ``log.py``."""

from __future__ import annotations

from django.db import models


class Partition(models.Model):
    """One partition's last sequence; its row lock makes the sequence gapless and visible in order."""

    partition = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField(default=0)


class Batch(models.Model):
    """Up to 500 signals of one partition, packed by ``sdk.signals.pack``. ``at`` is when they became durable."""

    pk = models.CompositePrimaryKey("partition", "seq")
    partition = models.SmallIntegerField()
    seq = models.BigIntegerField()
    at = models.DateTimeField()
    count = models.SmallIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    data = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["at"], name="signals_batch_at")]


class Position(models.Model):
    """How far a consumer is in a partition, and which worker may move it: ``epoch`` fences a stalled one."""

    pk = models.CompositePrimaryKey("consumer", "partition")
    consumer = models.CharField(max_length=40)
    partition = models.SmallIntegerField()
    seq = models.BigIntegerField(default=0)
    owner = models.CharField(max_length=80, default="")
    epoch = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)  # real time of the database, not the deployment clock: a lease is about processes


class Seen(models.Model):
    """Identity of an alarm or person-made signal that has had its effect, kept at least seven days."""

    key = models.UUIDField(primary_key=True)
    day = models.DateField()

    class Meta:
        indexes = [models.Index(fields=["day"], name="signals_seen_day")]


class Trouble(models.Model):
    """A signal that was recognised but could not be taken, kept so that ``gridloop doctor`` can tell of it."""

    partition = models.SmallIntegerField()
    seq = models.BigIntegerField()
    source = models.CharField(max_length=64)
    signal = models.CharField(max_length=128)
    error = models.CharField(max_length=500)
    at = models.DateTimeField(db_index=True)
