// tray.js as a widget of its own.
export default {
  render({ model, el }) {
    const tray = new Tray(model, el);
    return () => tray.life.abort();
  },
};
