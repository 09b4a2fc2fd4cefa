"""Tables of accounts and rights. Passwords and tokens are stored hashed only; looks at personal data are kept here, not in the trace."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password
from django.db import models
from django.db.models import F, Q

from gridloop.kernel import clock


class UserManager(BaseUserManager["User"]):
    """Reads by log-in name; accounts are created by ``access.actions`` only."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username=username)


class User(AbstractBaseUser):
    """An account of a person or a machine. What it may do comes from its grants alone: there is no superuser flag to forget."""

    username = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=80)
    staff = models.ForeignKey("orgs.Staff", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # '' until somebody chose: that of the browser
    lang = models.CharField(max_length=2, default="", blank=True, choices=[("zh", "中文"), ("en", "English")])
    machine = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now)
    password_given = models.BooleanField(db_default=False, default=False, help_text="set by somebody else: its person must change it")
    last_login = None  # a log-in is a session row; writing the account at each log-in would need rights nobody has yet

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.CheckConstraint(name="user_lang_known", condition=Q(lang__in=["", "zh", "en"]))]

    def __str__(self) -> str:
        return self.username

    def check_password(self, raw_password: str | None) -> bool:
        """Compare only: renewing the stored hash belongs to a change of password, which has the right to write."""
        return check_password(raw_password, self.password)

    @property
    def email(self) -> str:
        """Accounts carry no address: notices go through the staff's channels."""
        return ""

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Django's own permissions are not used; rights are asked of the viewer."""
        return False


class RoleGrant(models.Model):
    """One role of one account over one territory (code prefix, '' = everywhere), for department people bound to a unit tree."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=32)
    region = models.CharField(max_length=18, blank=True, default="")
    unit = models.ForeignKey("orgs.Unit", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    valid_from = models.DateTimeField(null=True, blank=True)  # empty = always: a replay may set the clock years back
    valid_to = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["user", "valid_to"], name="grant_of_user")]
        constraints = [
            models.CheckConstraint(
                name="grant_ends_after_start",
                condition=Q(valid_to__isnull=True) | Q(valid_from__isnull=True) | Q(valid_to__gte=F("valid_from")),
            ),
            models.UniqueConstraint(
                name="grant_once_at_a_time",
                fields=["user", "role", "region", "unit"],
                condition=Q(valid_to__isnull=True),
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role}@{self.region or '*'}"


class LookLog(models.Model):
    """Who opened whose personal data, why, when (kept at least six months). ``subject`` is an id such as ``person:12``, never a name."""

    at = models.DateTimeField(default=clock.now)
    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    unit = models.ForeignKey("orgs.Unit", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=80)
    purpose = models.CharField(max_length=40)
    reason = models.CharField(max_length=400, blank=True, default="")
    count = models.PositiveIntegerField(default=1)

    class Meta:
        indexes = [
            models.Index(fields=["unit", "-at"], name="look_of_unit"),
            models.Index(fields=["subject", "-at"], name="look_at_subject"),
            models.Index(fields=["user", "-at"], name="look_of_user"),
        ]
        constraints = [models.CheckConstraint(name="look_count_positive", condition=Q(count__gte=1))]

    def __str__(self) -> str:
        return f"{self.subject} ({self.purpose})"


class TokenUse(models.Model):
    """An API token that was used at least once."""

    token = models.OneToOneField("allauth_idp_oidc.Token", primary_key=True, on_delete=models.CASCADE, related_name="+")
    first_at = models.DateTimeField(default=clock.now)
