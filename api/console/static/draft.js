// Law: a configuration while it is edited: every change can be taken back, and a run of small moves of one thing is one change. Draws nothing.

const MOST = 200; // steps that can be taken back

const copy = (value) => structuredClone(value);

/** Events: "change". */
export class Draft extends EventTarget {
  #done = [];
  #undone = [];
  #tag = null;

  constructor(value) {
    super();
    this.value = copy(value);
    this.start = JSON.stringify(value);
  }

  get dirty() {
    return JSON.stringify(this.value) !== this.start;
  }

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** `edit(value)` changes a copy; steps in a row with the same `tag` are one. */
  change(edit, tag = null) {
    const next = copy(this.value);
    edit(next);
    if (tag === null || tag !== this.#tag) {
      this.#done.push(this.value);
      if (this.#done.length > MOST) this.#done.shift();
    }
    this.#undone = [];
    this.#tag = tag;
    this.#take(next);
  }

  /** The next step is one of its own, whatever its tag. */
  settle() {
    this.#tag = null;
  }

  undo() {
    if (!this.canUndo) return false;
    this.#tag = null;
    this.#undone.push(this.value);
    this.#take(this.#done.pop());
    return true;
  }

  redo() {
    if (!this.canRedo) return false;
    this.#tag = null;
    this.#done.push(this.value);
    this.#take(this.#undone.pop());
    return true;
  }

  /** Everything as it is now counts as saved. */
  saved() {
    this.start = JSON.stringify(this.value);
    this.#take(this.value);
  }

  #take(value) {
    this.value = value;
    this.dispatchEvent(new CustomEvent("change"));
  }
}
