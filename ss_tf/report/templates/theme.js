// Light and dark: as the device has it, until the switch is used.
const themeButton = document.getElementById("theme");
const deviceIsDark = matchMedia("(prefers-color-scheme: dark)");

function themeIsDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : deviceIsDark.matches;
}

function showTheme() {
  themeButton.textContent = themeIsDark() ? "Light" : "Dark";
  themeButton.setAttribute("aria-label", `Switch to ${themeIsDark() ? "light" : "dark"} colours`);
  document.dispatchEvent(new Event("themechange"));
}

themeButton.addEventListener("click", () => {
  document.documentElement.dataset.theme = themeIsDark() ? "light" : "dark";
  showTheme();
});
deviceIsDark.addEventListener("change", showTheme);
showTheme();
