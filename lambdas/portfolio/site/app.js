// The site: what is published, how many were here, and the owner's sign-in.
//
// Whatever the API says is shown as text, never as HTML; links lead to http and https only.

const PAGE_SIZE = 10;
// Where nothing can be remembered, none is sent: the server tells visitors apart by itself, and a new one each time would count
// each time.
const session = remembered("session") ?? remember("session", crypto.randomUUID()) ?? undefined;
let api;

// Calling the API.

class ApiError extends Error {
  constructor(status, body) {
    super(body?.message ?? `The server answered with status ${status}.`);
    this.status = status;
    this.details = body?.details ?? {};
  }
}

async function call(path, { method = "GET", body, token } = {}) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(`${api}/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error("The server cannot be reached.");
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, answer);
  return answer;
}

// What is remembered for as long as the tab is open. A browser may forbid that; then nothing is.

function remembered(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

function remember(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(name);
    else sessionStorage.setItem(name, value);
    return value;
  } catch {
    return null;
  }
}

// Making elements.

const find = (selector, within = document) => within.querySelector(selector);

function make(name, text, properties = {}) {
  const element = Object.assign(document.createElement(name), properties);
  if (text) element.textContent = text;
  return element;
}

function tags(names) {
  const list = make("ul", "", { className: "tags" });
  list.append(...names.map((name) => make("li", name)));
  return list;
}

function link(url, text, name) {
  if (!/^https?:\/\//i.test(url ?? "")) return null;
  const element = make("a", text, { href: url, rel: "noopener noreferrer" });
  element.setAttribute("aria-label", `${text}: ${name}`);
  return element;
}

function links(item, name, ...wanted) {
  const found = wanted.map(([url, text]) => link(url, text, name)).filter(Boolean);
  if (found.length === 0) return;
  const paragraph = make("p", "", { className: "links" });
  paragraph.append(...found);
  item.append(paragraph);
}

function date(text) {
  const day = new Date(`${text}T00:00:00Z`);
  return Number.isNaN(day.valueOf()) ? "" : day.toLocaleDateString("en", { dateStyle: "long", timeZone: "UTC" });
}

/** A card with what all content has, and a heading that says what it is. */
function card(kind, content, title, ...facts) {
  const item = make("li", "", { className: "item", id: `${kind}-${content.id}` });
  const heading = make("h3", title);
  if (content.status === "draft") heading.append(make("span", "Draft", { className: "badge" }));
  item.append(heading, make("p", facts.filter(Boolean).join(" · "), { className: "facts" }));
  return item;
}

/** Text that is read when it is wanted, and counted then. */
function readable(kind, content, label, name, text) {
  const details = make("details");
  const summary = make("summary", label);
  summary.setAttribute("aria-label", `${label}: ${name}`);
  details.append(summary, make("p", text, { className: "text" }));
  details.addEventListener("toggle", () => countView(kind, content), { once: true });
  return details;
}

async function countView(kind, content) {
  if (content.status !== "published") return;
  const body = { contentId: content.id, contentType: kind, sessionId: session };
  await call("/analytics/track", { method: "POST", body }).catch(() => {});
}

// What is listed: where it comes from, and how it looks.

const lists = {
  posts: {
    path: "/blog/posts",
    show(post) {
      const item = card("blog", post, post.title, date(post.publishedAt), post.category, post.readTime);
      item.append(make("p", post.excerpt), tags(post.tags));
      item.append(readable("blog", post, "Read", post.title, post.content));
      return item;
    },
  },
  projects: {
    path: "/projects",
    show(project) {
      const item = card("project", project, project.name, project.company, project.featured && "Featured");
      if (/^https?:\/\//i.test(project.imageUrl ?? "")) {
        item.prepend(make("img", "", { src: project.imageUrl, alt: "", loading: "lazy" }));
      }
      item.append(make("p", project.description), tags(project.tech));
      item.append(readable("project", project, "More", project.name, project.longDescription));
      links(item, project.name, [project.liveUrl, "Visit"], [project.githubUrl, "Source"]);
      return item;
    },
  },
  certifications: {
    path: "/certifications",
    show(one) {
      const kind = one.type === "course" ? "Course" : "Certification";
      const item = card("certification", one, one.name, one.issuer, kind, date(one.dateEarned));
      const icon = make("p", one.icon, { className: "icon" });
      icon.setAttribute("aria-hidden", "true");
      item.prepend(icon);
      item.append(make("p", one.description));
      links(item, one.name, [one.credentialUrl, "Credential"]);
      return item;
    },
  },
};

/** Shows a list from its beginning, or what comes after what is shown. */
async function load(name, offset = 0) {
  const { path, show } = lists[name];
  const section = find(`#${name}`);
  const [state, items, more] = [".state", "ul", ".more"].map((selector) => find(selector, section));
  more.disabled = true;
  try {
    const token = await currentToken();
    const query = new URLSearchParams({ limit: PAGE_SIZE, offset, ...(token && { status: "all" }) });
    const page = await call(`${path}?${query}`, { token });
    const shown = page[name].map(show);
    if (offset === 0) items.replaceChildren(...shown);
    else items.append(...shown);
    if (offset > 0) find("a, summary", shown[0] ?? items)?.focus();
    state.textContent = page.total === 0 ? "Nothing is published yet." : "";
    more.hidden = offset + shown.length >= page.total || shown.length === 0;
    more.onclick = () => load(name, offset + shown.length);
  } catch (error) {
    state.textContent = error.message;
    // What comes after may be asked for again.
    more.hidden = offset === 0;
  }
  more.disabled = false;
}

