# The gateway in a container, for production unless GATEWAY_ENVIRONMENT says otherwise: docs/operations.md#container.
#
# The digest is that of the index of all platforms. Dependabot proposes newer ones.
FROM python:3.14-slim-trixie@sha256:e11c17f46f87983eb946b121694dedba6290ee2b0dd5294d137d82943502d179 AS base

FROM base AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
# Nothing is installed whose hash is not known, nor what builds it: `make hashes`.
COPY requirements requirements
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: --requirement requirements/build.txt \
    && /opt/build/bin/pip wheel --require-hashes --no-deps --no-build-isolation --wheel-dir /wheels --requirement requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY docs/api.md docs/api.md
RUN /opt/build/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /wheels . \
    && python -m venv --without-pip /opt/gateway \
    && /opt/build/bin/pip --python /opt/gateway/bin/python install --no-deps --no-index /wheels/*.whl

FROM base
RUN groupadd --gid 10001 gateway \
    && useradd --uid 10001 --gid gateway --home-dir /var/lib/gateway --create-home --shell /usr/sbin/nologin gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_ENVIRONMENT=production \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_LOG_FORMAT=json
USER 10001:10001
# What is written to files is written to .gateway here, and to /tmp: all else may be read-only.
WORKDIR /var/lib/gateway
VOLUME /var/lib/gateway
EXPOSE 8000
# Reads port and root path from the server's variables, and checks a worker too. So set variables, not flags.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["gateway", "health"]
ENTRYPOINT ["gateway"]
CMD ["serve"]
