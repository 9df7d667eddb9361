// The sign-in form.

/** Sets up the view, and calls `entered` with the user after a sign-in. */
export function create({ dom, api, entered }) {
  const form = dom.find("#sign-in-form");
  dom.submits(form, async () => {
    const { username, password } = form.elements;
    try {
      const user = await api.signIn(username.value.trim(), password.value);
      form.reset();
      entered(user);
    } catch (error) {
      password.value = "";
      password.focus();
      throw error;
    }
  });
  return { open() {} };
}
