"""The lab's addresses, below /lab/."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.home, name="home"),
    path("try/page/", views.page),
    path("try/waits/", views.waits),
    path("try/queues/", views.queues),
]
