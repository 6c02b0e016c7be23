// Law: runs before the first paint, so that a stored choice of light or dark never flashes. A classic script on purpose.
// No choice stored: the stylesheet follows the system, and dark is what it shows when the system has no wish.
(() => {
  const stored = localStorage.getItem("watchpost-theme");
  if (stored === "dark" || stored === "light") document.documentElement.dataset.theme = stored;
})();
