// Pages that are loaded when they are opened, so that the first one is small.

import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { Loading } from "./marks";

/** A page of another file, as one that can be drawn at once. */
export function later<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let known: ComponentType<P> | undefined;
  return function Later(props: P) {
    const loaded = useSignal(known !== undefined);
    const failed = useSignal(false);
    useEffect(() => {
      if (!known) {
        load().then((page) => {
          known = page;
          loaded.value = true;
        }, () => (failed.value = true));
      }
    }, []);
    if (failed.value) {
      return (
        <div class="note bad" role="alert">
          <p><strong>This page could not be loaded.</strong> The publisher may have been updated since you opened the console, or the network is away.</p>
          <p><button class="button" onClick={() => window.location.reload()}>Load the console again</button></p>
        </div>
      );
    }
    const Page = known;
    return loaded.value && Page ? <Page {...props} /> : <Loading what="the page" />;
  };
}
