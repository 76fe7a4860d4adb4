// Questions and notices.

import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { endToast, question, toasts } from "../state.ts";
import { useStore } from "../store.ts";
import { Icon } from "./icons.tsx";

/** Shows a dialog as modal while `shown` is truthy; then the focus goes back to where it was. */
export function useModal(shown: unknown): RefObject<HTMLDialogElement | null> {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (!shown || !element) return undefined;
    const before = document.activeElement;
    element.showModal();
    // The element has left the page by then, so the browser cannot do it.
    return () => (before as HTMLElement | null)?.focus?.();
  }, [shown]);
  return dialog;
}

/** The question of `ask()`, in a modal dialog. Escape answers nothing. */
export function QuestionDialog() {
  const asked = useStore(question);
  const dialog = useModal(asked);
  if (!asked) return null;
  return (
    <dialog
      ref={dialog}
      class="question"
      aria-labelledby="question-title"
      aria-describedby="question-text"
      data-testid="question"
      onCancel={(event) => {
        event.preventDefault();
        asked.answer(null);
      }}
    >
      <h2 id="question-title">{asked.title}</h2>
      <p id="question-text">{asked.text}</p>
      <div class="buttons">
        {asked.choices.map((choice) => (
          <button
            key={choice.value}
            type="button"
            class={`button ${choice.tone ?? "quiet"}`}
            data-testid={`answer-${choice.value}`}
            onClick={() => asked.answer(choice.value)}
          >
            {choice.label}
          </button>
        ))}
      </div>
    </dialog>
  );
}

/** Notices at the lower edge, read out as they come. */
export function Toasts() {
  const all = useStore(toasts);
  return (
    <div class="toasts" role="status" aria-live="polite" data-testid="toasts">
      {all.map((each) => (
        <div key={each.id} class={`toast ${each.tone}`} data-testid="toast">
          <span>{each.text}</span>
          {each.action ? (
            <button
              type="button"
              class="button link"
              data-testid="toast-action"
              onClick={() => {
                // Undone: what was to happen at the end does not happen.
                each.action?.run();
                toasts.change((list) => list.filter((other) => other.id !== each.id));
              }}
            >
              {each.action.label}
            </button>
          ) : null}
          <button type="button" class="button icon-only" aria-label="Close" onClick={() => endToast(each.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
