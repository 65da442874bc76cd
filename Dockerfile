# The gateway and what it needs at run time, nothing else: no shell, no package manager, no test part. Node itself comes as the
# npm package `node`, as in a checkout. Both bases can be chosen; BASE needs glibc, libstdc++ and libgcc only.
#
# `docker build .` runs the first stage. `npm run image` runs no stage at all: it hands the same two folders in under the
# stage's name (--build-context packages=...), so the image needs no registry and no network, and is the same each time.
ARG BUILD=docker.io/library/node:26-bookworm-slim
ARG BASE=gcr.io/distroless/cc-debian12

FROM ${BUILD} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# What Node's package left behind when it had installed itself is as large as half of it. The version is asked for, so that an
# npm that runs no install scripts ends the build and not the first start.
RUN npm ci --omit=dev --no-audit --no-fund && rm -rf node_modules/node/node_modules && node_modules/.bin/node --version
# Node is linked with it, and small bases lack it.
RUN mkdir /libraries && cp -L /usr/lib/*-linux-gnu*/libatomic.so.1 /libraries/

FROM ${BASE}
WORKDIR /app
COPY --from=packages --chown=0:0 /libraries/ /usr/lib/
COPY --from=packages --chown=0:0 /app/node_modules node_modules
COPY --chown=0:0 package.json ./
COPY --chown=0:0 src src
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/app/node_modules/node/bin/node", "-e", "fetch('http://127.0.0.1:9464/livez').then(reply => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
# SIGUSR1 would open Node's inspector, and with it the memory that holds every key (security.md K4). Workers inherit the flag.
ENTRYPOINT ["/app/node_modules/node/bin/node", "--disable-sigusr1", "/app/src/cli/main.ts"]
CMD ["serve", "--config", "/etc/tidegate/tidegate.yaml"]
