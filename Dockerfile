# syntax=docker/dockerfile:1
# docker build -t ideapool .                                      CPU, standard starter model
# docker build -t ideapool:cuda --build-arg ACCELERATOR=cuda .    NVIDIA GPU
# A release also gives --build-arg VERSION=… and, with --label, what only it knows: source and revision.
# Base images are pinned by tag; who publishes the image should pin them by digest.
# Debian keeps only the newest build of a package, and a stage has no tag:
# hadolint global ignore=DL3008,DL3006
ARG ACCELERATOR=cpu

FROM python:3.12-slim-trixie AS runtime-cpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

FROM nvidia/cuda:12.8.1-runtime-ubuntu24.04 AS runtime-cuda
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 python3 \
    && rm -rf /var/lib/apt/lists/*
ENV IDEAPOOL_GPU_LAYERS=-1

# On x86-64 the library of llama.cpp comes compiled. Elsewhere it is compiled for any CPU of the kind.
FROM runtime-cpu AS builder-cpu
ENV LOCK=requirements.lock CMAKE_ARGS="-DLLAVA_BUILD=OFF -DGGML_NATIVE=OFF"
RUN if [ "$(uname -m)" != x86_64 ]; then \
        apt-get update \
        && apt-get install -y --no-install-recommends g++ \
        && rm -rf /var/lib/apt/lists/*; \
    fi

# The instructions every x86-64 server since 2015 has, not those of the machine that builds.
# The driver's libcuda.so.1 is there only when the container runs, so the link step may not ask for it.
FROM nvidia/cuda:12.8.1-devel-ubuntu24.04 AS builder-cuda
ENV LOCK=requirements-native.lock \
    CMAKE_ARGS="-DLLAVA_BUILD=OFF -DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON -DGGML_CUDA=on -DCMAKE_CUDA_ARCHITECTURES=80;86;89;90;120 -DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined"
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ python3-venv \
    && rm -rf /var/lib/apt/lists/*

# Every download is checked against the locks; the environment is then made from those files alone.
FROM builder-${ACCELERATOR} AS builder
WORKDIR /app
COPY requirements-build.lock requirements-compile.lock requirements-native.lock requirements.lock ./
RUN python3 -m venv /build \
    && /build/bin/pip install --no-cache-dir --require-hashes \
        -r requirements-build.lock -r requirements-compile.lock
RUN CMAKE_BUILD_PARALLEL_LEVEL="$(nproc)" /build/bin/pip wheel --verbose --no-cache-dir \
        --no-build-isolation --require-hashes --wheel-dir /wheels -r "$LOCK"
COPY pyproject.toml LICENSE ./
COPY service/__init__.py service/
RUN /build/bin/hatchling build --target wheel:editable --directory /wheels \
    && python3 -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --no-index /wheels/*.whl
# The wheel of a compiled library holds every file six times; one and two links each are enough.
RUN cd .venv/lib/python3.12/site-packages/llama_cpp/lib 2>/dev/null || exit 0; \
    rm -r ../../lib ../../include \
    && for file in *.so.*.*.*; do \
        ln -sf "$file" "${file%.*.*}" && ln -sf "$file" "${file%%.so*}.so" || exit 1; \
    done

FROM builder AS model
ARG MODEL=standard
COPY models models
COPY service service
RUN --mount=type=cache,target=/cache \
    IDEAPOOL_DATA_DIR="/cache/$MODEL" IDEAPOOL_MODEL="$MODEL" .venv/bin/ideapool models fetch \
    && cp -a "/cache/$MODEL/models" models-files

FROM runtime-${ACCELERATOR}
ARG MODEL=standard
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="Ideapool" \
    org.opencontainers.image.description="A self-hosted idea board with its own small language models" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.licenses="Apache-2.0"
ENV PATH="/app/.venv/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    IDEAPOOL_HOST=0.0.0.0 \
    IDEAPOOL_PORT=8000 \
    IDEAPOOL_DATA_DIR=/data \
    IDEAPOOL_BUNDLED_MODELS_DIR=/app/models-files \
    IDEAPOOL_MODEL=$MODEL \
    IDEAPOOL_CREATE_KEY=true
WORKDIR /app
RUN install -d -o 10001 -g 10001 /data
COPY --from=builder /app/.venv .venv
COPY --from=model /app/models-files models-files
COPY LICENSE pyproject.toml ./
COPY models models
COPY static static
COPY templates templates
COPY translations translations
COPY service service
# The user may not write beside the modules, so every start would compile them again.
RUN python -m compileall -q service
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --start-interval=2s \
    CMD ["python", "-c", "import os, urllib.request as web; web.urlopen(f\"http://127.0.0.1:{os.environ['IDEAPOOL_PORT']}/livez\", timeout=4)"]
CMD ["ideapool", "serve"]
