"""The pictures of a post, made to fit each network on which it appears, before it is posted anywhere."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils.translation import gettext_lazy

from ...contract import Failed, Job, Kind, Role, Run, Sentence
from ..media import library
from .models import Account
from .sentences import SENTENCES

FORMATS = ("image/jpeg", "image/png")
"""What every network takes."""


class PicturesKind(Kind):
    """Decodes what strangers made, hence a media job of its own. The posts of the same submit come after it.

    Payload: `sources`, the storage's names of the pictures; `folder`, where they lie; `alts`, what they show;
    `accounts`, keys of the accounts.
    """

    name = "pictures"
    label = gettext_lazy("Pictures of a post")
    role = Role.MEDIA
    max_attempts = 3
    time_limit = timedelta(minutes=5)
    summary_template = "social/_pictures.html"
    sentences = SENTENCES
    stylesheet = "social/social.css"

    def run(self, run: Run) -> dict[str, Any]:
        """Make every picture fit every account. Result: `pictures`, by account key a list in the pictures' order.

        Each is {path, type, width, height, alt}. Accounts with the same limits share one file.
        """
        sources = run.payload["sources"]
        accounts = Account.objects.filter(pk__in=run.payload["accounts"], owner=run.owner_id)
        limits = {account.pk: _limits(account) for account in accounts}
        wanted = sorted(set(limits.values()))
        made: dict[tuple[int, int], list[dict[str, Any]]] = {each: [] for each in wanted}
        total = len(sources) * len(wanted)
        for number, (source, alt) in enumerate(zip(sources, run.payload["alts"], strict=True), 1):
            for index, each in enumerate(wanted):
                percent = 100 * ((number - 1) * len(wanted) + index) / total
                run.progress(percent, "fitting", number=number, total=len(sources))
                path = f"{_folder(run.job_id)}/{run.attempt}-{index}-{number}"
                made[each].append({**_fitted(source, number, each, path), "alt": alt})
        sizes = [default_storage.size(one["path"]) for some in made.values() for one in some]
        run.stored(sum(sizes) + sum(map(default_storage.size, sources)))
        return {"pictures": {str(pk): made[each] for pk, each in limits.items()}}

    def forget(self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None) -> None:
        """Delete the pictures that were sent and those that were made of them."""
        if folder := payload.get("folder"):
            library.delete_folder(folder)
        library.delete_folder(_folder(job_id))

    def files(
        self, job_id: UUID, payload: Mapping[str, Any], result: Mapping[str, Any] | None
    ) -> Iterable[tuple[str, Callable[[], BinaryIO]]]:
        """The pictures as they were sent."""
        for number, source in enumerate(payload.get("sources", []), 1):
            yield f"picture-{number}", partial(_open, source)


def prepared_for(account: Account, job_id: UUID) -> list[dict[str, Any]]:
    """The pictures for a post to the account, as the job of the same submit made them. job_id: of the post.

    Raises Failed if they are not there any more.
    """
    job = Job.objects.filter(kind=PicturesKind.name, submit__jobs=job_id).first()
    pictures = (job.result or {}).get("pictures", {}) if job else {}
    found: list[dict[str, Any]] | None = pictures.get(str(account.pk))
    if found is None:
        raise Failed("pictures_gone", can_retry=False)
    return found


def shown_of(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pictures that stand for all when they are shown to their owner: those of the first account."""
    return next(iter(result.get("pictures", {}).values()), [])


def _limits(account: Account) -> tuple[int, int]:
    """The bytes and pixels of a picture for the account: what its server takes, and no more than its network shows."""
    shown = account.network_object.limits.picture_pixels
    return account.limit("picture_bytes") or 0, min(account.limit("picture_pixels") or shown, shown)


def _fitted(source: str, number: int, limits: tuple[int, int], path: str) -> dict[str, Any]:
    """Make one picture fit, and store it. number: its place in the post, for people. path: where, without a suffix.

    Raises Failed with a sentence that names the picture.
    """
    max_bytes, max_pixels = limits
    try:
        with default_storage.open(source) as file:
            fitted = library.fit(file, max_bytes=max_bytes, max_pixels=max_pixels, formats=FORMATS)
    except Failed as error:
        problem = Sentence(error.sentence.code, kind="media", **error.sentence.values)
        raise Failed(error.code, say="in_picture", number=number, problem=problem, can_retry=False) from error
    except FileNotFoundError as error:
        raise Failed("file_gone", number=number, can_retry=False) from error
    name = f"{path}.{fitted.format.rpartition('/')[2]}"
    stored = default_storage.save(name, ContentFile(fitted.content))
    return {"path": stored, "type": fitted.format, "width": fitted.width, "height": fitted.height}


def _open(path: str) -> BinaryIO:
    return cast(BinaryIO, default_storage.open(path))


def _folder(job_id: UUID) -> str:
    return f"social/prepared/{job_id}"
