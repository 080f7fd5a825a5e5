/** Finding in the registry in plain words: tools, as far as the caller may use them. */
import { z } from 'zod';
import type { JsonObject } from '../../../domain/json.ts';
import { done } from '../../registry/desk.ts';
import { defineTool, nameList, type RegistryTool } from './registry-tool.ts';

export const SEARCH_TOOLS: readonly RegistryTool[] = [
  defineTool({
    ...{ name: 'search_registry', title: 'Search the registry', needs: { kind: 'caller' } },
    description:
      'Searches the registry in plain words and returns the tools that fit, the best first, with their servers and input schemas. It finds tools alone: servers, agents and skills in the answer are always empty. Call what it finds with invoke_mcp_tool.',
    args: z.strictObject({
      query: z.string().trim().min(1).max(2000).describe('What you want to do, in plain words.'),
      max_results: z.int().min(1).max(50).default(10).describe('How many to return.'),
      tags: nameList.optional().describe('Only tools of servers that have all of these tags.'),
    }),
    async run({ finder }, { acting }, { query, max_results: limit, tags = [] }) {
      const { hits } = await finder.find(acting, { query, limit, server: null, tags, maxServers: null });
      const tools = hits.map(({ entry, score }): JsonObject => {
        const { path, name } = finder.describeServer(acting, entry.server);
        const { description = '', inputSchema = {} } = entry.ownItem;
        return {
          ...{ server_path: path, server_name: name, tool_name: entry.own },
          ...{ description, inputSchema, relevance_score: score },
        };
      });
      const others = { servers: [], agents: [], skills: [] };
      return done({ query, status: 'ok', tools, ...others, total_results: tools.length });
    },
  }),
];
