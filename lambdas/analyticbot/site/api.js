// Calls of the API. The access token is a variable of this module: it ends with the page, and no storage contains it.

/** Ends a message of the API, so that another sentence can follow. */
const sentence = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** A response with an error status. */
export class ApiError extends Error {
  constructor(status, body) {
    super(typeof body?.detail === "string" ? sentence(body.detail) : `The server responded with status ${status}. Try again later.`);
    this.status = status;
    this.code = body?.code ?? "";
    // Invalid fields: their names and messages.
    const list = Array.isArray(body?.detail) ? body.detail : [];
    this.fields = list.map(({ loc, msg }) => ({ name: String(loc?.at(-1) ?? ""), message: String(msg ?? "") }));
    if (this.fields.length > 0) this.message = "Some fields are not valid. Correct them, then try again.";
  }
}

/** Connects to the API at `url`. `ended` is called when the API no longer accepts the token. */
export function connect(url, ended) {
  const base = url.replace(/\/$/, "");
  let token = null;

  async function send(method, path, body) {
    const headers = {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const used = token;
    if (used) headers.Authorization = `Bearer ${used}`;
    // A response that arrives after the end of its session belongs to another user than the page does.
    const ensureSession = () => {
      if (used !== token) throw new ApiError(401, null);
    };
    let response;
    try {
      response = await fetch(`${base}${path}`, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
    } catch {
      ensureSession();
      throw new Error("The server cannot be reached. Check your connection, then try again.");
    }
    const answer = await response.json().catch(() => null);
    ensureSession();
    if (response.ok) return answer;
    const error = new ApiError(response.status, answer);
    const retry = Number(response.headers.get("Retry-After"));
    if (response.status === 429 && retry > 0) error.message += ` Try again in ${retry} s.`;
    if (response.status === 401 && token) {
      token = null;
      ended();
    }
    throw error;
  }

  return {
    async signIn(username, password) {
      const answer = await send("POST", "/api/auth/login", { username, password });
      token = answer.access_token;
      return answer.user;
    },
    signOut() {
      token = null;
    },
    get: (path) => send("GET", path),
    post: (path, body = {}) => send("POST", path, body),
    patch: (path, body = {}) => send("PATCH", path, body),
    remove: (path) => send("DELETE", path),
  };
}
