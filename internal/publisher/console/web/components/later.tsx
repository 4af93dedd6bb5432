// Pages that are loaded when they are first opened, so that the first page stays small.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Loading } from "./marks";

/** A component that is loaded when it is first drawn. */
export function later<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | undefined;
  return function Later(props: P) {
    const [failed, setFailed] = useState(false);
    const [, draw] = useState(0);
    const read = () => {
      setFailed(false);
      load().then((component) => {
        loaded = component;
        draw((n) => n + 1);
      }, () => setFailed(true));
    };
    useEffect(() => {
      if (!loaded) {
        read();
      }
    }, []);
    if (loaded) {
      const Page = loaded;
      return <Page {...props} />;
    }
    if (failed) { // the network is away, or the publisher is a newer one that has other files
      return <p class="note bad" role="alert">This page could not be loaded. <button class="link" onClick={() => window.location.reload()}>Load it again</button></p>;
    }
    return <Loading what="the page" />;
  };
}
