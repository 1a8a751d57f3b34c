// A real browser for the tests: each line on stdin is a JSON string of code that gets `page`, `context` and `check`;
// each line on stdout is the answer. It ends with its stdin.
//
//   node bridge.cjs FOLDER-OF-PLAYWRIGHT [WIDTH HEIGHT light|dark]

const readline = require('node:readline');
const { chromium } = require(`${process.argv[2]}/node_modules/playwright-core`);
const [width = 1280, height = 800] = process.argv.slice(3, 5).map(Number);
const colorScheme = process.argv[5] || 'light';

async function main() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const context = await browser.newContext({ viewport: { width, height }, colorScheme });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  // What the page itself finds wrong, a refused script among it, fails the next step.
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
  const AsyncFunction = main.constructor;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      const value = await new AsyncFunction('page', 'context', 'wrong', JSON.parse(line))(page, context, wrong);
      answer = wrong.length ? { error: `the page says: ${wrong.splice(0).join('; ')}` } : { value: value ?? null };
    } catch (error) {
      const shown = await page.evaluate(() => document.body.innerText).catch(() => '');
      answer = { error: `${error.message}\npage: ${page.url()}\n${shown.slice(0, 2000)}\n${wrong.splice(0).join('; ')}` };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser.close();
}

main().catch((error) => {
  process.stdout.write(`${JSON.stringify({ error: `no browser: ${error.message}` })}\n`);
  process.exit(1);
});
