# The operator's image: one executable on a base without shell or package manager.
#
# Base images are pinned by tag. A release pins them by digest as well; a digest has to be looked up in the registry
# at that moment, so it does not stand here.

FROM docker.io/denoland/deno:debian-2.9.6 AS build
WORKDIR /build
COPY deno.json deno.lock main.ts ./
COPY crds crds
COPY scripts scripts
COPY src src
COPY tools/build.ts tools/build.ts
RUN deno task build --bundle-only
# The same line as COMPILE_COMMAND in tools/build.ts, which says why; tests/unit/tools/build_test.ts compares the two.
RUN deno compile --no-check --no-prompt --frozen --allow-net --allow-env --allow-read --allow-write=/termination-log,/exchange,/var/lib/odoo --allow-sys=osRelease,hostname --v8-flags=--max-semi-space-size=4,--max-old-space-size=128,--max-opt=1,--expose-gc --include dist -o odoo-operator dist/main.js

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /build/odoo-operator /usr/local/bin/odoo-operator
# The same line as IMAGE_ENVIRONMENT in tools/build.ts, which says why; the test compares this one, too.
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=16384 MALLOC_TOP_PAD_=0 MALLOC_TRIM_THRESHOLD_=65536
# nonroot's number, so that Kubernetes can tell without a look into /etc/passwd
USER 65532:65532
# 8081: /healthz, /readyz and /metrics; 9443: the validating webhook, served where there is a certificate
EXPOSE 8081 9443
ENTRYPOINT ["/usr/local/bin/odoo-operator"]
