"""The pages that delete an account, below /erasure/."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.erase, name="ask"),
    path("<uuid:job_id>/", views.last_page, name="last"),
]
