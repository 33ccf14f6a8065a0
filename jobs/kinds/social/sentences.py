"""All that jobs with posts and accounts say to people, whatever the network; what only one says is in its folder."""

from collections.abc import Iterator, Mapping

from django.utils.translation import gettext_lazy as _

from ...contract import JobError, Text, worded
from .networks import networks

KIND = "social"
"""The kind whose sentences these and the networks' are."""

SENTENCES: dict[str, Text] = {
    # What is being done.
    "fitting": _("Fitting picture %(number)d of %(total)d"),
    "uploading": _("Uploading picture %(number)d of %(total)d to %(host)s"),
    "posting": _("Posting to %(who)s"),
    # The account.
    "account_gone": _("The account was disconnected before this was posted. Connect it and submit the post again."),
    "reconnect": _("%(problem)s This post waits for that."),
    "credentials_unreadable": _("The access to %(who)s can't be read any more. Connect the account again."),
    "reconnected": _("The account was connected again meanwhile."),
    # Connecting and disconnecting.
    "talking": _("Talking with %(who)s"),
    "begin_again": _("What you filled in is kept for an hour and used once, and is gone. Please connect once more."),
    "too_many_accounts": _(
        "There is no room for another account: at most %(most)s may be connected. "
        "Disconnect one that you need no more, then connect this one once more."
    ),
    "not_told": _(
        "%(account)s is disconnected, but %(who)s could not be told: %(problem)s You can also remove Offload in its "
        "settings."
    ),
    # The pictures.
    "pictures_gone": _("The pictures of this post are not there any more. Please submit it again."),
    "file_gone": _("Picture %(number)d is not there any more. Please submit the post again."),
    "in_picture": _("Picture %(number)d: %(problem)s"),
    # Addresses that are not called.
    "address": _("This is not a web address. It should look like https://mastodon.example."),
    "address_not_https": _("The address must begin with https://."),
    "named_not_https": _("%(who)s named an address that does not begin with https://, which we don't call."),
    "private_address": _("%(host)s is a private address; we only connect to public ones."),
    "not_public": _("There is no public server at %(host)s. Please check the address."),
    # Servers that do not answer, or something else than was hoped for.
    "no_answer": _("%(who)s did not answer."),
    "no_answer_in_time": _("%(who)s did not answer in time."),
    "no_certificate": _("%(who)s has no valid certificate, so we can't talk to it safely."),
    "not_understood": _("%(who)s answered something that we can't read."),
    "rate_limited": _("%(who)s asked us to slow down."),
    "rate_limited_until": _("%(who)s asked us to wait until %(until)s."),
    "unavailable": _("%(who)s has a problem%(said)s"),
    "redirect": _("%(who)s sends us on to another address. Connect that one instead."),
    "access_refused": _("%(who)s does not accept our access any more%(said)s Connect the account again."),
    "refused": _("%(who)s refused this%(said)s"),
    # Why, at the end of another sentence: what the server said, or the status of its answer.
    "said": _(": “%(words)s”."),
    "status": _(" (HTTP %(status)d)."),
}


class _Sentences(Mapping[str, Text]):
    """What all networks share, then what each adds; looked up when it is read, since networks register at any time."""

    def __getitem__(self, code: str) -> Text:
        for sentences in self._parts():
            if code in sentences:
                return sentences[code]
        raise KeyError(code)

    def __iter__(self) -> Iterator[str]:
        return iter({code for sentences in self._parts() for code in sentences})

    def __len__(self) -> int:
        return sum(1 for _code in self)

    def _parts(self) -> Iterator[Mapping[str, Text]]:
        yield SENTENCES
        yield from (network.sentences for network in networks())


ALL_SENTENCES = _Sentences()


def in_words(error: JobError) -> str:
    """What is wrong, for a form that says it at once."""
    return worded(error.sentence.as_data(), KIND)
