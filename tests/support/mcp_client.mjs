// A client of MCP that shares nothing with ours: the TypeScript SDK's, which server-everything brings along.
//
// node mcp_client.mjs PACKAGE_JSON ORDER: PACKAGE_JSON says beside what the SDK is installed; ORDER is JSON
// { command, args, env, cwd, tool, arguments }. Prints what the server offers, and what the call came to.
import { createRequire } from 'node:module';

const require = createRequire(process.argv[2]);
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');

const { tool, arguments: given, ...program } = JSON.parse(process.argv[3]);
const client = new Client({ name: 'somebody-else', version: '1' });
await client.connect(new StdioClientTransport({ ...program, stderr: 'ignore' }));
const { tools } = await client.listTools();
const progress = [];
const result = await client.callTool({ name: tool, arguments: given }, undefined, {
  onprogress: ({ progress: done, message }) => progress.push([done, message]),
  timeout: 90_000
});
console.log(JSON.stringify({ server: client.getServerVersion(), tools, result, progress }));
await client.close();
