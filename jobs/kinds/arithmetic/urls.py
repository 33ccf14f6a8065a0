"""Addresses of the values, below /arithmetic/."""

from django.urls import path

from jobs.kinds.arithmetic import views

urlpatterns = [
    path("", views.values, name="values"),
    path("<int:pk>/", views.value, name="value"),
]
