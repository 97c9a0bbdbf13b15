// The delivery log's ticks: all at once, and how many there are. Without it, ticks work one by one.
"use strict";

for (const all of document.querySelectorAll("[data-tick-all]")) {
  const form = all.form;
  const boxes = [...form.querySelectorAll('input[name="delivery"]')];
  const said = form.querySelector("[data-ticked]");
  const count = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
    said.textContent = ticked ? `${ticked} ticked:` : "With the ticked:";
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  form.addEventListener("change", count);
  addEventListener("pageshow", count); // a browser that comes back keeps the ticks
}
