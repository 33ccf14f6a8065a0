"""The media kind's addresses, below /media/."""

from django.urls import path

from jobs.kinds.media import views

urlpatterns = [
    path("", views.listing, name="files"),
    path("<int:pk>/", views.detail, name="detail"),
    path("files/<uuid:job>/<str:name>", views.file, name="file"),
]
