"""Tables of the signal log. Rows of the log are written by role ``gridloop_ingest`` without the ORM, see ``log.py``."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
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
    elsewhere = models.BooleanField(default=False, db_default=False)  # a rewritten one of a town's log, see ``sdk.signals.Packed``

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


class Hand(models.Model):
    """A worker that shares in the detectors' work, until when if it is not heard again (real time of the database)."""

    owner = models.CharField(max_length=80, primary_key=True)
    until = models.DateTimeField()


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


class Name(models.Model):
    """A device's or a grouping's name and the number detectors know it by: dense from 0 within its space, for good. Every lane has its own

    spaces (``lanes``).
    """

    pk = models.CompositePrimaryKey("space", "name")
    space = models.CharField(max_length=16)
    name = models.CharField(max_length=64)
    number = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["space", "number"], name="signals_name_number")]


class DetectorState(models.Model):
    """What the detectors at work know, in parts, as of the position of their lane (``lanes``): written in one transaction with it."""

    pk = models.CompositePrimaryKey("name", "part")
    name = models.CharField(max_length=16)
    part = models.IntegerField()
    data = models.BinaryField()


class Forgotten(models.Model):
    """What the detectors at work have still to forget, because somebody was erased: a device, or a token by the number they know it by.

    ``lanes``: tags of those that have done so.
    """

    device = models.CharField(max_length=64, default="")
    token = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    lanes = ArrayField(models.CharField(max_length=16), default=list)


class Irregular(models.Model):
    """How many of a device's readings were not as they should be in an hour, by why; see ``irregular``. ``device`` empty: of all."""

    pk = models.CompositePrimaryKey("hour", "device", "why")
    hour = models.DateTimeField()  # of the log's time
    device = models.CharField(max_length=64)
    why = models.CharField(max_length=8)
    count = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["device", "hour"], name="signals_irregular_of")]


class Alarm(models.Model):
    """What a detector raised. ``id`` is a function of detector, version, key and start, so that a replay finds its own alarm again."""

    class Told(models.TextChoices):
        WAITING = "waiting"  # old already when it was found: told when we have caught up, if it still lasts
        TOLD = "told"
        HELD = "held"  # held back for a person or until others around are heard again, see ``reason``
        PASSED = "passed"  # over before it could be told

    id = models.UUIDField(primary_key=True)
    detector = models.CharField(max_length=100)
    version = models.IntegerField()
    goes_by = models.CharField(max_length=16)
    key = models.CharField(max_length=64)
    device = models.CharField(max_length=64)  # one of those of the key: where it is
    region = models.CharField(max_length=32)
    severity = models.SmallIntegerField()
    start = models.DateTimeField()  # of the data
    ended = models.DateTimeField(null=True)
    noticed = models.DateTimeField()
    told = models.CharField(max_length=8, choices=Told.choices)
    reason = models.CharField(max_length=16, default="")  # why it is, or was, held back
    told_at = models.DateTimeField(null=True)
    late = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["detector", "key"], name="signals_alarm_on", condition=models.Q(ended=None)),
            models.Index(fields=["detector", "told_at"], name="signals_alarm_told"),
            models.Index(fields=["told"], name="signals_alarm_untold", condition=models.Q(told__in=["waiting", "held"], ended=None)),
            models.Index(fields=["noticed"], name="signals_alarm_noticed"),
        ]


class AlarmChange(models.Model):
    """An alarm was raised, stepped up or cleared. ``sent``: whether the scenes were told; None when they need not be."""

    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="changes", db_constraint=False)
    what = models.CharField(max_length=8)
    severity = models.SmallIntegerField()
    at = models.DateTimeField()
    sent = models.BooleanField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["alarm", "what", "severity"], name="signals_change_once")]
        indexes = [models.Index(fields=["id"], name="signals_change_due", condition=models.Q(sent=False))]


class HeldDetector(models.Model):
    """A detector that raised more alarms than people can take: nothing more of it is told until somebody has looked."""

    detector = models.CharField(max_length=100, primary_key=True)
    since = models.DateTimeField()
    alarms = models.IntegerField()  # within the hour, when it was held back


class AsideDetector(models.Model):
    """A detector that cannot go on, set aside so that the others can: until its definition has another version, or somebody lets it try

    again. ``position``: how far its lane was when it failed, by partition; ``until``: the moment of the log it had come to.
    """

    detector = models.CharField(max_length=100, primary_key=True)
    version = models.IntegerField()
    since = models.DateTimeField()
    fault = models.CharField(max_length=500)
    lane = models.CharField(max_length=16)
    until = models.DateTimeField()
    position = models.JSONField()


class Witness(models.Model):
    """An alarm, or a device's own, that opened or joined a case, and what the case has shown of it. One row a case, detector and key."""

    case_code = models.TextField()
    detector = models.CharField(max_length=100)  # ``pack.name``; of a signal that is an alarm by itself ``pack:kind``
    version = models.IntegerField(default=0)
    device = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    region = models.CharField(max_length=32)
    alarm = models.UUIDField(null=True)
    at = models.DateTimeField()
    outcome = models.CharField(max_length=8, default="")  # true, false, unclear; empty: not known yet
    reason = models.CharField(max_length=16, default="")
    stated = models.BooleanField(default=False)  # somebody said so; else it follows from how the case ended
    decided_at = models.DateTimeField(null=True)
    settled = models.BooleanField(default=False, db_default=False)  # the case is over, or was proposed to be closed: nothing to look for

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case_code", "detector", "key"], name="signals_witness_once")]
        indexes = [
            models.Index(fields=["detector", "device"], name="signals_witness_of"),
            models.Index(fields=["device"], name="signals_witness_device"),
            models.Index(fields=["at"], name="signals_witness_at"),
            models.Index(fields=["alarm"], name="signals_witness_alarm", condition=models.Q(alarm__isnull=False)),
            models.Index(fields=["alarm"], name="signals_witness_live", condition=models.Q(alarm__isnull=False, settled=False)),
        ]


class Proposal(models.Model):
    """Something a person may accept: another threshold, a look at the device, or, since the sensor looked again, to close or reopen."""

    class Kind(models.TextChoices):
        THRESHOLD = "threshold"
        MAINTENANCE = "maintenance"
        CLOSE = "close"
        REOPEN = "reopen"

    class Status(models.TextChoices):
        OPEN = "open"
        ACCEPTED = "accepted"
        DISMISSED = "dismissed"
        PASSED = "passed"  # what it was about is over

    kind = models.CharField(max_length=12, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    detector = models.CharField(max_length=100)
    device = models.CharField(max_length=64)
    region = models.CharField(max_length=32)
    case_code = models.TextField(default="")
    alarm = models.UUIDField(null=True)
    data = models.JSONField(default=dict)
    made_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.TextField(default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "detector", "device", "case_code"],
                condition=models.Q(status="open"),
                name="signals_proposal_once",
            )
        ]
        indexes = [
            models.Index(fields=["device", "-id"], name="signals_proposal_device"),
            models.Index(fields=["case_code"], name="signals_proposal_case", condition=~models.Q(case_code="")),
        ]
