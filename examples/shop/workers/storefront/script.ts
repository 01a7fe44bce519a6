/** Places many orders at a moderate pace and draws who charged for them. The page works without it. */
export const script = `
const many = document.getElementById("many");
const split = document.getElementById("split");
many.hidden = false;
many.addEventListener("click", async () => {
  many.disabled = true;
  const total = 50;
  const counts = new Map();
  let left = total;
  const draw = () => {
    split.replaceChildren(...[...counts].sort().flatMap(([who, count]) => {
      const name = document.createElement("dt");
      name.textContent = who;
      const share = document.createElement("dd");
      const meter = document.createElement("meter");
      meter.max = total;
      meter.value = count;
      share.append(meter, " " + count);
      return [name, share];
    }));
  };
  const one = async () => {
    while (left-- > 0) {
      let who = "no answer";
      try {
        const response = await fetch("/api/orders", { method: "POST" });
        const body = await response.json();
        who = response.ok ? body.payment.version : (body.stoppedAt || body.title || "failed") + " " + response.status;
      } catch { /* counted as no answer */ }
      counts.set(who, (counts.get(who) || 0) + 1);
      draw();
    }
  };
  await Promise.all([one(), one(), one(), one()]);
  many.disabled = false;
});
`;
