# One image a service: docker build --build-arg SERVICE=notes -t lianyi/notes:0.1.0 .
# It holds what the service imports and nothing else: no pip packages of development, no compiler, no local stack.
FROM python:3.11.14-slim-bookworm AS build
COPY requirements-run.txt /build/
# Wheels alone, each with its hash: nothing is compiled here and nothing else comes in.
RUN python3 -m venv --without-pip /opt/venv \
    && python3 -m pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --only-binary :all: \
        --require-hashes -r /build/requirements-run.txt
ARG SERVICE
COPY shared /app/shared
COPY services/__init__.py /app/services/
COPY services/${SERVICE} /app/services/${SERVICE}
# Its three lines are what `python /app` runs. Without SERVICE there is no such file, and the build ends.
COPY services/${SERVICE}/__main__.py /app/
RUN /opt/venv/bin/python -m compileall -q /app

FROM python:3.11.14-slim-bookworm
# Nothing is written to the file system: it may be read-only.
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 LIANYI_HOST=0.0.0.0
WORKDIR /app
USER 10001:10001
EXPOSE 8000 9000
ENTRYPOINT ["python", "/app"]
CMD ["run"]
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
