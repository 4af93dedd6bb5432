// A page with OpenFeature's web SDK. It asks a sidecar for all flags at once, and again when the user or a flag changes. The sidecar is
// named by the query, as in /?sidecar=http://127.0.0.1:8016, and must allow the page's origin. With changes=none the page looks once.
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const query = new URLSearchParams(location.search);
const baseUrl = query.get('sidecar') ?? 'http://127.0.0.1:8016';
const user = document.querySelector('#user');
user.value = query.get('user') ?? user.value;
const context = () => ({ targetingKey: user.value, email: user.value });

await OpenFeature.setContext(context());
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, changeDetection: query.get('changes') ?? 'sse' })).catch(show);
const client = OpenFeature.getClient();

// Evaluation is local: the provider holds the answers for the user.
function show() {
  const checkout = OpenFeature.getClient().getBooleanDetails('new-checkout', false);
  const missing = OpenFeature.getClient().getStringDetails('no-such-flag', 'my default');
  document.querySelector('#answers').innerHTML = `
    <li>${user.value} new-checkout=${checkout.value} variant=${checkout.variant} reason=${checkout.reason}</li>
    <li>no-such-flag="${missing.value}" error=${missing.errorCode}</li>`;
}

user.addEventListener('change', () => OpenFeature.setContext(context()).then(show));
client.addHandler(ProviderEvents.ConfigurationChanged, show);
show();