// One visit a session.

async function visit() {
  const counted = remembered("visited") !== null;
  const body = { sessionId: session, pagePath: location.pathname, referrer: document.referrer || undefined };
  const answer = counted ? await call("/visitors/count") : await call("/visitors/track", { method: "POST", body });
  remember("visited", "yes");
  find("#visitors").textContent = `${answer.count.toLocaleString("en")} ${answer.count === 1 ? "visitor" : "visitors"}`;
}

// The owner. Tokens are gone with the tab.

let signedIn = JSON.parse(remembered("tokens") ?? "null");
let refreshing = null;

function keep(tokens) {
  signedIn = tokens && {
    token: tokens.token,
    refreshToken: tokens.refreshToken,
    // A minute early, so that it is still good when it arrives.
    until: Date.now() + (tokens.expiresIn - 60) * 1000,
  };
  remember("tokens", signedIn && JSON.stringify(signedIn));
}

/** A token that is still good, if somebody is signed in. Lists are loaded at once, and refresh it once. */
async function currentToken() {
  if (signedIn && Date.now() > signedIn.until) {
    refreshing ??= refresh().finally(() => {
      refreshing = null;
    });
    await refreshing;
  }
  return signedIn?.token;
}

async function refresh() {
  const { refreshToken } = signedIn;
  try {
    keep(await call("/auth/refresh", { method: "POST", body: { refreshToken } }));
  } catch (error) {
    forget(error);
  }
}

/** Only a token that is refused is no longer good; the network and a busy server are no reason to sign in again. */
function forget(error) {
  if (error.status !== 401) return;
  keep(null);
  showUser(null);
}

function showUser(user) {
  find("#who").textContent = user ? `Signed in as ${user.name || user.email}` : "";
  find("#sign-in").hidden = Boolean(user);
  find("#sign-out").hidden = !user;
}

async function whoAmI() {
  const token = await currentToken();
  if (!token) return showUser(null);
  try {
    showUser(await call("/auth/me", { token }));
  } catch (error) {
    forget(error);
  }
}

async function signOut() {
  const token = await currentToken();
  keep(null);
  showUser(null);
  // Drafts are gone at once, whatever becomes of what follows.
  for (const name of Object.keys(lists)) find(`#${name} ul`).replaceChildren();
  if (token) await call("/auth/logout", { method: "POST", token }).catch(() => {});
  showAll();
}

function login() {
  const dialog = find("#login");
  const form = find("#login-form");
  const error = find("#login-error");
  const submit = find("[type=submit]", form);
  let challenge = null;

  /** Asks for what Cognito wants besides the password; for nothing when `next` is null. */
  function ask(next) {
    challenge = next;
    for (const label of form.querySelectorAll("[data-challenge]")) {
      label.hidden = label.dataset.challenge !== next?.challengeName;
      find("input", label).disabled = label.hidden;
    }
    for (const name of ["email", "password"]) form.elements[name].readOnly = next !== null;
    if (next) find("[data-challenge]:not([hidden]) input", form)?.focus();
  }

  function say(text) {
    error.textContent = text;
    error.hidden = !text;
  }

  function refused(reason) {
    const { code, challengeName, session } = reason.details ?? {};
    if (code !== "ChallengeRequired") {
      // What was wrong with the new password can be mended; all else starts again.
      if (reason.details?.field !== "newPassword") ask(null);
      return say(reason.message);
    }
    ask({ challengeName, session });
    const known = find("[data-challenge]:not([hidden])", form);
    say(known ? "" : `Signing in takes a step that this page does not know: ${challengeName}.`);
    if (!known) ask(null);
  }

  find("#sign-in").addEventListener("click", () => {
    form.reset();
    ask(null);
    say("");
    dialog.showModal();
  });
  find("#login-cancel").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = Object.fromEntries(new FormData(form));
    if (challenge) body.session = challenge.session;
    submit.disabled = true;
    try {
      const answer = await call("/auth/login", { method: "POST", body });
      keep(answer);
      showUser(answer.user);
      form.reset();
      dialog.close();
      showAll();
    } catch (reason) {
      refused(reason);
    }
    submit.disabled = false;
  });
}

// All of it.

function showAll() {
  return Promise.all(Object.keys(lists).map((name) => load(name)));
}

/** Opens what the address names: `#blog-<id>`. */
function openNamed() {
  const named = document.getElementById(location.hash.slice(1));
  // The page's own sections are named as well, and hold what nobody asked to open.
  if (!named?.matches(".item")) return;
  const details = find("details", named);
  if (details) details.open = true;
  named.scrollIntoView();
}

async function start() {
  // Beside this script, wherever the page is.
  const response = await fetch(new URL("config.json", import.meta.url), { cache: "no-store" });
  if (!response.ok) throw new Error(`config.json is answered with status ${response.status}.`);
  api = (await response.json()).apiUrl.replace(/\/$/, "");
  login();
  find("#sign-out").addEventListener("click", signOut);
  await Promise.all([whoAmI(), visit().catch(() => {}), showAll()]);
  openNamed();
}

start().catch((error) => {
  const trouble = find("#trouble");
  trouble.textContent = `This page could not be set up: ${error.message}`;
  trouble.hidden = false;
  for (const state of document.querySelectorAll(".state")) state.textContent = "";
});
