"""The web server of one experiment."""

import pytest
import requests

from jobs.kinds.lab.server import serving

pytestmark = [pytest.mark.apart, pytest.mark.stack]


def test_it_serves_this_site_and_ends_with_its_block():
    with serving() as address:
        assert "Time zone" in requests.get(f"{address}/time-zone/", timeout=60).text
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{address}/time-zone/", timeout=5)
