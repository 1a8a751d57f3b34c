export default {
  main: { build: { lib: { entry: "main.js" } } },
  renderer: { root: ".", build: { rollupOptions: { input: "index.html" } } },
};
