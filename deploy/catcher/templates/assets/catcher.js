// Tells of new mail without stealing the page from under the reader, and asks before it deletes.
const count = document.querySelector("[data-newest]");
const fresh = document.querySelector(".fresh");
if (count && fresh) {
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch("/api/messages?limit=1").catch(() => null);
    if (!answer || !answer.ok) return;
    const { items } = await answer.json();
    const newest = items.length ? items[0].id : 0;
    const more = newest - Number(count.dataset.newest);
    if (more > 0) {
      fresh.textContent = more === 1 ? "1 new mail, show it" : `${more.toLocaleString()} new mails, show them`;
      fresh.hidden = false;
    }
  }, 2000);
}
document.querySelector("[data-clear]")?.addEventListener("click", async () => {
  if (!confirm("Delete all caught mail?")) return;
  await fetch("/api/messages", { method: "DELETE" });
  location.assign("/");
});
