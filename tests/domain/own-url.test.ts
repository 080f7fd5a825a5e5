import { expect, test } from 'vitest';
import { isOwnUrl, type OwnAddress } from '../../src/domain/own-url.ts';

const at = (host: string, publicUrl: string | null = null): OwnAddress => ({
  publicUrl,
  listening: { scheme: 'http', host, port: 8000 },
});
const behind = at('10.0.0.7', 'https://gate.example.com/registry');

test.each([
  { url: 'https://gate.example.com/mcpgw/mcp', address: behind, own: true, because: 'it is the public address' },
  { url: 'HTTPS://GATE.example.com:443', address: behind, own: true, because: 'that is another spelling of it' },
  { url: 'http://10.0.0.7:8000/mcp', address: behind, own: true, because: 'it is what is listened on' },
  { url: 'http://localhost:8000/mcp', address: at('127.0.0.1'), own: true, because: 'loopback has three names' },
  { url: 'http://[::1]:8000/', address: at('::'), own: true, because: 'everywhere is loopback too' },
  { url: 'http://localhost:8000/', address: behind, own: false, because: 'on loopback nothing is listened on' },
  { url: 'http://gate.example.com/', address: behind, own: false, because: 'another scheme is another address' },
  { url: 'https://gate.example.com:8443/', address: behind, own: false, because: 'so is another port' },
  { url: 'http://127.0.0.1:8001/', address: at('127.0.0.1'), own: false, because: 'next door is somebody else' },
  { url: 'https://gate.example.com.evil.test/', address: behind, own: false, because: 'a longer name is another' },
  { url: 'https://gate.example.com@evil.test/', address: behind, own: false, because: 'what is before @ is no host' },
  { url: 'https://x@gate.example.com/', address: behind, own: false, because: 'nobody needs a name in it' },
  { url: 'gate.example.com', address: behind, own: false, because: 'it is no URL' },
  { url: '', address: behind, own: false, because: 'nor is nothing' },
  {
    ...{ url: 'http://127.0.0.1:8000/', own: false, because: 'nothing is listened on' },
    address: { publicUrl: null, listening: null },
  },
])('$url: $because', ({ url, address, own }) => expect(isOwnUrl(url, address)).toBe(own));
