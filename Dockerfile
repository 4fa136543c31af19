# One image for every service: FUNCTION_SOURCE and FUNCTION_TARGET choose at its start, and infra/topology.yaml has both.
# tests/mesh/test_image.py takes these very steps without a container engine.
# The base is pinned by its tag only: a digest has to be read from the registry, docs/deploy.md says how.
# checkov:skip=CKV_DOCKER_2:Cloud Run probes the port by itself and ignores HEALTHCHECK
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
# A lock file names all that is installed, so nothing is resolved: what the package index offers by now does not matter.
RUN python -m venv --without-pip /mesh/venv \
    && python -m pip --python /mesh/venv/bin/python install --no-cache-dir --no-deps --require-hashes \
        --only-binary :all: -r requirements.lock \
    && python -m pip --python /mesh/venv/bin/python check
RUN python -m venv --without-pip tools \
    && python -m pip --python tools/bin/python install --no-cache-dir --no-deps --require-hashes \
        --only-binary :all: -r requirements-build.lock \
    && python -m pip --python tools/bin/python check
COPY pyproject.toml README.md LICENSE ./
COPY gti_mesh gti_mesh
COPY services services
COPY shared shared
COPY infra infra
# The wheel puts the sources of services where Python says; the link puts them where the topology says.
RUN tools/bin/python -m hatchling build -t wheel -d dist \
    && python -m pip --python /mesh/venv/bin/python install --no-cache-dir --no-index --no-deps dist/*.whl \
    && ln -s "$(/mesh/venv/bin/python -I -c 'import services; print(services.__path__[0])')" /mesh/services

FROM python:3.11.14-slim-bookworm
# HOME is where gunicorn keeps its control socket, and on Cloud Run only memory can be written to.
ENV PATH=/mesh/venv/bin:$PATH PYTHONUNBUFFERED=1 HOME=/tmp
# Decodes bzip2 in less time than libbz2, and on several processors; without it the downloader does with libbz2.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends lbzip2=2.5-2.3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /mesh /mesh
WORKDIR /mesh
USER 65532:65532
CMD ["functions-framework"]
