# syntax=docker/dockerfile:1
# CloutAgent for JupyterLab on port $PORT (3000). `docker compose up` is the short way; docs/containers.md says more.
#
# Three folders outlive a container, each for a volume of its own:
#   /data  projects, executions, backups, JupyterLab's settings
#   /keys  the file of the keys that open projects' secrets; keep its copies apart from those of /data
#   /work  notebooks and data, JupyterLab's root

# ---- the panel and the wheel: needs Node.js, of which nothing is left in the image
FROM node:20-bookworm-slim AS node
FROM python:3.11-slim-bookworm AS build
COPY --from=node /usr/local/bin/node /usr/local/bin/node
WORKDIR /src
RUN pip install --no-cache-dir build==1.6.1
COPY . .
RUN python -m build --wheel --outdir /dist

# ---- what runs
FROM python:3.11-slim-bookworm
# Debian's own versions: within a release they change for security only.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap git tini \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --user-group --create-home --shell /bin/bash clout \
    && install --directory --owner=clout --group=clout /data /work \
    && install --directory --owner=clout --group=clout --mode=0700 /keys
COPY --from=build /dist/*.whl /tmp/dist/
# `demo`: what the starter projects and notebooks use; `telemetry`: OpenTelemetry. The version is the wheel's own.
# hadolint ignore=DL3013
RUN wheel="$(ls /tmp/dist/*.whl)" \
    && pip install --no-cache-dir "${wheel}[demo,telemetry]" \
    && rm -r /tmp/dist
COPY jupyter-config/container/ /etc/jupyter/

ENV PORT=3000 \
    CLOUTAGENT_DATA_DIR=/data/cloutagent \
    CLOUTAGENT_ENCRYPTION_KEY_FILE=/keys/cloutagent.keys \
    JUPYTER_CONFIG_DIR=/data/jupyter \
    NOTEBOOK_DIR=/work

USER 1000:1000
WORKDIR /work
VOLUME ["/data", "/keys", "/work"]
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "/etc/jupyter/healthcheck.py"]
ENTRYPOINT ["tini", "--"]
CMD ["jupyter", "lab"]
