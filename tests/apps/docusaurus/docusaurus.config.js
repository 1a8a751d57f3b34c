export default { title: "docusaurus answers", url: "http://localhost", baseUrl: "/", plugins: ["@docusaurus/plugin-content-pages"] };
