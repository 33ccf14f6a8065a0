"""A file and its versions."""

from jobs.kinds.media.models import MediaFile
from jobs.sandbox.samples import sample_photo
from tests.kinds.media.test_kind import perform, result_of, upload


def test_the_upload_is_version_one(client, user):
    job = perform(upload(client, user, sample_photo()))

    file = MediaFile.objects.get()
    result = result_of(job)
    assert (file.owner, file.name, file.type) == (user, "holiday.jpg", "image")
    assert (file.current.number, file.current.job, file.current.path) == (1, job, job.payload["source"])
    assert file.current.measures == {"format": "JPEG", "bytes": len(sample_photo()), "width": 1500, "height": 2000}
    assert (result["file"], result["name"], result["version"]) == (file.pk, "holiday.jpg", 1)
