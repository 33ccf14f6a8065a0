"""The sandbox's pages on the main site, below /sandbox/."""

from django.urls import path

from . import views

app_name = "sandbox"
urlpatterns = [
    path("", views.home, name="home"),
    path("mail/", views.mail_list, name="mail"),
    path("mail/<str:key>/", views.mail_detail, name="mail_detail"),
    path("network/", views.network, name="network"),
]
