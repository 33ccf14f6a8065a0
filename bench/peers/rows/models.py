"""The row: what an application needs at least. Not: leases, retries, owners, encryption, order."""

from django.db import models


class Row(models.Model):
    """One job. Its number is its key."""

    status = models.CharField(max_length=10, default="pending")
    title = models.CharField(max_length=200, default="bench")
    result = models.JSONField(null=True)
    error = models.TextField(default="")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: "models.Manager[Row]" = models.Manager()

    def __str__(self) -> str:
        return f"{self.pk} {self.status}"
