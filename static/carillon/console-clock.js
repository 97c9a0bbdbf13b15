// Wakes the console when it asked to be. A page's own timers sleep for up to a minute while its
// tab is hidden, and the agent would be taken for gone; a worker's do not.
"use strict";
let timer;
onmessage = ({ data }) => {
  clearTimeout(timer);
  timer = setTimeout(() => postMessage(0), data);
};
