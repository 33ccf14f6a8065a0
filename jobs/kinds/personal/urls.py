"""The page of a person's data and the copies of it, below /export/."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("<uuid:job_id>/download/", views.download, name="download"),
]
