// An application that evaluates flags by itself, with the in-process provider of flagd, and tells the sidecar how often.
import { OpenFeature } from '@openfeature/server-sdk';
import { FlagdProvider } from '@openfeature/flagd-provider';
import { UsageHook } from './hook.mjs';

const [host, port] = process.env.FLAGD_SYNC_ENDPOINT.split(':');
await OpenFeature.setProviderAndWait(new FlagdProvider({ host, port: Number(port), resolverType: 'in-process' }));
const hook = new UsageHook(process.env.OFREP_ENDPOINT);
const client = OpenFeature.getClient();
client.addHooks(hook);

for (const email of ['ada@shop.example', 'guest@example.org']) {
  const user = { targetingKey: email, email };
  const { value, variant, reason } = await client.getBooleanDetails('new-checkout', false, user);
  console.log(`${email} new-checkout=${value} variant=${variant} reason=${reason}`);
}
const missing = await client.getStringDetails('no-such-flag', 'my default');
console.log(`no-such-flag="${missing.value}" error=${missing.errorCode}`);
await hook.tell();
await OpenFeature.close();
