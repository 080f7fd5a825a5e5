/** Entries of a registry, complete and plain; each test changes what it is about. */
import type { ApprovedTool } from '../../src/domain/approved-tool.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import type { Rating } from '../../src/domain/rating.ts';
import type { AgentDraft } from '../../src/domain/registered-agent.ts';
import type { GroupDraft } from '../../src/domain/registered-group.ts';
import type { ServerDraft } from '../../src/domain/registered-server.ts';
import type { ServerHealth } from '../../src/domain/server-health.ts';
import { hashDefinition } from '../../src/domain/tool-definition.ts';

const ENTRY = {
  description: 'Does what it says.',
  tags: [],
  license: null,
  visibility: 'public' as const,
  allowedGroups: [],
  status: 'active' as const,
  enabled: true,
  owner: 'https://issuer.test|ada',
  registeredBy: 'Ada',
  registeredAtMs: 1_000,
  updatedAtMs: 1_000,
  source: { kind: 'live' as const },
};

export function draftServer(path: string, changes: Partial<ServerDraft> = {}): ServerDraft {
  return {
    ...ENTRY,
    path,
    version: 'v1.0.0',
    isActiveVersion: true,
    name: path.slice(1),
    proxyUrl: `https://servers.test${path}`,
    mcpEndpoint: null,
    sseEndpoint: null,
    transport: 'streamable-http',
    supportedTransports: ['streamable-http'],
    launch: null,
    numTools: 0,
    sunsetDate: null,
    deployment: 'remote',
    localRuntime: null,
    authScheme: 'none',
    authHeaderName: null,
    sealedCredential: null,
    sealedHeaders: null,
    metadata: {},
    ...changes,
  };
}

export function draftAgent(path: string, changes: Partial<AgentDraft> = {}): AgentDraft {
  const url = `https://agents.test${path}`;
  return {
    ...ENTRY,
    path,
    name: path.slice(1),
    url,
    version: null,
    skills: [],
    trustLevel: 'unverified',
    protocol: 'a2a',
    card: { protocolVersion: '1.0', name: path.slice(1), url },
    metadata: {},
    ...changes,
  };
}

export function draftGroup(scopeName: string, changes: Partial<GroupDraft> = {}): GroupDraft {
  return {
    scopeName,
    scopeType: 'server_scope',
    description: '',
    serverAccess: [{ server: 'github', methods: 'all', tools: ['search'] }],
    groupMappings: ['developers'],
    uiPermissions: { list_service: 'all' },
    createdAtMs: 1_000,
    updatedAtMs: 1_000,
    ...changes,
  };
}

export function stars(subject: string, count: number): Rating {
  return { issuer: 'https://issuer.test', subject, name: subject, stars: count, atMs: 1_000 };
}

export function approvedTool(server: string, tool: string, changes: Partial<ApprovedTool> = {}): ApprovedTool {
  const approved: JsonObject = { name: tool, description: 'Does it.', inputSchema: { type: 'object' } };
  return {
    server,
    tool,
    approved,
    hash: hashDefinition(approved),
    approvedAtMs: 1_000,
    approvedBy: 'first-seen',
    ...{ pending: null, acknowledged: [] },
    ...changes,
  };
}

/** One that says something else now. */
export function driftedTool(server: string, tool: string): ApprovedTool {
  const definition: JsonObject = { name: tool, description: 'Does more.', inputSchema: { type: 'object' } };
  return approvedTool(server, tool, {
    pending: {
      definition,
      hash: hashDefinition(definition),
      changes: [{ pointer: '/description', kind: 'changed', effect: 'quarantine' }],
      seenAtMs: 2_000,
    },
  });
}

export function healthOf(path: string, changes: Partial<ServerHealth> = {}): ServerHealth {
  return { path, status: 'healthy', checkedAtMs: 1_000, numTools: 3, ...changes };
}
