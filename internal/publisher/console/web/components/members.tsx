// The members of a segment that has many: those that are visible are drawn, and all of them are searched.

import { useComputed, useSignal } from "@preact/signals";
import { Rows } from "./rows";

export function Members({ attribute, values }: { attribute: string; values: string[] }) {
  const text = useSignal("");
  const found = useComputed(() => {
    const wanted = text.value.trim().toLowerCase();
    return wanted === "" ? values : values.filter((v) => v.toLowerCase().includes(wanted));
  });
  return (
    <section aria-label="Members" class="members">
      <h3>Members by {attribute}</h3>
      <input type="search" aria-label="Search members" placeholder="Search members" value={text.value} onInput={(e) => (text.value = e.currentTarget.value)} />
      <p class="quiet" role="status">{found.value.length === values.length ? `${values.length}` : `${found.value.length} of ${values.length}`}</p>
      {found.value.length > 0 && <Rows items={found.value} label="Members" height={36} selected={-1} keyOf={(v) => v} row={(v) => <div role="cell"><bdi>{v}</bdi></div>} />}
    </section>
  );
}
