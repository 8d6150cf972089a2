# One image for all services; its command says which one runs: `python -m chat`.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# The build has an environment of its own, and the one that is shipped has no pip.
RUN python -m venv /opt/build && python -m venv --without-pip /opt/warren
COPY constraints.txt ./
RUN /opt/build/bin/pip install -c constraints.txt hatchling
# Dependencies before the source: a changed line of code does not install them again.
COPY pyproject.toml ./
RUN /opt/build/bin/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > needed.txt \
 && /opt/build/bin/pip --python /opt/warren/bin/python install -c constraints.txt -r needed.txt
COPY README.md ./
COPY shared shared
COPY services services
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/build/bin/pip --python /opt/warren/bin/python install --no-deps dist/*.whl

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Warren" \
      org.opencontainers.image.description="Event-driven chat services on RabbitMQ" \
      org.opencontainers.image.licenses="MIT"
# /run/warren/alive is the IsAlive file: without it a gateway asks load balancers for no more clients.
RUN groupadd --system --gid 10001 warren \
 && useradd --system --uid 10001 --gid warren --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin warren \
 && install -d -o warren -g warren /run/warren /var/lib/warren \
 && install -m 644 -o warren -g warren /dev/null /run/warren/alive
COPY --from=build /opt/warren /opt/warren
COPY deploy/probe.py /opt/warren/probe.py
# Inside a container all interfaces are its own; WARREN_PORT is here for the health check too.
ENV PATH=/opt/warren/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    WARREN_HOST=0.0.0.0 \
    WARREN_PORT=8080
# By number, so that a cluster can see that it is not root.
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-IS", "/opt/warren/probe.py", "/livez"]
CMD ["python", "-m", "gateway"]
