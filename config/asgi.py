"""The ASGI application that gunicorn serves."""

from config.front import Front
from config.settings import BEHIND_PROXY, CONNECTIONS_PER_ADDRESS
from config.wsgi import application as site
from jobs.web.body_limit import HEAD_ONLY, STRANGERS_BYTES

application = Front(
    site,
    behind_proxy=BEHIND_PROXY,
    each=CONNECTIONS_PER_ADDRESS,
    small=STRANGERS_BYTES,
    head_only=HEAD_ONLY,
)
