"""Every address of the pages of jobs, for one `include`: the core's, the monitor's, and those of kinds by name.

The monitor lies below `admin/`: include this before the admin's own addresses, which end in a catch-all.
"""

from django.urls import URLPattern, URLResolver, include, path

from .staff import urls as staff_urls
from .web import urls as web_urls
from .web.kind_pages import kind_pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(staff_urls)),
    path("", include(web_urls)),
    *kind_pages(),
]
