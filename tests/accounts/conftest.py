"""The account pages send mail: their tests share the fixtures of the e-mail kind's."""

from tests.kinds.email.conftest import _real_backend, attempt, mail_server  # noqa: F401 (fixtures)
