// The Node.js driver: node node.mjs MODE PORT, commands on standard input, reports on standard output, one JSON object a line.
import { createInterface } from 'node:readline';
import { OpenFeature, ProviderEvents } from '@openfeature/server-sdk';
import { FlagdProvider } from '@openfeature/flagd-provider';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { listen, perform } from './driver.mjs';

const [mode, port] = process.argv.slice(2);
const report = (message) => process.stdout.write(JSON.stringify(message) + '\n');
console.log = console.info = console.debug = (...words) => console.error(...words); // the SDK's words are not reports

const providers = {
  ofrep: () => new OFREPProvider({ baseUrl: `http://127.0.0.1:${port}` }),
  rpc: () => new FlagdProvider({ host: '127.0.0.1', port: Number(port), resolverType: 'rpc' }),
  'in-process': () => new FlagdProvider({ host: '127.0.0.1', port: Number(port), resolverType: 'in-process' }),
};

const client = OpenFeature.getClient();
listen(client, ProviderEvents, report);
await OpenFeature.setProviderAndWait(providers[mode]()).catch((error) => report({ event: 'failed', message: String(error) }));
report({ event: 'started' });

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const answer = await perform(client, null, command).catch((error) => ({ failure: String(error) }));
  report({ id: command.id, ...answer });
}
await OpenFeature.close();
process.exit(0);
