"""What the lab's steps share."""

from django.db import models


class Value(models.Model):
    """A number that several steps read and write. The next run deletes those of the last."""

    number = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.number)
