// Before the first paint: the theme the person chose, else the system's.
(function () {
  var chosen = null;
  try { chosen = localStorage.getItem('dugnad-theme'); } catch (e) { /* storage may be off */ }
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
})();
