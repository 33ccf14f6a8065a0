"""The media kind's addresses, below /media/."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.listing, name="files"),
    path("<int:pk>/", views.detail, name="detail"),
    path("files/<uuid:job>/<str:name>", views.file, name="file"),
    path("zip/<uuid:job>/", views.zip_of_job, name="zip"),
    path("zip/submit/<uuid:submit>/", views.zip_of_submit, name="zip_of_submit"),
]
