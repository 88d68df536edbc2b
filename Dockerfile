# Footnote in a container: docker build -t footnote . && docker run -p 7860:7860 -v footnote:/data footnote
FROM python:3.11-slim

# pip takes a further index from this, where one is wanted: torch's plain wheel is the CUDA build and brings some
# gigabytes that a machine without a GPU has no use for. README.md says more.
ARG PIP_EXTRA_INDEX_URL

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app

# Before the code, so that a change of it installs nothing again
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

# 1000 is the user that a Space runs containers as
RUN useradd --create-home --uid 1000 footnote \
    && install --directory --owner footnote --group footnote /data
COPY . .

USER 1000
ENV RAG_HOST=0.0.0.0 \
    RAG_LIBRARY=/data/library \
    RAG_CACHE=/data/cache
VOLUME /data
EXPOSE 7860

# The page answers within seconds; the models load, and at the first start are fetched, behind it
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; from rag.config import load_settings; urlopen(f'http://127.0.0.1:{load_settings().port}/', timeout=5)"]

CMD ["python", "app.py"]
