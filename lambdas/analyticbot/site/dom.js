// Elements, forms and messages. Texts of the API become text, never markup.

export const find = (selector, within = document) => within.querySelector(selector);

export function make(name, text = "", properties = {}) {
  const element = Object.assign(document.createElement(name), properties);
  if (text !== "") element.textContent = text;
  return element;
}

/** Reports a success. An empty text is set first, so that an equal message is announced again. */
export function report(text) {
  complain("");
  const status = find("#status");
  status.textContent = "";
  requestAnimationFrame(() => (status.textContent = text));
}

/** Reports a failure; an empty text removes it. */
export function complain(text) {
  const alert = find("#alert");
  alert.textContent = text;
  alert.hidden = text === "";
  if (text !== "") find("#status").textContent = "";
}

export function silence() {
  complain("");
  find("#status").textContent = "";
}

const statuses = {
  pending: "Pending",
  active: "Active",
  suspended: "Suspended",
  rate_limited: "Rate limited",
  error: "Error",
};

export function badge(status) {
  const element = make("span", statuses[status] ?? status, { className: "badge" });
  element.dataset.status = status;
  return element;
}

export function time(text, otherwise = "Never") {
  const date = new Date(text ?? NaN);
  if (Number.isNaN(date.valueOf())) return document.createTextNode(otherwise);
  const shown = date.toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
  return make("time", shown, { dateTime: date.toISOString() });
}

/** Fills a description list with pairs of a term and its value. */
export function describe(list, pairs) {
  const parts = pairs.flatMap(([term, value]) => {
    const described = make("dd");
    described.append(value);
    return [make("dt", term), described];
  });
  list.replaceChildren(...parts);
}

/** Shows the fields of a bot that the dashboard and the administration share. */
export function state(bot) {
  return [
    ["Bot", bot.bot_username ? `@${bot.bot_username}` : "Unknown"],
    ["Status", badge(bot.status)],
    ["Verified", bot.is_verified ? "Yes" : "No"],
    ["Registered", time(bot.created_at, "Unknown")],
    ...(bot.suspension_reason ? [["Reason for suspension", bot.suspension_reason]] : []),
  ];
}

export const activity = (bot) => [
  ["Requests to Telegram", String(bot.total_requests)],
  ["Last request", time(bot.last_used_at)],
];

/** Marks a field as invalid, or as valid without a message. */
function mark(field, message) {
  const id = `${field.id}-error`;
  document.getElementById(id)?.remove();
  const described = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((part) => part && part !== id);
  if (message) {
    field.after(make("p", message, { id, className: "error" }));
    described.push(id);
  }
  field.setAttribute("aria-invalid", message ? "true" : "false");
  if (described.length > 0) field.setAttribute("aria-describedby", described.join(" "));
  else field.removeAttribute("aria-describedby");
}

const fieldsOf = (form) => [...form.elements].filter((field) => field.name && field.willValidate);

/** Checks a form as the browser does, marks its fields and focuses the first invalid one. */
export function check(form) {
  const invalid = fieldsOf(form).filter((field) => {
    mark(field, field.validity.valid ? "" : field.validationMessage);
    return !field.validity.valid;
  });
  reveal(invalid[0]);
  return invalid.length === 0;
}

/** Shows an error of the API at the fields of a form, or above the view. */
export function refuse(form, error) {
  const named = (error.fields ?? []).map(({ name, message }) => [form?.elements.namedItem(name), message]);
  const known = named.filter(([field]) => field instanceof Element);
  for (const [field, message] of known) mark(field, message);
  complain(error.message);
  reveal(known[0]?.[0]);
}

function reveal(field) {
  const details = field?.closest("details");
  if (details) details.open = true;
  field?.focus();
}

/** Runs `work` on each valid submission, with the form's button disabled meanwhile. */
export function submits(form, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    silence();
    if (check(form)) await busy(find("[type=submit]", form), () => work(), form);
  });
}

/** Runs `work` on each click, with the button disabled meanwhile. */
export function clicks(button, work) {
  button.addEventListener("click", () => {
    silence();
    return busy(button, work);
  });
}

async function busy(button, work, form) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } catch (error) {
    // The end of the session has its own message.
    if (error.status !== 401 || form?.id === "sign-in-form") refuse(form, error);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

/** Returns the numbers of a form with limits. */
export const limits = (form) => ({
  max_requests_per_second: Number(form.elements.max_requests_per_second.value),
  max_concurrent_requests: Number(form.elements.max_concurrent_requests.value),
});
