"""Every address of the site. A kind's own pages hang below its name."""

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from jobs import kind as kinds

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("jobs.monitor_urls")),
    path("admin/rq/", include("django_rq.urls")),
    path("admin/", admin.site.urls),
    path("accounts/", include("jobs.kinds.email.account_urls")),
    path("", include("jobs.urls")),
    *(path(f"{kind.name}/", include((kind.urls, kind.name))) for kind in kinds.installed() if kind.urls),
]
if settings.SANDBOX:
    urlpatterns.append(path("sandbox/", include("jobs.sandbox.urls")))
