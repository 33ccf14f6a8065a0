"""Addresses of the accounts, below /social/."""

from django.urls import path

from . import views

urlpatterns = [
    path("accounts/", views.accounts, name="accounts"),
    path("accounts/<int:pk>/avatar/", views.avatar, name="avatar"),
    path("accounts/<int:pk>/disconnect/", views.disconnect, name="disconnect"),
    path("pictures/<uuid:job>/<int:number>/", views.picture, name="picture"),
    path("connect/again/<uuid:job>/", views.again, name="again"),
    path("connect/<str:network>/callback/<str:key>/", views.callback, name="callback"),
    path("connect/<str:network>/", views.connect, name="connect"),
]
