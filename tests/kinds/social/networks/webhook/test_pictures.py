"""Pictures of a post to a webhook, and all that was said of it."""

import base64
from io import BytesIO

import pytest
from PIL import Image

from tests.kinds.social.conftest import result_of
from tests.kinds.social.pictures import TWO, posted
from tests.servers.stand_in import Reply

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_webhook_gets_pictures_and_everything_that_was_said(receiver, webhook_account):
    receiver.routes["POST /hook"] = Reply()
    (job,) = posted(webhook_account, pictures=TWO, warning="Fields", language="de", visibility="private")
    result_of(job)
    data = receiver.asked[0].json["data"]
    assert (data["warning"], data["language"], data["visibility"]) == ("Fields", "de", "private")
    assert [picture["alt"] for picture in data["pictures"]] == ["A teal field", "A red field"]
    with Image.open(BytesIO(base64.b64decode(data["pictures"][0]["content"]))) as image:
        assert (image.format, image.size) == ("JPEG", (60, 40))
