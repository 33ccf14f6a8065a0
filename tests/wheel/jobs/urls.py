"""Addresses of vacancies."""

from django.urls import path

from .views import vacancies

app_name = "jobs"
urlpatterns = [path("", vacancies, name="list")]
