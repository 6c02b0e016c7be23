// Law: notes from one shift to the next, newest first. Leaving one ends one's claims; the one who takes it says so.

import { ApiError, api } from "../api.js";
import { emptyState, failure, loading } from "../badges.js";
import { h, put } from "../dom.js";
import { at } from "../format.js";
import { useKeys } from "../keys.js";
import { noteForm } from "../note_form.js";

function card(note, me, take) {
  const taken = note.taken_by
    ? h("p", { class: "muted" }, `Taken by ${note.taken_by}, `, at(note.taken_at))
    : note.by === me.name
      ? h("p", { class: "muted", text: "Nobody has taken it yet." })
      : h("button", { class: "button", type: "button", text: "I have read it and go on", onclick: take });
  const ended = note.n_released ? `, ${note.n_released} ${note.n_released === 1 ? "alert" : "alerts"} handed over` : "";
  return h("li", { class: "handover", "data-handover": note.handover_id, "data-taken": note.taken_by ?? "" }, h("p", { class: "muted" }, h("strong", { text: note.by }), ", ", at(note.at), ended), h("p", { class: "note-text", text: note.note }), taken);
}

export function shiftPage({ me, countHandovers }) {
  const list = h("ol", { class: "handovers" });
  const body = h("div", { class: "panel-body" }, loading("Reading notes …"));
  const form = noteForm({
    id: "handover-note",
    label: "What the next shift must know",
    verb: "Hand over and end my claims",
    key: "w",
    said: "Handed over",
    send: async (text) => {
      await api.handOver(text);
      await read();
    },
  });

  async function read() {
    try {
      const notes = await api.handovers();
      put(list, notes.map((note) => card(note, me, () => take(note))));
      put(body, notes.length ? list : emptyState("No notes yet", "What is written above appears here, and for whoever comes next."));
      countHandovers();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      put(body, failure(error.message));
    }
  }

  async function take(note) {
    try {
      await api.takeHandover(note.handover_id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return put(body, failure(error.message));
    }
    await read();
  }

  const dropKeys = useKeys("Shift", [{ keys: ["w"], label: "Write a note for the next shift", run: () => form.focus() }]);
  read();
  return {
    node: h("main", { class: "desk", id: "main" }, h("header", { class: "section-head" }, h("h1", { text: "Shift" })), h("section", { class: "panel desk-form", "aria-label": "Hand over" }, form.node), h("section", { class: "panel", "aria-label": "Notes" }, body)),
    end: dropKeys,
  };
}
