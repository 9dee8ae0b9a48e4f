// Who is at the page: their name and the way out for a guest; the class code and who is there for the owner.

(() => {
  const tag = document.querySelector("meta[name=nudge-person]");
  const { node } = nudge;
  nudge.person = { name: tag?.content || "", role: tag?.dataset.role || "owner", loggedIn: Boolean(tag) };
  document.documentElement.classList.toggle("guest", nudge.person.role === "guest"); // .owners is hidden then

  // What was refused: the way back to the login, or a word about whose it is.
  const ask = window.fetch.bind(window);
  window.fetch = async (...asked) => {
    const answer = await ask(...asked);
    if (nudge.person.loggedIn && (answer.status === 401 || answer.status === 403)) {
      const said = await answer.clone().json().catch(() => null);
      if (said?.nudge === "login") location.assign("/login");
      if (said?.nudge === "owners") tell(said.detail);
    }
    return answer;
  };
  const tell = (text) => {
    const note = node("div", { class: "owners-word", role: "alert" }, text);
    document.querySelectorAll(".owners-word").forEach((old) => old.remove());
    document.body.append(note);
    setTimeout(() => note.remove(), 5000);
  };

  const send = (address) => fetch(address, { method: "POST" });
  const leave = async () => { await send("/logout"); location.assign("/login"); };
  const leaveButton = (style) => node("button", { class: style, type: "button", id: "tool-leave", onclick: leave }, "Leave");

  const showPeople = async () => {
    const code = node("p", { class: "class-code mono" });
    const count = node("p", { class: "soft" });
    const where = node("p", { class: "soft" });
    const list = node("ul", { class: "class-guests" });
    const draw = (known) => {
      code.replaceChildren(known.code);
      const here = /^(127\.|localhost|\[::1\])/.test(location.hostname);  // others have to type another name of this machine
      where.replaceChildren(`Join at ${here && known.addresses.length ? known.addresses.map((one) => `${one}:${location.port}`).join(" or ") : location.host}`);
      count.replaceChildren(known.guests.length ? `${known.guests.length} in:` : "Nobody has joined yet.");
      list.replaceChildren(...known.guests.map((guest) => node("li", {}, guest.name)));
    };
    const another = async () => {
      if (confirm("Take another class code? Those who are in have to join again with it; their votes stay.")) draw(await (await send("/nudge/people/code")).json());
    };
    draw(await (await fetch("/nudge/people")).json());
    const dialog = node("dialog", { class: "keys people", "aria-label": "People", onclose: () => dialog.remove() },
      node("h2", {}, "Class code"), code, where, count, list,
      node("form", { method: "dialog" },
        node("button", { class: "plain", type: "button", id: "people-code", onclick: another }, "Another code"), " ",
        leaveButton("plain"), " ", node("button", { class: "plain" }, "Close")));
    document.body.append(dialog);
    dialog.showModal();
  };

  // The part of the strip's tools that is about people; nothing where nobody logs in.
  nudge.peopleTools = () => {
    if (!nudge.person.loggedIn) return [];
    if (nudge.person.role === "guest") return [node("span", { class: "who", id: "who" }, nudge.person.name), leaveButton("tool words")];
    return [node("button", { class: "tool words", id: "tool-people", onclick: showPeople }, "Class")];
  };
})();
