"""Admin pages on which nobody edits."""

import pytest
from django.contrib import admin
from django.urls import reverse

from jobs.staff.read_only import ReadOnly

pytestmark = pytest.mark.django_db

PAGES = [model for model, page in admin.site._registry.items() if isinstance(page, ReadOnly)]


def test_there_are_such_pages():
    assert PAGES


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_not_even_a_superuser_adds_a_row_and_everybody_of_staff_reads_them(staff, model):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert staff.get(reverse(f"{name}_changelist")).status_code == 200
    assert staff.get(reverse(f"{name}_add")).status_code == 403


def test_rows_are_neither_changed_nor_deleted(rf, admin_user):
    class Page(ReadOnly):
        pass

    request = rf.get("/admin/")
    request.user = admin_user
    page = Page()
    assert not page.has_change_permission(request)
    assert not page.has_delete_permission(request)
