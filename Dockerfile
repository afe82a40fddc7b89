# The gateway in a container: `make image`, then `docker run --publish 8000:8000 --volume gateway:/var/lib/gateway gateway`.

FROM python:3.14-slim-trixie AS build
WORKDIR /source
RUN python -m venv /opt/gateway
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
COPY docs/api.md docs/api.md
RUN /opt/gateway/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt '.[nats]'

FROM python:3.14-slim-trixie
RUN useradd --system --uid 10001 --home-dir /var/lib/gateway --create-home gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_LOG_FORMAT=json
USER gateway
# The SQLite database and the generated keys are stored in .gateway here.
WORKDIR /var/lib/gateway
VOLUME /var/lib/gateway
EXPOSE 8000
# Reads port and root path from the server's variables, and checks a worker too. So set variables, not flags.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["gateway", "health"]
ENTRYPOINT ["gateway"]
CMD ["serve"]
