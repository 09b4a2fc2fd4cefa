"""Tables of people, houses, enterprises, vehicles, places and devices. Person, Household and Vehicle are under row security by region."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from gridloop.orgs.models import CODE


def region_index(name: str) -> models.Index:
    return models.Index(fields=["region_code"], opclasses=["varchar_pattern_ops"], name=name)


class Building(models.Model):
    code = models.CharField(max_length=64, unique=True)
    region_code = models.CharField(max_length=CODE)
    name = models.CharField(max_length=128)
    address = models.CharField(max_length=256, blank=True, default="")
    floors = models.PositiveSmallIntegerField(default=1)
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    footprint = models.BinaryField(null=True)  # WKB, WGS-84
    address_seen = models.BooleanField(db_default=False, help_text="its address stands in AddressPoint, or names no road")

    class Meta:
        indexes = [
            region_index("registry_building_region"),
            models.Index(fields=["lon", "lat"], name="registry_building_place"),
            models.Index(fields=["id"], name="registry_building_unseen", condition=Q(address_seen=False)),
        ]


class AddressPoint(models.Model):
    """Where an address is, as a building or a case has told: what finds the place of a report that has none."""

    ref = models.CharField(max_length=64, unique=True, help_text="building:CODE or case:CODE")
    region_code = models.CharField(max_length=CODE)
    road = models.CharField(max_length=32)
    lane = models.IntegerField(default=0)
    alley = models.IntegerField(default=0)
    number = models.IntegerField(default=0)
    lon = models.FloatField()
    lat = models.FloatField()

    class Meta:
        indexes = [
            models.Index(fields=["road"], name="registry_address_road"),
            models.Index(fields=["lon", "lat"], name="registry_address_place"),
        ]


class House(models.Model):
    """A room or flat of a building; ``kind`` such as ``home``, ``rented``, ``shop``, ``office``, ``vacant``."""

    code = models.CharField(max_length=64, unique=True)
    building = models.ForeignKey(Building, on_delete=models.PROTECT, related_name="houses")
    region_code = models.CharField(max_length=CODE)
    floor = models.SmallIntegerField(default=1)
    room = models.CharField(max_length=16)
    kind = models.CharField(max_length=16, default="home")

    class Meta:
        indexes = [region_index("registry_house_region")]


class Household(models.Model):
    """People living together behind one door; ``doorplate`` is the code on the door."""

    code = models.CharField(max_length=64, unique=True)
    house = models.ForeignKey(House, null=True, on_delete=models.PROTECT, related_name="households")
    region_code = models.CharField(max_length=CODE)
    doorplate = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        indexes = [region_index("registry_household_region")]


class Absence(models.Model):
    """A household has told that nobody is at home from ``since`` to ``till``. Row security: who may see the household."""

    household = models.ForeignKey(Household, on_delete=models.CASCADE, related_name="absences")
    since = models.DateTimeField()
    till = models.DateTimeField()
    told_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["till"], name="registry_absence_till")]
        constraints = [models.CheckConstraint(condition=Q(since__lt=models.F("till")), name="registry_absence_order")]


class Person(models.Model):
    """A resident. Name, birth, citizen id, phone and tags are personal: selectors mask them unless opened for a purpose."""

    class Sex(models.TextChoices):
        MALE = "M"
        FEMALE = "F"
        UNKNOWN = "U"

    code = models.CharField(max_length=64, unique=True)
    household = models.ForeignKey(Household, null=True, on_delete=models.PROTECT, related_name="people")
    region_code = models.CharField(max_length=CODE)
    name = models.CharField(max_length=64)
    pinyin = models.CharField(max_length=128, blank=True, default="")
    sex = models.CharField(max_length=1, choices=Sex.choices, default=Sex.UNKNOWN)
    birth = models.DateField(null=True)
    citizen_id_no = models.CharField(max_length=18, blank=True, default="")
    phone = models.CharField(max_length=32, blank=True, default="")
    tags = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["citizen_id_no"], condition=~Q(citizen_id_no=""), name="registry_person_citizen_id_no")
        ]
        indexes = [
            region_index("registry_person_region"),
            models.Index(fields=["name"], opclasses=["varchar_pattern_ops"], name="registry_person_name"),
            models.Index(fields=["phone"], name="registry_person_phone"),
        ]


class Enterprise(models.Model):
    uscc = models.CharField(max_length=18, unique=True)
    name = models.CharField(max_length=128)
    region_code = models.CharField(max_length=CODE)
    address = models.CharField(max_length=256, blank=True, default="")
    industry = models.CharField(max_length=64, blank=True, default="")
    employees = models.PositiveIntegerField(default=0)
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    contact_name = models.CharField(max_length=64, blank=True, default="")
    contact_phone = models.CharField(max_length=32, blank=True, default="")
    building = models.ForeignKey(Building, null=True, on_delete=models.PROTECT, related_name="enterprises")

    class Meta:
        indexes = [region_index("registry_enterprise_region")]


class Vehicle(models.Model):
    """A vehicle belongs to a person or an enterprise; the owner's phone is read through the owner, never copied."""

    plate = models.CharField(max_length=10, unique=True)
    kind = models.CharField(max_length=32, default="car")
    region_code = models.CharField(max_length=CODE)
    person = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="vehicles")
    enterprise = models.ForeignKey(Enterprise, null=True, on_delete=models.PROTECT, related_name="vehicles")

    class Meta:
        indexes = [region_index("registry_vehicle_region")]
        constraints = [
            models.CheckConstraint(condition=Q(person__isnull=True) | Q(enterprise__isnull=True), name="registry_vehicle_one_owner")
        ]


