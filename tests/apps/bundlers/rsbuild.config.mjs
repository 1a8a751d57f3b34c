export default { html: { title: "rsbuild answers" }, server: { publicDir: false } };
