// Fetches the overview again every two seconds while somebody looks; keeps the old one, paler, when the hub does not answer.
(() => {
  const place = document.getElementById("live");
  if (!place || !place.querySelector(".figures")) return;
  const again = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch("/overview", { headers: { accept: "text/html" } });
        if (answer.status === 401) { location.assign("/login"); return; }
        if (!answer.ok) throw new Error(String(answer.status));
        const scrolled = [...place.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
        const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
        place.replaceChildren(...parsed.body.childNodes);
        place.querySelectorAll(".scroll").forEach((one, at) => { one.scrollLeft = scrolled[at] || 0; });
        place.classList.remove("stale");
      } catch {
        place.classList.add("stale");
      }
    }
    setTimeout(again, 2000);
  };
  setTimeout(again, 2000);
})();
