// The browser's driver. The page comes from the matrix of clients, which hands out commands and takes reports over HTTP; evaluations go
// to the sidecar, which is of another origin.
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { listen, perform } from './driver.mjs';

const parameters = new URLSearchParams(window.location.search);
const report = (message) => fetch('/report', { method: 'POST', body: JSON.stringify(message) });

const client = OpenFeature.getClient();
listen(client, ProviderEvents, report);
await run();

async function run() {
  const provider = new OFREPWebProvider({
    baseUrl: parameters.get('sidecar'),
    changeDetection: parameters.get('mode'), // polling or sse
    pollInterval: 300,
    cacheMode: 'disabled',
  });
  await OpenFeature.setProviderAndWait(provider).catch((error) => report({ event: 'failed', message: String(error) }));
  await report({ event: 'started' });
  for (;;) {
    const command = await (await fetch('/command')).json();
    if (!command.op) {
      continue;
    }
    const setContext = (context) => OpenFeature.setContext(context);
    const answer = await perform(client, setContext, command).catch((error) => ({ failure: String(error) }));
    await report({ id: command.id, ...answer });
  }
}
