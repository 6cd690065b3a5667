(() => {
  "use strict";
  // what goes wrong is written where a reader of the page's source, or a test, can find it
  const root = document.documentElement;
  const note = (message) => {
    root.dataset.errors = root.dataset.errors ? `${root.dataset.errors} | ${message}` : String(message);
  };
  window.addEventListener("error", (event) => note(event.message || "error"));
  window.addEventListener("unhandledrejection", (event) => note((event.reason && event.reason.message) || event.reason));
  root.classList.add("js");
})();
