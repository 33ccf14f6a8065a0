"""Settings of the bare project (bench.bare): those of a new Django project, on Offload's database."""

from config import settings

ALLOWED_HOSTS = ["*"]
DATABASES = {"default": settings.DATABASES["default"]}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "jobs"]
LOGGING = settings.LOGGING
ROOT_URLCONF = "bench.bare"
SECRET_KEY = settings.SECRET_KEY
USE_TZ = True
# Of the app whose tables these are.
OFFLOAD = settings.OFFLOAD
RQ_QUEUES = settings.RQ_QUEUES
