"""Addresses of the core's pages."""

from django.urls import path

from . import delete_views, time_zone, views

app_name = "offload"
urlpatterns = [
    path("", views.home, name="home"),
    path("jobs/", views.my_jobs, name="list"),
    path("jobs/usage/", views.usage, name="usage"),
    path("jobs/new/<slug:name>/", views.new, name="new"),
    path("jobs/delete/", delete_views.all_finished, name="delete_all"),
    path("jobs/submits/<uuid:submit_id>/", views.submit, name="submit"),
    path("jobs/submits/<uuid:submit_id>/retry/", views.retry_failed, name="retry_failed"),
    path("time-zone/", time_zone.choose, name="time_zone"),
    path("jobs/status.json", views.statuses, name="statuses"),
    path("jobs/<uuid:job_id>/", views.detail, name="detail"),
    path("jobs/<uuid:job_id>/status.json", views.status, name="status"),
    path("jobs/<uuid:job_id>/retry/", views.retry, name="retry"),
    path("jobs/<uuid:job_id>/reschedule/", views.reschedule, name="reschedule"),
    path("jobs/<uuid:job_id>/cancel/", views.cancel, name="cancel"),
    path("jobs/<uuid:job_id>/skip/", views.skip, name="skip"),
    path("jobs/<uuid:job_id>/delete/", delete_views.one, name="delete"),
]
