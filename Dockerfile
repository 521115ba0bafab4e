# The container image: the program, the C library it runs on, certificates, time zones, and nothing else.
#
# Built by `deploy/build-image expiry-watch:dev`, tried by `deploy/check-image`, described in deploy/image.md.

# Name them by digest where you publish: --build-arg BUILDER_IMAGE=rust@sha256:...
ARG BUILDER_IMAGE=rust:1.95-slim-bookworm
ARG SYSTEM_IMAGE=debian:bookworm-slim

# ------------------------------------------------------------------------------------------------------------ the program
FROM ${BUILDER_IMAGE} AS build

# Writes the list of dependencies into the program, where a scanner of the image finds it.
ARG CARGO_AUDITABLE_VERSION=0.7.7
RUN cargo install --quiet --locked --root /usr/local --version "${CARGO_AUDITABLE_VERSION}" cargo-auditable

WORKDIR /build

# The dependencies first, of an empty program: they are built again when Cargo.lock changes, not when a source does. Tests and
# benchmarks stay out of the build's context, so their tables leave the manifest.
COPY Cargo.toml Cargo.lock ./
RUN awk '/^\[\[(test|bench)\]\]/ { skip = 1; next } /^\[/ { skip = 0 } !skip' Cargo.toml > manifest && mv manifest Cargo.toml \
    && mkdir src && echo 'fn main() {}' > src/main.rs && : > src/lib.rs \
    && cargo auditable build --quiet --release --locked --no-default-features

# `demo` builds the simulated tenant in. Only what that needs beyond the rest is built here.
ARG FEATURES=""
RUN [ -z "${FEATURES}" ] || cargo auditable build --quiet --release --locked --no-default-features --features "${FEATURES}"

COPY config config
COPY src src

# Shown by /metrics, beside the version.
ARG REVISION=""
# Cargo goes by times of change, and those of the sources are older than the empty program's.
RUN touch src/lib.rs src/main.rs \
    && EXPIRY_WATCH_REVISION="${REVISION}" \
        cargo auditable build --quiet --release --locked --no-default-features --features "${FEATURES}" \
    && mv target/release/expiry-watch /expiry-watch

# ------------------------------------------------------------------------------------------------- what it needs of the system
FROM ${SYSTEM_IMAGE} AS system

SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# The shared libraries of two packages, with what a scanner needs to know them by; time zones, which may be newer than the built-in
# ones; the names of a user without rights.
RUN mkdir -p /image/usr/lib /image/usr/lib64 /image/usr/share/zoneinfo /image/etc /image/var/lib/dpkg/status.d \
        /image/var/lib/expiry-watch /state \
    && ln -s usr/lib /image/lib && ln -s usr/lib64 /image/lib64 \
    && for package in libc6 libgcc-s1; do \
        dpkg -L "${package}" | grep -E '^/(usr/)?lib(64)?/([^/]+/)?[^/]+\.so[.0-9]*$' \
            | tar -cf - --files-from - 2> /dev/null | tar -xf - -C /image --keep-directory-symlink; \
        dpkg -s "${package}" > "/image/var/lib/dpkg/status.d/${package}"; \
    done \
    && if [ -f /usr/share/zoneinfo/tzdata.zi ]; then \
        tar -cf - -C /usr/share/zoneinfo --exclude ./posix --exclude ./right . | tar -xf - -C /image/usr/share/zoneinfo; \
        dpkg -s tzdata > /image/var/lib/dpkg/status.d/tzdata; \
    fi \
    && cp /etc/os-release /image/etc/os-release \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
    && echo 'watch:x:65532:65532:Expiry Watch:/var/lib/expiry-watch:/nonexistent' > /image/etc/passwd \
    && echo 'watch:x:65532:' > /image/etc/group

# ------------------------------------------------------------------------------------------------------------ the image
FROM scratch

COPY --from=system /image/ /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# The one place that is written to; mount a volume here, or on it lies what was told already.
COPY --from=system --chown=65532:65532 /state /var/lib/expiry-watch/state
COPY --from=build /expiry-watch /usr/bin/expiry-watch

# `sqlite:state/expiry-watch.db`, as production.toml has it, is found from here.
WORKDIR /var/lib/expiry-watch
USER 65532:65532
VOLUME /var/lib/expiry-watch/state

# TMPDIR: SQLite puts the overflow of large sorts there, and nothing else can be written.
# MALLOC_MMAP_THRESHOLD_: large blocks go back to the system as soon as they are free. glibc otherwise raises this threshold by itself
# and keeps them: 158 instead of 117 MB with 100,000 credentials (docs/performance.md).
ENV EXPIRY_WATCH_CONFIG=/etc/expiry-watch/expiry-watch.toml \
    EXPIRY_WATCH_LOG_FORMAT=json \
    TMPDIR=/var/lib/expiry-watch/state \
    MALLOC_MMAP_THRESHOLD_=131072

# The configuration has to say `listen = "0.0.0.0:8080"` to be reached from outside the container.
EXPOSE 8080

# Asks /health inside the container; another port needs another `--url`.
HEALTHCHECK --interval=30s --timeout=6s --start-period=15s --retries=3 CMD ["/usr/bin/expiry-watch", "healthcheck"]

# Process 1 is the program itself: SIGTERM reaches it, and it ends within 5 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/expiry-watch"]
CMD ["run"]

# What differs from build to build (version, time, source) is for the command that builds: deploy/build-image sets it by --label.
ARG REVISION=""
LABEL org.opencontainers.image.title="Expiry Watch" \
    org.opencontainers.image.description="Tells the right people, in time, that a credential they depend on is about to expire" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.revision="${REVISION}"
