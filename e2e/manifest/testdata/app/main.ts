// An application that asks for flags by accessors that OpenFeature's command line has generated from what it pulled.
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { getGeneratedClient } from './openfeature';

async function main() {
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: process.env.OFREP_ENDPOINT ?? '' }));
  const flags = getGeneratedClient();
  const gold = { targetingKey: 'ada', plan: 'gold' };
  const checkout = await flags.newCheckoutDetails(gold);
  console.log('new-checkout', checkout.value, checkout.variant, checkout.reason);
  console.log('greeting', await flags.greeting(gold));
  console.log('most.results', await flags.mostResults(gold));
  console.log('rate', await flags.rate(gold));
  console.log('limits', JSON.stringify(await flags.limits(gold)));
  console.log('banner', await flags.banner(gold));
  console.log('forgotten', await flags.forgotten(gold));
  console.log('guarded', await flags.guarded(gold));
}

main();
