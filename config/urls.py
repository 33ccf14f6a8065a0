"""Every address of the site."""

from allauth.account.decorators import secure_admin_login
from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from accounts.second_factor import may_enter_admin
from accounts.views import enter_admin

handler400 = "jobs.web.views.bad_request"
handler404 = "jobs.web.views.not_found"

admin.site.site_header = admin.site.site_title = "Offload administration"
# Staff sign in as everybody does: the admin's own form asks for no second factor, and has no limit against guessing.
admin.site.login = secure_admin_login(enter_admin)  # type: ignore[method-assign]
admin.site.has_permission = may_enter_admin  # type: ignore[method-assign]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("jobs.urls")),
    # django-rq's pages load what lies in Redis; the monitor counts it.
    re_path("^admin/rq/", RedirectView.as_view(pattern_name="monitor:page")),
    path("admin/", admin.site.urls),
    path("accounts/", include("accounts.urls")),
]
if apps.is_installed("jobs.sandbox"):
    urlpatterns.append(path("sandbox/", include("jobs.sandbox.urls")))
