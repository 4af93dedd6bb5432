// Counts what an application evaluates by itself, and tells it to the sidecar, which cannot see it.
export class UsageHook {
  #counts = new Map();
  #client = crypto.randomUUID(); // says that it is the same application that tells
  #sidecar;

  constructor(sidecar) {
    this.#sidecar = sidecar;
  }

  // Called after every evaluation, also after one that failed.
  finally(_context, { flagKey: flag, variant = '', reason = '', errorCode = '' }) {
    const key = JSON.stringify({ flag, variant, reason, errorCode });
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  // Tells what was counted since the last time. Call it once a minute, also without any evaluation, and at the end.
  async tell() {
    const evaluations = [...this.#counts].map(([key, count]) => ({ ...JSON.parse(key), count }));
    this.#counts.clear();
    const response = await fetch(`${this.#sidecar}/v1/evaluations`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ client: this.#client, evaluations }),
    });
    if (response.status !== 202) throw new Error(`the sidecar answers ${response.status}: ${await response.text()}`);
    return response.json();
  }
}
