// The OFREP provider with tracking: client.track tells the sidecar what happened. What cannot be told is lost, as OpenFeature wants it: tracking is
// nothing that an application waits for or fails by.
import { OFREPProvider } from '@openfeature/ofrep-provider';

export class TrackingProvider extends OFREPProvider {
  #events;

  constructor(options) {
    super(options);
    this.#events = `${options.baseUrl}/v1/events`;
  }

  track(event, context, { value } = {}) {
    fetch(this.#events, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ event, targetingKey: context.targetingKey, value }),
      signal: AbortSignal.timeout(2000),
    }).catch(() => {});
  }
}
