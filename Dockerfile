# The two images: --target webhook and --target sidecar. They have Node, one bundle, the libraries that these are linked
# with and a bill of materials, and neither shell nor package manager nor source. `npm run build` comes first; `npm run
# images` does all.
#
# BASE has Node 24 at /usr/local/bin/node, and a shell; where libbpf 1 is missing it is installed by apt-get.
ARG BASE=node:24-bookworm-slim
# Of the bill of materials; `npm run images` gives that of package.json.
ARG VERSION=dev

FROM ${BASE} AS files
ARG VERSION
RUN ls /usr/lib/*/libbpf.so.1 > /dev/null 2>&1 || \
    { apt-get update && apt-get install --yes --no-install-recommends libbpf1; }
COPY scripts/image/gather.sh scripts/image/bill.ts build/*.packages.json build/sidecar/*.node /gather/
RUN sh /gather/gather.sh /webhook /usr/local/bin/node && \
    sh /gather/gather.sh /sidecar /usr/local/bin/node /usr/lib/*/libbpf.so.1 -- /gather/*.node && \
    cd /gather && \
    /usr/local/bin/node bill.ts bpf-sidecar-webhook "${VERSION}" /webhook webhook.packages.json && \
    /usr/local/bin/node bill.ts bpf-sidecar "${VERSION}" /sidecar sidecar.packages.json

# How Node is started here is decided in scripts/image.ts, with which a test compares it.
FROM scratch AS webhook
COPY --from=files /webhook/ /
COPY build/webhook/ /usr/lib/bpf-sidecar/
USER 65532:65532
ENV GLIBC_TUNABLES=glibc.malloc.arena_max=1
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=4", "/usr/lib/bpf-sidecar/bpf-sidecar.cjs"]

FROM scratch AS sidecar
COPY --from=files /sidecar/ /
COPY build/sidecar/ /usr/lib/bpf-sidecar/
ENV GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0
ENTRYPOINT ["/usr/local/bin/node", "--max-old-space-size=32", "--max-semi-space-size=1", "--v8-pool-size=0", "--no-turbofan", "--no-sparkplug", "--expose-gc", "/usr/lib/bpf-sidecar/bpf-sidecar.cjs"]
