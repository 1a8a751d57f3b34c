export default { title: "Button", render: () => "<button>Press</button>" };
export const Plain = {};
