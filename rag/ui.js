() => {
  // What the page does by itself, without asking Python. Gradio calls this once, when the page has been built.
  const at = (id) => document.getElementById(id);
  const app = at("app"), library = at("library"), scroll = at("scroll"), answer = at("answer"), pane = at("proof-pane");

  const roles = { library: "complementary", talk: "region", shelf: "region", "proof-pane": "complementary" };
  Object.entries(roles).forEach(([id, role]) => at(id).setAttribute("role", role));
  answer.setAttribute("aria-live", "polite");

  const changed = (id, act) => {
    const tell = () => {
      const told = at(id).querySelector("i")?.dataset;
      if (told) act(told);
    };
    new MutationObserver(tell).observe(at(id), { childList: true, subtree: true, attributes: true });
    tell();
  };
  // The page's language, and its words where no element of ours could hold them.
  changed("words", (words) => {
    const root = document.documentElement;
    root.lang = words.lang;
    Object.keys(roles).forEach((id) => at(id).setAttribute("aria-label", words[id === "proof-pane" ? "proofPane" : id]));
    for (const name of ["add", "drop"]) root.style.setProperty(`--words-${name}`, JSON.stringify(words[name]));
  });

  // The newest line stays in sight while an answer is written, unless the reader has scrolled away from it.
  let pinned = true, busy = false;
  scroll.addEventListener("scroll", () => { pinned = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60; });
  new MutationObserver(() => {
    const was = busy;
    busy = Boolean(answer.querySelector(".writing, .phase"));
    answer.setAttribute("aria-busy", String(busy));
    if (pinned && (was || busy)) scroll.scrollTop = scroll.scrollHeight;
  }).observe(scroll, { childList: true, characterData: true, subtree: true });

  // A newly opened passage is brought into view inside its pane.
  let asText = false;
  const showMark = () => {
    const proof = at("proof"), leaf = proof.querySelector(".leaf"), marks = [...proof.querySelectorAll(".marks i")];
    const mark = marks[0] ?? proof.querySelector("mark"), left = (each) => each.getBoundingClientRect().left;
    const box = getComputedStyle(proof).overflowY === "auto" ? proof : pane;
    if (marks.length) leaf.scrollLeft += Math.min(...marks.map(left)) - left(leaf) - 20;
    const above = 130 + (proof.querySelector(".player")?.offsetHeight ?? 0);
    if (mark) box.scrollTop += mark.getBoundingClientRect().top - box.getBoundingClientRect().top - above;
  };
  const enlarge = (wanted) => {
    pane.toggleAttribute("data-large", wanted);
    at("enlarge")?.setAttribute("aria-pressed", String(wanted));
  };
  new MutationObserver(() => {
    enlarge(pane.hasAttribute("data-large"));
    if (asText) at("proof").querySelector("details")?.setAttribute("open", "");
    showMark();
  }).observe(at("proof"), { childList: true, characterData: true, subtree: true });

  // A recording stands at the moment of its passage, also where a browser makes nothing of the address's #t=. What it
  // tells of itself does not bubble, hence the capturing.
  const proof = at("proof");
  proof.addEventListener("loadedmetadata", ({ target }) => {
    if (Math.abs(target.currentTime - target.dataset.at) > 0.5) target.currentTime = Number(target.dataset.at);
    target.classList.toggle("heard", target.videoHeight === 0);
    showMark();
  }, true);
  proof.addEventListener("error", ({ target }) => {
    const told = target.closest(".player")?.querySelector("[role=alert]");
    if (told) told.hidden = false;
  }, true);
  const seek = (button) => {
    const recording = button.closest(".player").querySelector("[data-at]");
    const play = () => {
      recording.currentTime = Number(recording.dataset.at);
      recording.play();
    };
    // Chromium may wait for ever where it is called back to a place whose loading it has just left
    if (recording.seeking) recording.addEventListener("seeked", play, { once: true });
    else play();
  };

  const open = (panel, toggle, wanted) => {
    panel.toggleAttribute("data-open", wanted);
    toggle.setAttribute("aria-expanded", String(wanted));
  };
  const view = (name) => {
    app.dataset.view = name;
    open(library, at("library-toggle"), false);
    if (name) open(pane, at("sheet-toggle"), false);
    if (name && matchMedia("(min-width: 901px)").matches) at("look-for").focus();
  };
  const unfold = (button) => {
    const more = button.closest(".doc").querySelector(".more");
    more.hidden = !more.hidden;
    button.setAttribute("aria-expanded", String(!more.hidden));
    if (more.hidden) return;
    more.querySelector("input").focus();
    more.scrollIntoView({ block: "nearest" });
  };
  const choose = (wanted, stay) => {
    const scope = at("scope");
    if (wanted === scope.hasAttribute("data-open")) return;
    open(scope, at("scope-toggle") ?? scope, wanted);
    if (stay) (wanted ? at("scope-look").querySelector("input") : at("scope-toggle"))?.focus();
  };
  new MutationObserver(() => {  // drawn again, the button still says that the choice is unfolded
    at("scope-toggle")?.setAttribute("aria-expanded", String(at("scope").hasAttribute("data-open")));
  }).observe(at("scope-told"), { childList: true, subtree: true });
  const copy = async (button) => {
    const text = button.dataset.copy, before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // without https a browser has no clipboard but this
      const field = document.body.appendChild(document.createElement("textarea"));
      field.value = text;
      field.select();
      document.execCommand("copy");
      field.remove();
      button.focus();
    }
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = before; }, 1600);
  };
  document.addEventListener("click", (event) => {
    const hit = event.target.closest("button, summary");
    if (!hit) return;
    if (hit.matches("#proof summary")) asText = !hit.parentElement.open;
    if (hit.id === "enlarge") {
      enlarge(!pane.hasAttribute("data-large"));
      showMark();
    }
    if (hit.matches("[data-seek]")) seek(hit);
    if (hit.id === "library-toggle") open(library, hit, !library.hasAttribute("data-open"));
    if (hit.id === "sheet-toggle") open(pane, hit, !pane.hasAttribute("data-open"));
    if (hit.matches("[data-add]")) at("upload").querySelector("input[type=file]").click();
    if (hit.matches("[data-n]")) {
      open(pane, at("sheet-toggle"), true);
      requestAnimationFrame(() => hit.scrollIntoView({ block: "nearest" }));
    }
    if (hit.matches("[data-more]")) unfold(hit);
    if (hit.id === "scope-toggle") choose(!at("scope").hasAttribute("data-open"), true);
    else if (!hit.closest("#scope")) choose(false);
    if (hit.matches("[data-copy]")) copy(hit);
    if (hit.matches("[data-edit]")) at("ask-box").querySelector("textarea").focus();
    if (hit.matches("[data-view]")) view(hit.dataset.view);
    if (hit.matches("[data-reopen]") || hit.id === "new-chat") view("");
    if (hit.matches("[data-open]")) {
      open(library, at("library-toggle"), false);
      open(pane, at("sheet-toggle"), true);
    }
    if (hit.id === "ask-button" || hit.matches("[data-starter], [data-retry], [data-compare]")) {
      pinned = !hit.matches("[data-compare]");
      open(pane, at("sheet-toggle"), false);
      if (matchMedia("(min-width: 901px)").matches) at("ask-box").querySelector("textarea").focus();
    }
  });
  // From a number of an answer the arrows lead to the one before and the one after it, and open what it cites.
  const walk = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], number = event.target.closest("#scroll .n[data-n]");
    if (!step || !number) return;
    const numbers = cited(), at = numbers.indexOf(number) + step;
    if (!numbers[at]) return;
    event.preventDefault();
    numbers[at].focus();
    numbers[at].click();
  };
  // An answer that is drawn again may replace the number that has the focus, or make another one of it.
  const cited = () => [...scroll.querySelectorAll(".n[data-n]")];
  let walked;
  scroll.addEventListener("focusin", ({ target }) => {
    const place = cited().indexOf(target);
    walked = place < 0 ? undefined : { target, place, turn: target.dataset.turn, n: target.dataset.n };
  });
  scroll.addEventListener("focusout", ({ target }) => setTimeout(() => {
    if (target === walked?.target && target.isConnected && target !== document.activeElement) walked = undefined;
  }));
  new MutationObserver(() => {
    const focused = document.activeElement;
    if (!walked || ![walked.target, document.body].includes(focused)) return;
    const numbers = cited(), far = (each) => Math.abs(numbers.indexOf(each) - walked.place);
    const same = numbers.filter(({ dataset }) => dataset.turn === walked.turn && dataset.n === walked.n);
    const number = same.sort((one, other) => far(one) - far(other))[0] ?? numbers[walked.place];
    if (number !== focused) number?.focus({ preventScroll: true });
  }).observe(scroll, { childList: true, subtree: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.closest("#ask-box")) pinned = true;
    walk(event);
    if (event.key !== "Escape") return;
    const more = event.target.closest(".more");
    if (more) {
      const button = more.closest(".doc").querySelector("[data-more]");
      unfold(button);
      button.focus();
      return;
    }
    if (event.target.closest("#scope")) choose(false, true);
    open(pane, at("sheet-toggle"), false);
    open(library, at("library-toggle"), false);
  });

  // The settings: a panel that gives the focus back to what opened it.
  const settings = at("settings");
  settings.setAttribute("role", "dialog");
  settings.setAttribute("aria-labelledby", "settings-title");
  const openSettings = (wanted) => {
    open(settings, at("settings-open"), wanted);
    if (wanted) settings.querySelector("select").focus();
    else at("settings-open").focus();
  };
  const tellValue = (field) => {
    const output = field.parentElement.querySelector("output");
    if (output) output.value = field.value;
  };
  settings.addEventListener("input", (event) => tellValue(event.target));
  settings.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    openSettings(false);
  });
  document.addEventListener("click", (event) => {
    const hit = event.target.closest("button");
    if (hit?.id === "settings-open") openSettings(!settings.hasAttribute("data-open"));
    else if (hit?.id === "settings-close") openSettings(false);
    else if (hit?.id === "settings-reset") {
      settings.querySelectorAll("[name][data-default]").forEach((field) => {
        if (field.dataset.default) field.value = field.dataset.default;
        tellValue(field);
      });
      settings.querySelector("select").dispatchEvent(new Event("change", { bubbles: true }));
    } else if (event.target.isConnected && !event.target.closest("#settings")) open(settings, at("settings-open"), false);
  });
  // Drawn anew in another language it stays where it was, and so does the focus.
  new MutationObserver(() => {
    at("settings-open").setAttribute("aria-expanded", String(settings.hasAttribute("data-open")));
    if (settings.hasAttribute("data-open") && !settings.contains(document.activeElement)) settings.querySelector("select")?.focus();
  }).observe(settings, { childList: true, subtree: true });

  // A form's button is an event of the page; nothing is sent anywhere by the form itself.
  document.addEventListener("submit", (event) => { if (event.target.closest("#app")) event.preventDefault(); });

  // The browser remembers who looks and the conversation that is open.
  changed("memory", ({ visitor, conversation }) => {
    try {
      if (visitor) localStorage.setItem("footnote-visitor", visitor);
      localStorage.setItem("footnote-conversation", conversation);
      sessionStorage.setItem("footnote-conversation", conversation);
    } catch { /* a browser that keeps nothing begins anew each time */ }
  });
  let saved = "";
  changed("outbox", ({ name, text, href, serial }) => {
    if (serial === saved) return;
    saved = serial;
    const link = document.createElement("a");
    link.href = href ?? URL.createObjectURL(new Blob([text], { type: "application/octet-stream" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });

  // Files may be dropped anywhere on the page.
  const withFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (event, dropping) => {
    if (!withFiles(event)) return;
    event.preventDefault();
    app.classList.toggle("dropping", dropping);
  };
  document.addEventListener("dragover", (event) => over(event, true));
  document.addEventListener("dragleave", (event) => over(event, event.relatedTarget !== null));
  document.addEventListener("drop", (event) => {
    over(event, false);
    const input = at("upload").querySelector("input[type=file]");
    if (!withFiles(event) || event.target.closest("#upload") || !input) return;
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
