// All bots, for administrators: list, suspension, activation, limits and audit log.

const PAGE_SIZE = 20;
const ACTIONS = 20;

const actionNames = {
  admin_access_bot: "Called Telegram",
  suspend_bot: "Suspended",
  activate_bot: "Activated",
  update_rate_limits: "Changed limits",
};

const detailNames = {
  reason: "Reason",
  previous_status: "Previous status",
  outcome: "Outcome",
  old_rate_limit_rps: "Old requests per second",
  new_rate_limit_rps: "New requests per second",
  old_max_concurrent_requests: "Old concurrent requests",
  new_max_concurrent_requests: "New concurrent requests",
};
// The time and the action have columns of their own.
const hiddenDetails = ["timestamp", "action_type"];

export function create({ dom, api }) {
  const { find, make } = dom;
  const managed = find("#managed");
  const suspendForm = find("#suspend-form");
  const limitsForm = find("#managed-limits-form");
  let page = 1;
  let filter = "";
  // The user whose bot is shown, and where its older actions begin.
  let user = null;
  let cursor = null;
  // Counts the requests to show a bot: only the last one takes effect.
  let asked = 0;

  const path = (id, rest) => `/api/admin/bots/${id}/${rest}`;

  function row(bot) {
    const cells = [
      String(bot.user_id),
      bot.bot_username ? `@${bot.bot_username}` : "Unknown",
      dom.badge(bot.status),
      `${bot.max_requests_per_second}/s, ${bot.max_concurrent_requests} at once`,
      String(bot.total_requests),
      dom.time(bot.last_used_at),
    ];
    const line = make("tr");
    for (const [index, content] of cells.entries()) {
      const cell = make(index === 0 ? "th" : "td");
      if (index === 0) cell.scope = "row";
      cell.append(content);
      line.append(cell);
    }
    const button = make("button", "Manage", { type: "button", className: "quiet" });
    button.setAttribute("aria-label", `Manage the bot of user ${bot.user_id}`);
    button.dataset.user = bot.user_id;
    dom.clicks(button, () => manage(bot.user_id));
    const cell = make("td");
    cell.append(button);
    line.append(cell);
    return line;
  }

  async function list(wanted = page) {
    const query = new URLSearchParams({ page: wanted, page_size: PAGE_SIZE, ...(filter && { status_filter: filter }) });
    const answer = await api.get(`/api/admin/bots/list?${query}`);
    page = wanted;
    const pages = Math.max(1, Math.ceil(answer.total / PAGE_SIZE));
    find("#bots tbody").replaceChildren(...answer.bots.map(row));
    find("#page").textContent = `Page ${page} of ${pages}, ${answer.total} ${answer.total === 1 ? "bot" : "bots"}`;
    find("#previous").disabled = page <= 1;
    find("#next").disabled = page >= pages;
  }

  function show(bot) {
    find("#managed-title").textContent = `Bot of user ${bot.user_id}`;
    dom.describe(find("#managed-state"), [...dom.state(bot), ...dom.activity(bot)]);
    limitsForm.elements.max_requests_per_second.value = bot.max_requests_per_second;
    limitsForm.elements.max_concurrent_requests.value = bot.max_concurrent_requests;
  }

  function details(action) {
    const pairs = Object.entries(action.details ?? {}).filter(([name]) => !hiddenDetails.includes(name));
    return pairs.map(([name, value]) => `${detailNames[name] ?? name}: ${value}`).join("; ");
  }

  /** Shows the newest actions on a user's bot, or adds older ones, if the bot is still the one that is shown. */
  async function audit(id, older) {
    const query = new URLSearchParams({ page_size: ACTIONS, ...(older && { cursor }) });
    const answer = await api.get(path(id, `actions?${query}`));
    if (id !== user) return;
    const lines = answer.actions.map((action) => {
      const line = make("tr");
      const texts = [`User ${action.admin_user_id}`, actionNames[action.action] ?? action.action, details(action)];
      const when = make("td");
      when.append(dom.time(action.timestamp));
      line.append(when, ...texts.map((text) => make("td", text)));
      return line;
    });
    const body = find("#audit tbody");
    if (older) body.append(...lines);
    else body.replaceChildren(...lines);
    cursor = answer.next_cursor;
    find("#older").hidden = !cursor;
  }

  async function reload(id) {
    const bot = await api.get(path(id, "status"));
    if (id === user) show(bot);
    await Promise.all([audit(id, false), list()]);
  }

  /** Removes the shown bot from the page. */
  function hide() {
    managed.hidden = true;
    user = cursor = null;
    asked += 1;
    for (const form of [suspendForm, limitsForm]) form.reset();
    find("#managed-title").textContent = "";
    find("#managed-state").replaceChildren();
    find("#audit tbody").replaceChildren();
    find("#older").hidden = true;
  }

  /** Shows a user's bot. Until it is loaded, the forms change the bot that is shown, so both are replaced at once. */
  async function manage(id) {
    asked += 1;
    const own = asked;
    const bot = await api.get(path(id, "status"));
    if (own !== asked) return;
    hide();
    user = id;
    show(bot);
    managed.hidden = false;
    find("#managed-title").focus();
    await audit(id, false);
  }

  function closeManaged() {
    const button = find(`#bots button[data-user="${user}"]`);
    hide();
    (button ?? find("#admin-title")).focus();
  }

  dom.submits(find("#filter"), () => {
    filter = find("#status-filter").value;
    return list(1);
  });
  for (const [id, step] of [["#previous", -1], ["#next", 1]]) {
    dom.clicks(find(id), async () => {
      await list(page + step);
      // The button may be disabled now, and a disabled element has no focus.
      if (find(id).disabled) find("#bots").closest(".scroll").focus();
    });
  }

  dom.submits(suspendForm, async () => {
    const id = user;
    await api.patch(path(id, "suspend"), { reason: suspendForm.elements.reason.value.trim() });
    if (id === user) suspendForm.reset();
    await reload(id);
    dom.report(`The bot of user ${id} was suspended.`);
  });
  dom.clicks(find("#activate"), async () => {
    const id = user;
    await api.patch(path(id, "activate"));
    await reload(id);
    dom.report(`The bot of user ${id} was activated.`);
  });
  dom.submits(limitsForm, async () => {
    const id = user;
    await api.patch(path(id, "rate-limit"), dom.limits(limitsForm));
    await reload(id);
    dom.report(`The limits of the bot of user ${id} were changed.`);
  });
  dom.clicks(find("#access"), async () => {
    const id = user;
    const answer = await api.post(path(id, "access"));
    await reload(id);
    const { username, first_name: name } = answer.bot_info;
    dom.report(`Telegram responded for ${username ? `@${username}` : name}. The access was recorded.`);
  });
  dom.clicks(find("#older"), () => audit(user, true));
  find("#close").addEventListener("click", closeManaged);

  return {
    async open() {
      hide();
      await list();
    },
    close() {
      hide();
      [page, filter] = [1, ""];
      find("#filter").reset();
      find("#bots tbody").replaceChildren();
      find("#page").textContent = "";
    },
  };
}
