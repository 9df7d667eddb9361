// The user's own bot: its status, limits and activity.

export function create({ dom, api, navigate }) {
  const limitsForm = dom.find("#limits-form");
  const messageForm = dom.find("#message-form");
  const confirm = dom.find("#confirm");

  /** Shows a bot. Without one, the page keeps nothing of the bot before. */
  function show(bot) {
    dom.find("#no-bot").hidden = Boolean(bot);
    dom.find("#bot").hidden = !bot;
    dom.describe(dom.find("#state"), bot ? dom.state(bot) : []);
    dom.describe(dom.find("#activity"), bot ? dom.activity(bot) : []);
    limitsForm.elements.max_requests_per_second.value = bot?.max_requests_per_second ?? "";
    limitsForm.elements.max_concurrent_requests.value = bot?.max_concurrent_requests ?? "";
    const suspended = bot?.status === "suspended";
    const note = dom.find("#suspended");
    note.hidden = !suspended;
    const effect = "An administrator suspended this bot. You cannot verify, change or remove it until an administrator activates it.";
    note.textContent = suspended ? `${effect} Reason: ${bot.suspension_reason}` : "";
    for (const button of dom.find("#bot").querySelectorAll("button")) {
      button.disabled = suspended && button.id !== "refresh";
    }
  }

  async function load() {
    const bot = await api.get("/api/user-bot/status").catch((error) => {
      if (error.code === "BOT_NOT_FOUND") return null;
      throw error;
    });
    show(bot);
  }

  async function verify(body) {
    try {
      const answer = await api.post("/api/user-bot/verify", body);
      await load();
      if (answer.success) dom.report(answer.message);
      else dom.complain(answer.message);
    } catch (error) {
      // An administrator may have suspended the bot since it was shown.
      if (error.code === "BOT_SUSPENDED") await load();
      throw error;
    }
  }

  dom.clicks(dom.find("#refresh"), async () => {
    await load();
    dom.report("The status is up to date.");
  });
  dom.clicks(dom.find("#verify"), () => verify({}));
  dom.submits(messageForm, () => {
    const { test_chat_id: chat, test_message: text } = messageForm.elements;
    const message = text.value.trim() ? { test_message: text.value } : {};
    return verify({ send_test_message: true, test_chat_id: Number(chat.value), ...message });
  });
  dom.submits(limitsForm, async () => {
    const answer = await api.patch("/api/user-bot/rate-limits", dom.limits(limitsForm));
    await load();
    dom.report(answer.message);
  });

  dom.find("#remove").addEventListener("click", () => {
    confirm.showModal();
    dom.find("#confirm-no").focus();
  });
  dom.find("#confirm-no").addEventListener("click", () => confirm.close());
  dom.clicks(dom.find("#confirm-yes"), async () => {
    // The dialog is closed first, so that the message is not behind it.
    confirm.close();
    const answer = await api.remove("/api/user-bot/remove");
    await navigate("dashboard");
    dom.report(answer.message);
  });

  return {
    async open() {
      show(null);
      dom.find("#no-bot").hidden = true;
      await load();
    },
    close() {
      if (confirm.open) confirm.close();
      messageForm.reset();
      show(null);
    },
  };
}
