// How many sidecars serve a revision, while they come to it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { environmentPath, get } from "../api/http";
import type { Convergence as Told } from "../api/types";

export function Convergence({ environment, revision }: { environment: string; revision: string }) {
  const told = useSignal<Told | undefined>(undefined);
  useEffect(() => {
    let timer: number | undefined;
    let tries = 0;
    const look = async () => {
      told.value = await get<Told>(`${environmentPath(environment)}/fleet/revisions/${encodeURIComponent(revision)}`).catch(() => undefined);
      if (told.value && !told.value.converged && ++tries < 30) {
        timer = window.setTimeout(look, 1000);
      }
    };
    void look();
    return () => window.clearTimeout(timer);
  }, [revision]);
  if (!told.value) {
    return null;
  }
  return <p>{told.value.of === 0 ? "No sidecar follows this environment now." : `${told.value.served} of ${told.value.of} sidecars serve it.`}</p>;
}