class Place(models.Model):
    """A key place: school, market, care home, reservoir, high-rise, water source …"""

    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=128)
    kind = models.CharField(max_length=32)
    region_code = models.CharField(max_length=CODE)
    address = models.CharField(max_length=256, blank=True, default="")
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    tags = models.JSONField(default=list)

    class Meta:
        indexes = [region_index("registry_place_region")]


class Device(models.Model):
    """A sensor, camera or meter. ``coverage`` is its reach in metres, ``interval_seconds`` how often it should be heard."""

    class Status(models.TextChoices):
        ONLINE = "online"
        SILENT = "silent"
        FAULTY = "faulty"
        UNPROVED = "unproved"

    code = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=128, blank=True, default="")
    region_code = models.CharField(max_length=CODE)
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    owner_unit_id = models.BigIntegerField(null=True)  # orgs.Unit: another room's table, so by id
    place = models.ForeignKey(Place, null=True, on_delete=models.PROTECT, related_name="devices")
    building = models.ForeignKey(Building, null=True, on_delete=models.PROTECT, related_name="devices")
    household = models.ForeignKey(Household, null=True, on_delete=models.PROTECT, related_name="devices")
    coverage = models.FloatField(null=True)
    interval_seconds = models.PositiveIntegerField(default=3600)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.UNPROVED)
    last_seen = models.DateTimeField(null=True)
    last_value = models.FloatField(null=True)
    heard_in = models.DateTimeField(null=True)  # the ten minutes of ``last_seen``: what changes with every reading stands in no index

    class Meta:
        indexes = [
            region_index("registry_device_region"),
            models.Index(fields=["status", "interval_seconds", "heard_in"], name="registry_device_due_in"),
            models.Index(fields=["kind"], name="registry_device_kind"),
        ]


class DeviceChange(models.Model):
    """One change of a device's status, as its trace tells it; kept for the trend, for as long as retention says."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="changes")
    at = models.DateTimeField()
    before = models.CharField(max_length=16)
    after = models.CharField(max_length=16)

    class Meta:
        indexes = [
            models.Index(fields=["device", "at"], name="registry_devicechange_of"),
            models.Index(fields=["at"], name="registry_devicechange_at"),
        ]


class DeviceCredential(models.Model):
    """A device's secret, kept as SHA-256 (the secret is 32 random characters, so no slow hash is needed)."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="credentials")
    secret_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
