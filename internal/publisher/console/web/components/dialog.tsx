import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** A box above the page that takes the focus, and gives it back. */
export function Dialog({ label, close, children }: { label: string; close: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    dialog.current!.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog ref={dialog} aria-label={label} onClose={close} onClick={(e) => e.target === dialog.current && close()}>
      <div class="inside">{children}</div>
    </dialog>
  );
}
