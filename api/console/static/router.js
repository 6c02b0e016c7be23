// Law: the address bar says which page is shown (#/live, #/review?..., #/alerts/ID); one page lives at a time and is told when it ends.

function parse() {
  const [path, search = ""] = location.hash.replace(/^#/, "").split("?");
  return { parts: path.split("/").filter(Boolean).map(decodeURIComponent), params: Object.fromEntries(new URLSearchParams(search)) };
}

export class Router {
  #pages;
  #show;
  #end = null;
  #listen = () => this.#go();

  /** `pages`: first path part -> page(route) giving {node, end?}; `show(node, name)` puts it on the screen. */
  constructor(pages, show) {
    this.#pages = pages;
    this.#show = show;
  }

  start() {
    addEventListener("hashchange", this.#listen);
    this.#go();
  }

  stop() {
    removeEventListener("hashchange", this.#listen);
    this.#leave();
  }

  #leave() {
    const end = this.#end;
    this.#end = null;
    end?.();
  }

  #go() {
    const route = parse();
    const name = route.parts[0] in this.#pages ? route.parts[0] : "live";
    this.#leave();
    const page = this.#pages[name](route);
    this.#end = page.end ?? null;
    this.#show(page.node, name);
  }
}

export const alertHash = (alertId) => `#/alerts/${encodeURIComponent(alertId)}`;

export function reviewHash(params) {
  const filled = Object.entries(params).filter(([, value]) => value);
  return filled.length ? `#/review?${new URLSearchParams(filled)}` : "#/review";
}
