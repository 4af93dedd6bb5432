// A JSON editor. It is a part of its own, which is loaded where a document is edited, and imports nothing of the rest of the page.

import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, ensureSyntaxTree, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from "@codemirror/view";
import type { SyntaxNode } from "@lezer/common";
import { tags } from "@lezer/highlight";

/** Something that is wrong, and where: a JSON Pointer into the document, or a place in the text. */
export interface Mark {
  pointer?: string;
  offset?: number;
  text: string;
}

export interface Editor {
  /** Makes the text another one, as a change that can be undone. */
  replace(text: string): void;
  /** Shows what is wrong instead of what was. */
  mark(marks: Mark[]): void;
  /** Puts the cursor to where a mark is. */
  go(mark: Mark): void;
  close(): void;
}

export interface EditorOptions {
  text: string;
  label: string;
  changed: (text: string) => void;
}

/** Colours and sizes are those of tokens.css, which reach into the shadow tree. */
const theme = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--sunken)", border: "1px solid var(--line-strong)", borderRadius: "var(--radius)", fontSize: "var(--small)" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", minHeight: "24rem", maxHeight: "min(42rem, 75dvh)", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)", padding: "0.6rem 0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { color: "var(--quiet)", backgroundColor: "var(--sunken)", border: "0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--accent) 8%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 30%, transparent)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  ".cm-foldPlaceholder": { color: "var(--quiet)", backgroundColor: "var(--raised)", border: "1px solid var(--line)" },
  ".cm-tooltip": { color: "var(--ink)", backgroundColor: "var(--raised)", border: "1px solid var(--line)", borderRadius: "var(--radius)", maxWidth: "28rem" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--bad)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)", textUnderlineOffset: "0.2em" },
  ".cm-panels": { color: "var(--ink)", backgroundColor: "var(--raised)" },
});

const colours = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--accent)" },
  { tag: tags.string, color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--warn)" },
  { tag: [tags.punctuation, tags.bracket, tags.separator], color: "var(--quiet)" },
]);

/** Opens an editor in an element. It is in a shadow tree, because the policy of the page permits no style sheets that scripts add to the document. */
export function openEditor(host: HTMLElement, { text, label, changed }: EditorOptions): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  let telling = true;
  let typed = false; // Tab indents for a person who writes, and goes on for one who passes through
  const view = new EditorView({
    root,
    parent: root as unknown as Element,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(), foldGutter(), lintGutter(), history(), drawSelection(), indentOnInput(), bracketMatching(), highlightActiveLine(), highlightActiveLineGutter(),
        json(), indentUnit.of("  "), syntaxHighlighting(colours), theme, EditorView.lineWrapping,
        keymap.of([...defaultKeymap, ...historyKeymap, ...foldKeymap, ...lintKeymap,
          { key: "Tab", run: (v) => typed && indentMore(v), shift: (v) => typed && indentLess(v) },
          { key: "Escape", run: () => !(typed = false) },
        ]),
        EditorView.domEventHandlers({
          blur: () => void (typed = false),
          beforeinput(event, v) { // the browser would keep the look of what is replaced in a style attribute, which the policy of the page forbids
            if (event.inputType !== "insertText" || event.isComposing || event.data === null || v.state.selection.main.empty) {
              return false;
            }
            event.preventDefault();
            v.dispatch(v.state.update(v.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true }));
            return true;
          },
        }),
        EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0", "aria-description": "After you have typed, Tab indents. Press Escape, then Tab, to leave.", spellcheck: "false" }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged && telling) {
            typed = true;
            changed(update.state.doc.toString());
          }
        }),
      ],
    }),
  });
  return {
    replace(next) {
      const now = view.state.doc.toString();
      let [start, end] = [0, 0];
      while (start < now.length && start < next.length && now[start] === next[start]) {
        start++;
      }
      while (end < now.length - start && end < next.length - start && now[now.length - 1 - end] === next[next.length - 1 - end]) {
        end++;
      }
      telling = false;
      view.dispatch({ changes: { from: start, to: now.length - end, insert: next.slice(start, next.length - end) } });
      telling = true;
    },
    mark: (marks) => view.dispatch(setDiagnostics(view.state, marks.map((m): Diagnostic => ({ ...rangeOf(view.state, m), severity: "error", message: m.text })))),
    go(mark) {
      const { from, to } = rangeOf(view.state, mark);
      view.dispatch({ selection: { anchor: from, head: to }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
      view.focus();
    },
    close: () => view.destroy(),
  };
}

function rangeOf(state: EditorState, { pointer, offset }: Mark): { from: number; to: number } {
  if (offset !== undefined) {
    const from = Math.min(offset, state.doc.length);
    return { from, to: Math.min(from + 1, state.doc.length) };
  }
  const names = (pointer ?? "").split("/").slice(1).map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
  let node: SyntaxNode | null = ensureSyntaxTree(state, state.doc.length, 500)?.topNode.firstChild ?? null;
  let range = { from: 0, to: 0 };
  for (const name of names) {
    const next: SyntaxNode | null = node?.name === "Array" ? element(node, Number(name)) : node?.name === "Object" ? property(state, node, name) : null;
    if (!next) {
      break; // what is wrong is that it is not there
    }
    const named = next.name === "Property" ? next.firstChild : null;
    range = { from: (named ?? next).from, to: (named ?? next).to };
    node = named ? next.lastChild : next;
    if (node && node.name !== "Object" && node.name !== "Array") {
      range = { from: node.from, to: node.to };
    }
  }
  return range;
}

function element(list: SyntaxNode, index: number): SyntaxNode | null {
  const values = [];
  for (let child = list.firstChild; child; child = child.nextSibling) {
    if (!["[", "]", ",", "⚠"].includes(child.name)) {
      values.push(child);
    }
  }
  return values[index] ?? null;
}

function property(state: EditorState, object: SyntaxNode, name: string): SyntaxNode | null {
  for (const child of object.getChildren("Property")) {
    const written = child.firstChild;
    try {
      if (written && JSON.parse(state.sliceDoc(written.from, written.to)) === name) {
        return child;
      }
    } catch {
      // A name that is just being written.
    }
  }
  return null;
}
