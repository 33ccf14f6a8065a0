# One image for web, workers and migrations; docker-compose.yml says which is which.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 VAR_DIR=/var/lib/offload
RUN useradd --system --uid 10001 --home-dir /nonexistent offload \
    && install --directory --mode 700 --owner offload --group offload "$VAR_DIR" "$VAR_DIR/media"
WORKDIR /app

# The modes are said, since files of a work folder may be closed to all but their owner.
COPY --chmod=755 requirements/base.txt requirements/
RUN pip install --require-hashes -r requirements/base.txt

# What is in this image.
COPY --chmod=755 requirements/sbom.cdx.json requirements/
COPY --chmod=755 manage.py gunicorn.conf.py ./
COPY --chmod=755 config config
COPY --chmod=755 accounts accounts
COPY --chmod=755 jobs jobs
COPY --chmod=755 templates templates

USER offload
# The settings ask for a key; collecting static files uses none, and none stays in the image.
RUN SECRET_KEY=unused SANDBOX=0 python manage.py collectstatic --noinput --verbosity 0
EXPOSE 8000
CMD ["gunicorn", "config.asgi"]
