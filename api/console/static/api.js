// Law: the only file that calls the service (the feed apart, in feed.js). Answers JSON or throws ApiError; a 401 is told to the app.

const ROOT = "/api/v1";

export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

let signedOut = () => {};

/** Call `f` whenever the service says that nobody is logged in. */
export function onSignedOut(f) {
  signedOut = f;
}

function csrf() {
  const pair = document.cookie.split("; ").find((part) => part.startsWith("watchpost_csrf="));
  return pair ? decodeURIComponent(pair.slice("watchpost_csrf=".length)) : "";
}

function words(body, status) {
  if (typeof body?.detail === "string") return body.detail;
  if (Array.isArray(body?.detail)) return body.detail.map((d) => d.msg ?? "").filter(Boolean).join("; ");
  return status >= 500 ? "The service has a problem. Try again." : `The service refused this (${status}).`;
}

async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-Watchpost-CSRF"] = csrf();
  let answer;
  try {
    answer = await fetch(ROOT + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, "The service cannot be reached.");
  }
  const text = await answer.text();
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    if (answer.ok) throw new ApiError(answer.status, "The service gave an answer that cannot be read.");
  }
  if (answer.ok) return json;
  if (answer.status === 401 && path !== "/session") signedOut();
  throw new ApiError(answer.status, words(json, answer.status));
}

function query(params) {
  const filled = Object.entries(params).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return filled.length ? `?${new URLSearchParams(filled)}` : "";
}

const id = encodeURIComponent;

export const api = {
  /** Who is logged in; without the cookie that comes with a session there is nobody to ask for. */
  async me() {
    if (!csrf()) throw new ApiError(401, "Nobody is logged in.");
    return call("GET", "/session");
  },
  ways: () => call("GET", "/session/ways"),
  login: (name, password) => call("POST", "/session", { name, password }),
  logout: () => call("DELETE", "/session"),
  changePassword: (old, fresh) => call("POST", "/session/password", { old, new: fresh }),
  alerts: (params) => call("GET", `/alerts${query(params)}`),
  load: () => call("GET", "/alerts/load"),
  alert: (alertId) => call("GET", `/alerts/${id(alertId)}`),
  verdict: (alertId, body) => call("POST", `/alerts/${id(alertId)}/verdict`, body),
  hold: (alertId, held) => call(held ? "PUT" : "DELETE", `/alerts/${id(alertId)}/hold`),
  claim: (alertId, takeOver = false) => call("POST", `/alerts/${id(alertId)}/claim`, { take_over: takeOver }),
  endClaim: (alertId) => call("DELETE", `/alerts/${id(alertId)}/claim`),
  addNote: (alertId, note) => call("POST", `/alerts/${id(alertId)}/notes`, { note }),
  cases: () => call("GET", "/cases"),
  case: (caseId) => call("GET", `/cases/${id(caseId)}`),
  openCase: (wish) => call("POST", "/cases", wish),
  changeCase: (caseId, wish) => call("PUT", `/cases/${id(caseId)}`, wish),
  putIntoCase: (caseId, alertId) => call("PUT", `/cases/${id(caseId)}/alerts/${id(alertId)}`),
  takeOutOfCase: (caseId, alertId) => call("DELETE", `/cases/${id(caseId)}/alerts/${id(alertId)}`),
  view: (alertId) => call("GET", `/alerts/${id(alertId)}/view`),
  reveal: (alertId, reason) => call("POST", `/alerts/${id(alertId)}/reveal`, { reason }),
  privacy: () => call("GET", "/privacy"),
  choosePrivacy: (blurred) => call("PUT", "/privacy", { blurred }),
  reopen: (alertId) => call("POST", `/alerts/${id(alertId)}/reopen`, {}),
  closeMany: (alertIds, verdict) => call("POST", "/alerts/close", { alert_ids: alertIds, verdict }),
  handovers: () => call("GET", "/handovers"),
  handOver: (note) => call("POST", "/handovers", { note }),
  takeHandover: (handoverId) => call("POST", `/handovers/${id(handoverId)}/taken`),
  users: () => call("GET", "/users"),
  addUser: (person) => call("POST", "/users", person),
  changeUser: (name, change) => call("PUT", `/users/${id(name)}`, change),
  resetPassword: (name) => call("POST", `/users/${id(name)}/password`),
  tokens: () => call("GET", "/tokens"),
  makeToken: (name) => call("POST", "/tokens", { name }),
  endToken: (name) => call("DELETE", `/tokens/${id(name)}`),
  audit: (params) => call("GET", `/audit${query(params)}`),
  overlay: (alertId) => call("GET", `/alerts/${id(alertId)}/overlay`),
  cameras: () => call("GET", "/cameras"),
  configuration: (cameraId) => call("GET", `/cameras/${id(cameraId)}/configuration`),
  saveConfiguration: (cameraId, body) => call("PUT", `/cameras/${id(cameraId)}/configuration`, body),
  tryConfiguration: (cameraId, body) => call("POST", `/cameras/${id(cameraId)}/what-if`, body),
  health: () => call("GET", "/health"),
  insights: (params) => call("GET", `/stats/insights${query(params)}`),
  serviceDetails: () => call("GET", "/stats/service"),
  targets: () => call("GET", "/outbound"),
  addTarget: (body) => call("POST", "/outbound", body),
  saveTarget: (targetId, body) => call("PUT", `/outbound/${id(targetId)}`, body),
  removeTarget: (targetId) => call("DELETE", `/outbound/${id(targetId)}`),
  testTarget: (targetId) => call("POST", `/outbound/${id(targetId)}/test`),
  targetLog: (targetId) => call("GET", `/outbound/${id(targetId)}/log`),
};

const as = (blurred) => (blurred ? "?as=blurred" : ""); // for the browser's own memory; the service looks at who asks
export const snapshotUrl = (alertId, blurred = false) => `${ROOT}/alerts/${id(alertId)}/snapshot${as(blurred)}`;
export const bundleUrl = (alertId) => `${ROOT}/alerts/${id(alertId)}/bundle`;
export const caseBundleUrl = (caseId) => `${ROOT}/cases/${id(caseId)}/bundle`;
export const clipUrl = (alertId, blurred = false) => `${ROOT}/alerts/${id(alertId)}/clip${as(blurred)}`;
export const clipFileUrl = (alertId) => `${clipUrl(alertId)}?download=true`;
export const pictureUrl = (cameraId, at) => `${ROOT}/cameras/${id(cameraId)}/picture?at=${id(at)}`;
export const OIDC_URL = `${ROOT}/session/oidc`;
export const FEED_URL = `${ROOT}/feed`;
