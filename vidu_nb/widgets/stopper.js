// A button that interrupts the kernel: while a cell runs, no click reaches Python in any other way.

function render({ model, el }) {
  const kernel = model.widget_manager?.kernel;
  if (typeof kernel?.interrupt !== "function") return; // this front end has a button of its own
  const button = document.createElement("button");
  button.type = "button";
  button.className = "vidu-stopper";
  button.textContent = "■ Stop";
  button.title = "Ask for no more; what has landed is kept (the same as interrupting the kernel)";
  button.addEventListener("click", () => {
    button.disabled = true;
    kernel.interrupt();
    setTimeout(() => (button.disabled = false), 2000); // a second click leaves at once
  });
  el.append(button);
}

export default { render };
