// WEB_SERVER_COMMAND: Playwright starts the server itself, by this command. Otherwise BASE_URL is there already.
const devrun = process.env.WEB_SERVER_COMMAND;
const baseURL = process.env.BASE_URL;

module.exports = {
  testDir: '.',
  outputDir: process.env.RESULTS || 'test-results',
  reporter: 'line',
  timeout: 60_000,
  use: {
    baseURL,
    browserName: 'chromium',
    launchOptions: { executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox'] },
  },
  webServer: devrun && { command: devrun, url: baseURL, stdout: 'pipe', timeout: 60_000 },
};
