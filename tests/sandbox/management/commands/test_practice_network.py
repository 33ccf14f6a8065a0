"""`manage.py practice_network` as it is called."""

import pytest

pytestmark = [
    pytest.mark.stack,
    pytest.mark.apart,
    pytest.mark.django_db(transaction=True, databases=["default", "sandbox"]),
]


@pytest.mark.parametrize("url", ["https://127.0.0.1", "http://", "nonsense", "http://127.0.0.1:port"])
def test_an_address_that_is_none_gets_one_sentence(start, url):
    process = start("practice_network", SANDBOX_URL=url)
    assert process.popen.wait(20) == 1
    assert "SANDBOX_URL" in process.log
    assert "must be an address such as http://127.0.0.1:8001" in process.log
    assert "Traceback" not in process.log
    assert "Traceback" not in process.log
