"""The values, and every change that was made to one.

Numbers are stored as `exact.written` writes them: as text, since SQLite would turn decimals into floats.
"""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from ...contract import Job
from .exact import MAX_LENGTH, Operation

MAX_NAME = 60
"""Characters of a value's name."""


class Value(models.Model):
    """A named number that jobs change.

    number: what it is now. changes_made: how many changes led to it, the place of the newest in its history.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=MAX_NAME)
    number = models.CharField(max_length=MAX_LENGTH, default="0")
    changes_made = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="arithmetic_name_once_for_each_owner"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The value's page."""
        return reverse("arithmetic:value", args=[self.pk])

    @property
    def resource(self) -> str:
        """The line in which its operations wait."""
        return f"value:{self.pk}"


class Change(models.Model):
    """What one job made of a value: it read one number and wrote another.

    place: 1 for the value's first change. Two that read the same number would claim the same place, so the database
    refuses the second. job: at most one change for each, so an operation that is repeated counts once.
    """

    value = models.ForeignKey(Value, models.CASCADE, related_name="changes")
    job = models.OneToOneField(Job, models.SET_NULL, null=True, related_name="+")
    place = models.PositiveIntegerField()
    operation = models.CharField(max_length=10, choices=Operation.choices)
    operand = models.CharField(max_length=MAX_LENGTH)
    read = models.CharField(max_length=MAX_LENGTH)
    wrote = models.CharField(max_length=MAX_LENGTH)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["value", "place"], name="arithmetic_place_once_for_each_value")]

    def __str__(self) -> str:
        return f"{self.sign} {self.operand}: {self.read} → {self.wrote}"

    @property
    def sign(self) -> str:
        """How the operation is written: + − × =."""
        return Operation(self.operation).sign
