// A cast beside the prompt of the panel that it stands in: a click on somebody puts the mention at the caret.

const PROMPT = ".vidu-role-prompt textarea";

export default {
  render({ model, el }) {
    const life = new AbortController();
    const box = element("div", { class: "vidu-members", role: "group", "aria-label": "Cast" });
    el.append(box);
    const prompt = () => el.closest(".vidu-panel")?.querySelector(PROMPT);

    function complete(area) {
      if (area && !area.dataset.viduMentions) new Mentions(area, () => model.get("members"), life.signal);
    }

    function draw() {
      const mentioned = model.get("mentioned");
      const cards = model.get("members").map((member) => {
        const label = `Insert @${member.name}, ${member.note}`;
        const card = element("button", { type: "button", class: "vidu-member", title: label, "aria-label": label,
          "data-mentioned": mentioned.includes(member.name), "data-lm-suppress-shortcuts": "true" },
        face(member, "vidu-member-face"), element("span", {}, `@${member.name}`));
        if (member.note !== "1 picture") card.append(element("span", { class: "vidu-member-note" }, member.note));
        card.addEventListener("mousedown", (event) => event.preventDefault()); // the caret stays where it is
        card.addEventListener("click", () => prompt() && insertMention(prompt(), member.name));
        return card;
      });
      box.replaceChildren(...cards, element("span", { class: "vidu-members-hint" }, "Type @ in the prompt, or press a name."));
    }

    // The prompt may be put into the page after this, and by then it has not had the focus.
    document.addEventListener("focusin", (event) => event.target === prompt() && complete(event.target),
      { capture: true, signal: life.signal });
    model.on("change:members change:mentioned", draw);
    draw();
    return () => life.abort();
  },
};
