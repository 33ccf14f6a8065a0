"""Every address of the pages of jobs, for one `include`: the core's, the monitor's, and those of kinds by name.

The monitor lies below `admin/`: include this before the admin's own addresses, which end in a catch-all.
"""

from django.urls import URLPattern, URLResolver, include, path

from .kind import installed_kinds
from .staff import urls as staff_urls
from .web import urls as web_urls

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(staff_urls)),
    path("", include(web_urls)),
    *(path(f"{kind.name}/", include((kind.urls, kind.name))) for kind in installed_kinds() if kind.urls),
]
