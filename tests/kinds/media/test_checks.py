"""What `manage.py check` says of the kernel."""

import pytest

from jobs.kinds.media import confinement
from jobs.kinds.media.checks import check_confinement

pytestmark = pytest.mark.apart


def test_there_is_a_warning_for_each_thing_that_the_kernel_lacks() -> None:
    found = check_confinement(None)
    assert [message.msg for message in found] == [
        f"Decoders of uploaded files can't be kept from {lack}." for lack in confinement.missing()
    ]
    assert {message.id for message in found} <= {"offload.W002"}
