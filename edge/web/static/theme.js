// Sets the theme before the first paint; a plain script, because modules run too late for that.
(() => {
  try {
    const chosen = localStorage.getItem("edgeloupe.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // storage may be forbidden; the system's theme holds then
  }
})();
