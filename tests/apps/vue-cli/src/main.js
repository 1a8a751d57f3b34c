import { createApp, h } from "vue";

createApp({ render: () => h("p", "vue-cli answers") }).mount("#app");
