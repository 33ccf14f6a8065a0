"""Where the monitor and /healthz live."""

from django.contrib import admin
from django.urls import path

from . import views

app_name = "monitor"
urlpatterns = [
    path("healthz", views.health, name="health"),
    path("admin/monitor/", admin.site.admin_view(views.page), name="page"),
    path("admin/monitor/pause/", admin.site.admin_view(views.pause), name="pause"),
    path("admin/monitor/resume/", admin.site.admin_view(views.resume), name="resume"),
    path("admin/monitor/data.json", admin.site.admin_view(views.data), name="data"),
]
