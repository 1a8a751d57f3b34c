import { qwikCity } from "@builder.io/qwik-city/vite";
import { qwikVite } from "@builder.io/qwik/optimizer";

export default { plugins: [qwikCity(), qwikVite()] };
