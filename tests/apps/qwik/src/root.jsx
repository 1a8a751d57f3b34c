import { QwikCityProvider, RouterOutlet } from "@builder.io/qwik-city";

export default () => (
  <QwikCityProvider>
    <head></head>
    <body><RouterOutlet /></body>
  </QwikCityProvider>
);
