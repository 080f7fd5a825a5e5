/** Literals frozen: agents are prompted with these names and parameters. */
import { expect, test } from 'vitest';
import { EMPTY_CATALOG } from '../../src/domain/catalog.ts';
import { objectOrEmpty } from '../../src/domain/json.ts';
import { findGatewayTool, gatewayToolItems } from '../../src/services/gateway/gateway-tools/definitions.ts';

const shapeOf = (exposure: 'agent' | 'discovery', debug: boolean) =>
  gatewayToolItems(debug)(exposure, EMPTY_CATALOG, []).map(({ name, inputSchema }) => {
    const { properties, required } = objectOrEmpty(inputSchema);
    return [name, Object.keys(objectOrEmpty(properties)).sort(), required];
  });

const STATUS = ['get_gateway_status', ['agent_id'], []];

test('the agent exposure shows the three tools of document 2 with their parameters', () => {
  const three = [
    ['list_servers', ['agent_id', 'include_metadata'], []],
    ['get_server_tools', ['agent_id', 'max_schema_tokens', 'names', 'pattern', 'server'], ['server']],
    ['execute_tool', ['agent_id', 'args', 'server', 'timeout_ms', 'tool'], ['server', 'tool', 'args']],
  ];
  expect(shapeOf('agent', false)).toEqual(three);
  expect(shapeOf('agent', true)).toEqual([...three, STATUS]);
});

test('the discovery exposure shows find_tools and call_tool', () => {
  const two = [
    ['find_tools', ['agent_id', 'limit', 'query', 'server'], ['query']],
    ['call_tool', ['agent_id', 'arguments', 'name', 'timeout_ms'], ['name']],
  ];
  expect(shapeOf('discovery', false)).toEqual(two);
  expect(shapeOf('discovery', true)).toEqual([...two, STATUS]);
});

test.each([
  ['list_servers', 'list_servers'],
  ['get_server_tools', 'get_server_tools'],
  ['execute_tool', 'execute_tool'],
  ['find_tools', 'find_tools'],
  ['intelligent_tool_finder', 'find_tools'],
  ['call_tool', 'call_tool'],
  ['invoke_mcp_tool', 'call_tool'],
  ['get_gateway_status', null],
  ['constructor', null],
  ['__proto__', null],
  ['echo', null],
])('%s is answered by %s', (name, by) => expect(findGatewayTool(name, false)).toBe(by));

test('get_gateway_status exists in debug alone', () =>
  expect(findGatewayTool('get_gateway_status', true)).toBe('get_gateway_status'));
