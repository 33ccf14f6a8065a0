"""Vacancies."""

from django.conf import settings
from django.db import models


class Job(models.Model):
    """A vacancy. owner: who offers it."""

    id = models.BigAutoField(primary_key=True)
    title = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="jobs")
    objects: "models.Manager[Job]" = models.Manager()

    class Meta:
        app_label = "jobs"

    def __str__(self) -> str:
        return self.title
