"""Addresses of the values, below /arithmetic/."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.values, name="values"),
    path("<int:pk>/", views.value, name="value"),
]
