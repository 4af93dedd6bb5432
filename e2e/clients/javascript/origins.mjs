// The page that asks a sidecar of another origin as a script without a provider would: with its own header fields, so that the browser asks
// first (CORS preflight). It runs the tests that its address names, and reports what became of them.

const parameters = new URLSearchParams(window.location.search);
const sidecar = parameters.get('sidecar');
const witness = parameters.get('witness'); // passes requests on to the sidecar and remembers them
const patience = 10_000; // milliseconds for one test

const flag = '/ofrep/v1/evaluate/flags/tenanted';
const bulk = '/ofrep/v1/evaluate/flags';
const fields = {
  'Content-Type': 'application/json',
  'If-None-Match': '"none"',
  'X-Tenant': 'shop', // becomes an attribute of the context
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  tracestate: 'shop=1',
  baggage: 'user=1',
};

const tests = {
  async preflight() {
    await value(witness);
  },
  async 'header becomes context'() {
    expect(await value(sidecar), 'the value of the shop');
  },
  async 'entity tag'() {
    const response = await ask(sidecar + bulk);
    expect(response.status, 200);
    const tag = response.headers.get('ETag');
    expect(/^".+"$/.test(tag), true, `the page reads the ETag ${tag}`);
    const again = await ask(sidecar + bulk, { 'If-None-Match': tag });
    expect(again.status, 304);
    expect(again.headers.get('ETag'), tag);
  },
  async 'event stream'() {
    const { eventStreams } = await (await ask(sidecar + bulk)).json();
    const events = new EventSource(sidecar + eventStreams[0].endpoint.requestUri);
    const first = await next(events);
    const following = next(events); // it may come before the answer about the change
    await fetch('/change', { method: 'POST' });
    const second = await following;
    events.close();
    expect(JSON.parse(second.data).type, 'refetchEvaluation');
    expect(second.lastEventId !== first.lastEventId, true, 'the event is one of another state');
  },
  async 'field that is not listed'() {
    await refused(() => ask(sidecar + flag, { 'X-Unlisted': '1' }));
  },
  async 'no answer'() {
    await refused(() => ask(witness + flag));
  },
  async 'no answer without a preflight'() {
    await refused(() => fetch(sidecar + flag, { method: 'POST', body: '{}' }));
  },
  async 'no event stream'() {
    const events = new EventSource(sidecar + '/ofrep/v1/sse');
    await refused(() => next(events));
    expect(events.readyState, EventSource.CLOSED);
  },
};

const results = [];
for (const test of parameters.getAll('test')) {
  const failure = await within(tests[test]).then(() => '', String);
  results.push({ test, failure });
}
await fetch('/results', { method: 'POST', body: JSON.stringify(results) });

function ask(address, others) {
  return fetch(address, { method: 'POST', headers: { ...fields, ...others }, body: '{"context":{"targetingKey":"user-1"}}' });
}

async function value(server) {
  const response = await ask(server + flag);
  expect(response.status, 200);
  return (await response.json()).value;
}

// next waits for an event.
function next(events) {
  return new Promise((resolve, reject) => {
    events.onmessage = resolve;
    events.onerror = () => reject(new TypeError('the event stream failed'));
  });
}

// refused expects that the browser keeps the answer from the page.
async function refused(request) {
  const error = await request().then(() => 'an answer', (error) => error);
  expect(error instanceof TypeError, true, `the request fails, after ${error}`);
}

function within(test) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`not done after ${patience} ms`)), patience));
  return Promise.race([test(), late]);
}

function expect(got, want, sentence = 'the answer') {
  if (got !== want) {
    throw new Error(`${sentence}: got ${got}, want ${want}`);
  }
}
