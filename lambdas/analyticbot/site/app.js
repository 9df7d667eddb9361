// The panel: views, navigation and the session. Each view is a module that receives what it uses.

const views = ["sign-in", "dashboard", "setup", "admin"];
const titles = { "sign-in": "Sign in", dashboard: "Dashboard", setup: "Set up a bot", admin: "Administration" };

/** Imports a module by its address in the page. */
const load = (name) => import(document.querySelector(`link[data-module="${name}"]`).href);

async function start() {
  const [dom, { connect }] = await Promise.all([load("dom"), load("api")]);
  // In the folder of this script, which can differ from the page's.
  const response = await fetch(new URL("config.json", import.meta.url), { cache: "no-store" });
  if (!response.ok) throw new Error(`the server responded to the request for config.json with status ${response.status}`);
  const { apiUrl } = await response.json();

  let user = null;
  let current = null;
  const opened = {};

  const isAdmin = () => ["admin", "owner"].includes(user?.role);

  /** Returns the view that the address names, if the user may see it. */
  function wanted() {
    const name = location.hash.slice(2);
    if (!user) return "sign-in";
    if (name === "admin" && !isAdmin()) return "dashboard";
    return views.includes(name) && name !== "sign-in" ? name : "dashboard";
  }

  function showUser() {
    dom.find("#navigation").hidden = !user;
    dom.find("#account").hidden = !user;
    dom.find("#who").textContent = user ? `${user.username} (${user.role})` : "";
    dom.find("#navigation [data-view=admin]").hidden = !isAdmin();
  }

  /** Shows a view and focuses its heading. */
  async function open(name) {
    if (current) opened[current].close?.();
    current = name;
    for (const view of views) dom.find(`#${view}`).hidden = view !== name;
    for (const link of document.querySelectorAll("#navigation a")) {
      if (link.dataset.view === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    // The address may name a view of another user.
    if (user && location.hash !== `#/${name}`) history.replaceState(null, "", `#/${name}`);
    document.title = `${titles[name]} – AnalyticBot`;
    dom.find(`#${name}-title`).focus();
    try {
      await opened[name].open();
    } catch (error) {
      if (error.status !== 401) dom.complain(error.message);
    }
  }

  /** Opens a view by its address, so that the browser's history has it. */
  async function navigate(name) {
    if (location.hash !== `#/${name}`) history.pushState(null, "", `#/${name}`);
    dom.silence();
    await open(wanted());
  }

  async function end(message) {
    api.signOut();
    user = null;
    showUser();
    dom.silence();
    await open("sign-in");
    if (message) dom.complain(message);
  }

  const api = connect(apiUrl, () => end("Your session ended. Sign in again."));
  const entered = async (signedIn) => {
    user = signedIn;
    showUser();
    dom.silence();
    await open(wanted());
  };
  for (const view of views) opened[view] = (await load(view)).create({ dom, api, navigate, entered });

  dom.find("#sign-out").addEventListener("click", () => end());
  addEventListener("hashchange", () => {
    // The link that skips to the content does not name a view.
    if (!location.hash.startsWith("#/")) return;
    dom.silence();
    open(wanted());
  });
  await open(wanted());
}

start().catch((error) => {
  const alert = document.querySelector("#alert");
  alert.textContent = `The page failed to start. Reload it to try again. Cause: ${error.message}`;
  alert.hidden = false;
});
