# The mail catcher. Built from the repository's root: docker build -f deploy/images/catcher.Dockerfile .
ARG PYTHON=3.13
FROM python:${PYTHON}-slim-bookworm

# Behind an index of your own: --build-arg PIP_INDEX_URL=… (not kept in the image).
ARG PIP_INDEX_URL
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 COUNTERFOIL_HOME=/data
WORKDIR /app

COPY pyproject.toml ./
COPY requirements/catcher.txt requirements/
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes -r requirements/catcher.txt \
 && useradd --system --uid 10001 --no-create-home counterfoil \
 && install -d -o counterfoil -g counterfoil /data

COPY shared/ shared/
COPY deploy/__init__.py deploy/
COPY deploy/catcher/ deploy/catcher/

USER 10001
VOLUME /data
EXPOSE 1025 8025
CMD ["python", "-m", "deploy.catcher", "--host", "0.0.0.0", "--smtp-port", "1025", "--http-port", "8025"]
