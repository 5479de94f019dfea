// Pictures that are dropped anywhere in a part of the page, or pasted there, go to the first tray that has a place left.

const isTextField = (one) => one.matches?.("textarea, input:not([type=checkbox], [type=radio])") ?? false;

// `trays` gives the trays of the moment; `refuse` is called where there are none.
function receivePictures(root, trays, refuse, signal) {
  let isOwn = false; // a drag that began here: a poster is no picture to send
  const on = (target, types, handler, capture = false) => types.split(" ").forEach((type) => target.addEventListener(type, handler, { capture, signal }));
  const first = () => trays().find((tray) => tray.free() > 0) ?? trays()[0];
  const isFor = ({ dataTransfer, target }) =>
    !isOwn && (dataTransfer.types.includes("Files") || (dataTransfer.types.includes("text/uri-list") && !isTextField(target)));
  on(root, "dragstart", () => (isOwn = true), true);
  on(document, "dragend drop", () => (isOwn = false));
  on(root, "dragenter dragover", (event) => {
    if (!isFor(event)) return;
    event.preventDefault();
    if (first()) first().onDragOver(event);
    else event.dataTransfer.dropEffect = "none";
  });
  on(root, "drop", (event) => {
    if (!isFor(event)) return;
    event.preventDefault(); // or the browser would open the file in place of the notebook
    if (first()) first().onDrop(event);
    else refuse();
  });
  on(root, "dragleave lm-dragleave", (event) => root.contains(event.relatedTarget) || trays().forEach((tray) => tray.endDrag()));
  on(root, "lm-dragenter lm-dragover", (event) => first()?.onJupyterDragOver(event));
  on(root, "lm-drop", (event) => first()?.onJupyterDrop(event));
  on(document, "paste", (event) => {
    const places = [event.target, root.getRootNode().activeElement];
    const { files } = event.clipboardData;
    const isText = event.clipboardData.types.includes("text/plain") && places.some(isTextField); // copied with its picture
    if (!places.some((one) => root.contains(one)) || !files.length || isText) return;
    if (trays().some((tray) => places.some((one) => tray.root.contains(one)))) return; // it takes that by itself
    event.preventDefault();
    event.stopImmediatePropagation();
    if (first()) first().take(event.clipboardData);
    else refuse();
  }, true);
}
