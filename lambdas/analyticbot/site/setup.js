// The setup wizard: token, limits, verification.

const steps = ["token", "limits", "verification"];
// The errors of the API that concern the first step.
const tokenErrors = ["INVALID_BOT_TOKEN", "TOKEN_IN_USE", "USERNAME_IN_USE"];
const tokenFields = ["bot_token", "bot_username", "api_id", "api_hash"];

export function create({ dom, api, navigate }) {
  const forms = Object.fromEntries(steps.map((step) => [step, dom.find(`#step-${step}`)]));
  const done = dom.find("#setup-done");

  function show(step) {
    for (const name of steps) {
      forms[name].hidden = name !== step;
      const item = dom.find(`#steps [data-step="${name}"]`);
      if (name === step) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
    done.hidden = step !== null;
  }

  function enter(step) {
    show(step);
    dom.find("h2", forms[step]).focus();
  }

  function askForVerification(name) {
    dom.find("#created").textContent = `${name ? `@${name}` : "Your bot"} is registered. Verify it before its first use.`;
  }

  function request() {
    const fields = forms.token.elements;
    const optional = (name, convert) => (fields[name].value.trim() ? { [name]: convert(fields[name].value.trim()) } : {});
    return {
      bot_token: fields.bot_token.value.trim(),
      ...optional("bot_username", String),
      ...optional("api_id", Number),
      ...optional("api_hash", String),
      ...dom.limits(forms.limits),
    };
  }

  dom.submits(forms.token, () => enter("limits"));
  dom.clicks(dom.find("#back"), () => enter("token"));

  dom.submits(forms.limits, async () => {
    try {
      const bot = await api.post("/api/user-bot/create", request());
      // The page keeps no token longer than it is needed.
      forms.token.reset();
      askForVerification(bot.bot_username);
      enter("verification");
      dom.report("The bot was registered.");
    } catch (error) {
      const isToken = tokenErrors.includes(error.code) || error.fields?.some(({ name }) => tokenFields.includes(name));
      if (!isToken) throw error;
      enter("token");
      dom.refuse(forms.token, error);
      if (!error.fields?.length) forms.token.elements.bot_token.focus();
    }
  });

  dom.submits(forms.verification, async () => {
    const chat = forms.verification.elements.test_chat_id.value.trim();
    const body = chat ? { send_test_message: true, test_chat_id: Number(chat) } : {};
    const answer = await api.post("/api/user-bot/verify", body);
    if (!answer.success) return dom.complain(answer.message);
    forms.verification.reset();
    await navigate("dashboard");
    dom.report(answer.message);
  });

  return {
    async open() {
      show("token");
      const bot = await api.get("/api/user-bot/status").catch((error) => {
        if (error.code === "BOT_NOT_FOUND") return null;
        throw error;
      });
      if (!bot) return;
      if (bot.status !== "pending") return show(null);
      askForVerification(bot.bot_username);
      show("verification");
    },
    close() {
      for (const form of Object.values(forms)) form.reset();
      dom.find("#created").textContent = "";
    },
  };
}
