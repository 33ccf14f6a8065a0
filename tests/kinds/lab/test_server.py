"""The web server of one experiment."""

import pytest
import requests

from jobs.kinds.lab.server import serving

pytestmark = [pytest.mark.apart, pytest.mark.stack]


def ask(address: str) -> requests.Response:
    """What the site says to a program where nothing is; that takes no rows and no collected static files."""
    return requests.get(f"{address}/nowhere/", headers={"Accept": "application/json"}, timeout=60)


def test_it_serves_this_site_and_ends_with_its_block():
    with serving() as address:
        answer = ask(address)
        assert answer.status_code == 404
        assert "There is nothing here" in answer.json()["errors"]["__all__"][0]
    with pytest.raises(requests.ConnectionError):
        ask(address)
