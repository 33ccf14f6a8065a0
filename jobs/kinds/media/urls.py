"""The media kind's addresses, below /media/."""

from django.urls import path

from jobs.kinds.media import views

urlpatterns = [path("files/<uuid:job>/<str:name>", views.file, name="file")]
