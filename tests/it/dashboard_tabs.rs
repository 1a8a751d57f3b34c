//! Promise 39: the page in several tabs of one browser, which has six connections for all of them.

use std::time::{Duration, Instant};

use crate::dashboard_page::browser;
use crate::support::{Dashboard, Running, SOON, Scratch, Window};

/// Says to a page of a browser without windows whether it is seen.
const TURN: &str = "const turn = (page, hidden) => page.evaluate((hidden) => {
   Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
   document.dispatchEvent(new Event('visibilitychange'));
 }, hidden);";

#[test]
fn with_many_tabs_open_what_is_clicked_in_one_is_done() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let line = format!("echo one; exec {}", scratch.fixture("serve=yes").line());
    let mut run = Running::spawn(scratch.devrun(["-n", "web", "--", "sh", "-c", &line]));
    run.ready();
    let mut browser = browser(&scratch, &dashboard, Window::default());
    browser.run(&format!(
        "{TURN}
         await page.getByRole('button', {{ name: 'web', exact: true }}).click();
         await page.locator('.entry', {{ hasText: 'one' }}).waitFor();
         for (let tabs = 0; tabs < 6; tabs += 1) {{
           await turn(context.pages().at(-1), true);
           const tab = await context.newPage();
           await tab.goto(page.url());
           await tab.locator('.entry', {{ hasText: 'one' }}).waitFor();
         }}"
    ));
    let start = Instant::now();
    browser.run(
        "await context.pages().at(-1).locator('.row').getByRole('button', { name: 'Stop web' }).click();
         await context.pages().at(-1).waitForSelector('.row[data-state=stopped]', { timeout: 5000 });",
    );
    run.ended(SOON);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    // The first one knows once it is seen, and its output goes on.
    browser.run(&format!(
        "{TURN}
         await turn(page, false);
         await page.waitForSelector('.row[data-state=stopped]', {{ timeout: 3000 }});
         await page.locator('.row').getByRole('button', {{ name: 'Start web' }}).click();
         await page.waitForSelector('.row[data-state=ready]');
         await page.locator('.entry', {{ hasText: 'one' }}).nth(1).waitFor();"
    ));
}

#[test]
fn a_tab_that_nobody_sees_still_has_the_trouble_in_its_title() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut browser = browser(&scratch, &dashboard, Window::default());
    browser.run(&format!("{TURN} await turn(page, true);"));
    let mut run = scratch.run("-n web", &scratch.fixture("serve=yes after=2000 then=3"));
    run.ended(SOON);
    browser.run("await page.waitForFunction(() => document.title === '1 in trouble – devrun', null, { timeout: 14_000 })");
}
