// What a person chose, kept in this browser.
export function remembered(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`edgeloupe.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`edgeloupe.${name}`, JSON.stringify(value));
  } catch {
    // storage may be forbidden or full; the choice holds until the page is left
  }
}

export function wireTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("edgeloupe.theme", root.dataset.theme);
    } catch {
      // as above
    }
  });
}
