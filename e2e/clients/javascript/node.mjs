// The Node.js driver: node node.mjs MODE ADDRESS, commands on standard input, reports on standard output, one JSON object a line.
import { createInterface } from 'node:readline';
import { OpenFeature, ProviderEvents } from '@openfeature/server-sdk';
import { FlagdProvider } from '@openfeature/flagd-provider';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { listen, perform } from './driver.mjs';

const [mode, address] = process.argv.slice(2);
const report = (message) => process.stdout.write(JSON.stringify(message) + '\n');
console.log = console.info = console.debug = (...words) => console.error(...words); // the SDK's words are not reports

function newProvider() {
  if (mode === 'ofrep') {
    return new OFREPProvider({ baseUrl: `http://${address}` });
  }
  if (address.startsWith('unix:')) {
    return new FlagdProvider({ socketPath: address.slice('unix:'.length), resolverType: mode });
  }
  const [host, port] = address.split(':');
  return new FlagdProvider({ host, port: Number(port), resolverType: mode });
}

const client = OpenFeature.getClient();
listen(client, ProviderEvents, report);
await OpenFeature.setProviderAndWait(newProvider()).catch((error) => report({ event: 'failed', message: String(error) }));
report({ event: 'started' });

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const answer = await perform(client, null, command).catch((error) => ({ failure: String(error) }));
  report({ id: command.id, ...answer });
}
await OpenFeature.close();
process.exit(0);
