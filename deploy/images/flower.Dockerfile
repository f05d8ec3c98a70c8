# Flower, Celery's dashboard. Built from the repository's root: docker build -f deploy/images/flower.Dockerfile .
ARG PYTHON=3.13
FROM python:${PYTHON}-slim-bookworm

# Behind an index of your own: --build-arg PIP_INDEX_URL=… (not kept in the image).
ARG PIP_INDEX_URL
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

COPY requirements/ops.txt requirements/
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes -r requirements/ops.txt \
 && useradd --system --uid 10001 --no-create-home counterfoil

USER 10001
EXPOSE 5555
CMD ["python", "-m", "celery", "flower", "--address=0.0.0.0", "--port=5555"]
