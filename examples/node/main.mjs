// An application with OpenFeature's SDK for Node.js. It asks the sidecar beside it over OFREP and needs nothing but its address.
import { OpenFeature } from '@openfeature/server-sdk';
import { TrackingProvider } from './tracking.mjs';

const baseUrl = process.env.OFREP_ENDPOINT ?? 'http://127.0.0.1:8016';
await OpenFeature.setProviderAndWait(new TrackingProvider({ baseUrl }));
const client = OpenFeature.getClient();

for (const email of ['ada@shop.example', 'guest@example.org']) {
  const user = { targetingKey: email, email };
  const { value, variant, reason } = await client.getBooleanDetails('new-checkout', false, user);
  console.log(`${email} new-checkout=${value} variant=${variant} reason=${reason}`);
  client.track('visit', user, { value: 1 });
}

// A flag that does not exist is no failure of the application: its own default applies.
const missing = await client.getStringDetails('no-such-flag', 'my default');
console.log(`no-such-flag="${missing.value}" error=${missing.errorCode}`);
await OpenFeature.close();
