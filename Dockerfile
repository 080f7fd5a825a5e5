# syntax=docker/dockerfile:1

# Everything needed to build, thrown away afterwards.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY scripts ./scripts
COPY src ./src
COPY config ./config
COPY gateway.config.yaml ./
RUN node scripts/build.mjs

# What runs: the bundle and the packages that the default servers come from.
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production \
    GATEWAY_TRANSPORT=http \
    GATEWAY_HTTP_HOST=0.0.0.0 \
    GATEWAY_HTTP_PORT=8000
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json gateway.config.yaml LICENSE ./
COPY config ./config
# The demo servers write here and nowhere else.
RUN mkdir -p demo-data && cp -r config/demo-files demo-data/files && chown -R node:node demo-data
USER node

# Inside a container the door is open to the network by nature, so the gateway refuses to start without a credential:
#   docker run -p 8000:8000 -e GATEWAY_API_KEY="$(openssl rand -base64 32)" gatehouse
# Own servers: mount a configuration and name it with GATEWAY_CONFIG or GATEWAY_MCP_CONFIG. For a client that launches
# the container itself: docker run -i gatehouse stdio
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.GATEWAY_HTTP_PORT}/health`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# SIGTERM drains: calls under way get `drain` (10 s by default) to finish.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "dist/main.js"]
