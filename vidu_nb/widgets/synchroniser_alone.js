// synchroniser.js as a widget of its own.
export default { render: mountSynchroniser };
