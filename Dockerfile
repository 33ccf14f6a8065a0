# One image for web, workers and migrations; docker-compose.yml says which is which.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 VAR_DIR=/var/lib/offload
RUN useradd --system --uid 10001 --home-dir /nonexistent offload \
    && install --directory --owner offload --group offload "$VAR_DIR" "$VAR_DIR/media"
WORKDIR /app

COPY requirements/base.txt requirements/
RUN pip install --require-hashes -r requirements/base.txt

COPY manage.py gunicorn.conf.py ./
COPY config config
COPY accounts accounts
COPY jobs jobs
COPY templates templates
# The settings ask for a key; collecting static files uses none, and none stays in the image.
RUN SECRET_KEY=unused SANDBOX=0 python manage.py collectstatic --noinput --verbosity 0

USER offload
EXPOSE 8000
CMD ["gunicorn", "config.asgi"]
