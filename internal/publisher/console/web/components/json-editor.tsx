// A document as text, in the editor as soon as that is loaded.

import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Editor, Mark } from "../editor/editor";

export interface JsonEditorOptions {
  label: string;
  /** What is written here and by others: the editor has what it says at any time. */
  text: Signal<string | undefined>;
  marks: Mark[];
}

/** The editor. Where it cannot be loaded, such as after an update of the publisher, a plain text area does. */
export function JsonEditor({ label, text, marks }: JsonEditorOptions) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor>();
  const state = useSignal<"loading" | "ready" | "missing">("loading");
  useEffect(() => {
    let closed = false;
    let shown = text.value ?? "";
    import("../editor/editor").then(
      ({ openEditor }) => {
        if (closed || !host.current) {
          return;
        }
        shown = text.value ?? "";
        editor.current = openEditor(host.current, {
          text: shown, label,
          changed: (written) => {
            shown = written; // before others are told, so that none takes it for theirs
            text.value = written;
          },
        });
        state.value = "ready";
      },
      () => (state.value = "missing"),
    );
    const end = text.subscribe((next) => {
      if (next !== undefined && next !== shown) {
        shown = next;
        editor.current?.replace(next);
      }
    });
    return () => {
      closed = true;
      end();
      editor.current?.close();
    };
  }, []);
  useEffect(() => editor.current?.mark(marks), [marks, state.value]);
  return (
    <div class="json-editor">
      {state.value === "missing" ? <textarea class="code" rows={24} spellcheck={false} autocomplete="off" aria-label={label} value={text.value} onInput={(e) => (text.value = e.currentTarget.value)} />
        : <div ref={host} class="editor-host" data-state={state.value} />}
      {state.value === "loading" && <p class="quiet" role="status">Loading the editor…</p>}
      <p class="quiet">After you have typed, <kbd>Tab</kbd> indents; <kbd>Escape</kbd> then <kbd>Tab</kbd> leaves. <kbd>Ctrl Z</kbd> takes back what you typed here.</p>
      {marks.length > 0 && (
        <ul class="marks" aria-label="What is wrong" role="list">
          {marks.slice(0, 20).map((m) => (
            <li><button type="button" class="link" onClick={() => editor.current?.go(m)}>{m.pointer ? m.pointer : m.offset !== undefined ? lineOf(text.value ?? "", m.offset) : "The document"}</button> <bdi>{m.text}</bdi></li>
          ))}
          {marks.length > 20 && <li class="quiet">and {marks.length - 20} more</li>}
        </ul>
      )}
    </div>
  );
}

function lineOf(text: string, offset: number): string {
  return `Line ${text.slice(0, offset).split("\n").length}`;
}
