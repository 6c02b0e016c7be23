// Law: the form of a target: what each kind needs, in plain words. A secret that is left empty on a change stays as it was.

import { h, put } from "./dom.js";
import { SEVERITY, TARGET_KIND } from "./words.js";

const KEY_BYTES = 32;

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}

function line(label, props, hint) {
  const id = `target-${props.name}`;
  const hintId = hint ? `${id}-hint` : null;
  const input = props.options
    ? h("select", { id, name: props.name }, Object.entries(props.options).map(([value, text]) => h("option", { value, text, selected: value === props.value })))
    : h("input", { id, spellcheck: "false", autocapitalize: "none", autocomplete: "off", "aria-describedby": hintId, ...props });
  return h("div", { class: "field" }, h("label", { for: id, text: label }), input, hint ? h("p", { class: "hint", id: hintId, text: hint }) : null);
}

function tick(label, name, checked) {
  return h("label", { class: "tick" }, h("input", { type: "checkbox", name, checked }), h("span", { text: label }));
}

function webhookFields(known) {
  const stays = known ? "Left empty, it stays as it is. Another address needs the key again." : "Only the host is shown later: the path may be a secret.";
  const key = line("Signing key", { name: "key", type: "text", maxlength: 200, required: !known, value: known ? "" : newKey() }, "Copy it to the receiver now: it is not shown again. Signatures follow the Standard Webhooks form.");
  return [line("Address", { name: "url", type: "url", maxlength: 2000, required: !known, placeholder: "https://centre.example/in" }, stays), key];
}

function login(o, known) {
  return [
    line("User name", { name: "username", type: "text", maxlength: 200, value: o.username ?? "" }),
    line("Password", { name: "password", type: "password", maxlength: 500, autocomplete: "new-password" }, known ? "Left empty, it stays as it is. Another host needs it again." : null),
  ];
}

function place(o, port) {
  return [
    line("Host", { name: "host", type: "text", maxlength: 253, required: true, value: o.host ?? "" }),
    line("Port", { name: "port", type: "number", min: 1, max: 65535, required: true, value: o.port ?? port }),
  ];
}

function mqttFields(known) {
  const o = known?.options ?? {};
  return [...place(o, 8883), ...login(o, known), line("Topic", { name: "topic", type: "text", maxlength: 100, required: true, value: o.topic ?? "watchpost" }, "Below it: CAMERA/RULE/alert, CAMERA/RULE/state (ON or OFF, retained) and status."), tick("Encrypted (TLS)", "tls", o.tls ?? true)];
}

function emailFields(known) {
  const o = known?.options ?? {};
  const security = { starttls: "STARTTLS", tls: "TLS from the start", none: "None (no login then)" };
  return [
    ...place(o, 587),
    line("Security", { name: "security", options: security, value: o.security ?? "starttls" }),
    ...login(o, known),
    line("From", { name: "sender", type: "email", required: true, value: o.sender ?? "" }),
    line("To", { name: "to", type: "text", required: true, value: (o.to ?? []).join(", ") }, "One or more addresses, with commas between them."),
    tick("Send the picture along", "snapshot", o.snapshot ?? true),
  ];
}

const FIELDS = { webhook: webhookFields, mqtt: mqttFields, email: emailFields };

const words = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);

/** What the service is told, from the form. */
function bodyOf(form, kind) {
  const told = new FormData(form);
  const text = (name) => String(told.get(name) ?? "").trim();
  const to = { kind };
  for (const name of ["url", "key", "host", "username", "password", "topic", "security", "sender"]) {
    if (told.has(name) && (text(name) || name === "username")) to[name] = text(name);
  }
  if (told.has("port")) to.port = Number(text("port"));
  if (kind === "mqtt") to.tls = told.has("tls");
  if (kind === "email") Object.assign(to, { to: words(text("to")), snapshot: told.has("snapshot") });
  const wants = { camera_ids: words(text("camera_ids")), rules: words(text("rules")), min_severity: text("min_severity") };
  return { name: text("name"), enabled: told.has("enabled"), wants, to };
}

/** {node, focus()}; `save(body)` may throw an Error whose message is shown. */
export function targetForm(known, save) {
  const kinds = h("div", { class: "form-grid" });
  const kind = line("Kind", { name: "kind", options: TARGET_KIND, value: known?.kind ?? "webhook" });
  const chosen = () => known?.kind ?? kind.querySelector("select").value;
  const fill = () => put(kinds, FIELDS[chosen()](known));
  kind.addEventListener("change", fill);
  const wants = known?.wants ?? { camera_ids: [], rules: [], min_severity: "low" };
  const problem = h("p", { class: "failure", role: "alert", hidden: true });
  const button = h("button", { class: "button primary", type: "submit", text: known ? "Save" : "Add" });
  const name = line("Name", { name: "name", type: "text", maxlength: 100, required: true, value: known?.name ?? "" });
  const form = h(
    "form",
    { class: "target-form" },
    h("div", { class: "form-grid" }, name, known ? null : kind),
    kinds,
    h("div", { class: "form-grid" }, line("Only these cameras", { name: "camera_ids", type: "text", value: wants.camera_ids.join(", ") }, "Ids with commas between them; empty is all."), line("Only these rules", { name: "rules", type: "text", value: wants.rules.join(", ") }, "Such as gathering, blind; empty is all."), line("From severity", { name: "min_severity", options: SEVERITY, value: wants.min_severity }), tick("On", "enabled", known?.enabled ?? true)),
    problem,
    h("p", { class: "actions" }, button),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    button.disabled = true;
    try {
      await save(bodyOf(form, chosen()));
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
    button.disabled = false;
  });
  fill();
  return { node: form, focus: () => name.querySelector("input").focus() };
}
