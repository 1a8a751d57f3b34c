//! Promise 39: the page in a real browser. What happens shows within a second without a reload; what is clicked is
//! done; it works by keyboard, narrow, light and dark. The pictures are kept beside what cargo builds.

use std::time::{Duration, Instant};

use crate::support::{Browser, Dashboard, Running, SOON, Scratch, Signal, Window, eventually, get, kill};

const DARK: Window = Window { width: 1280, height: 800, dark: true };
const NARROW: Window = Window { width: 390, height: 800, dark: false };

/// A browser that is let in, on the page.
#[track_caller]
pub fn browser(scratch: &Scratch, dashboard: &Dashboard, window: Window) -> Browser {
    let call = Running::spawn(scratch.devrun(["dashboard"])).outcome(SOON);
    let mut browser = Browser::start(scratch, window);
    let address = call.stdout.trim();
    assert!(address.starts_with(&format!("http://{}", dashboard.host())), "{call}");
    // The door answers the first request with 403, which the console shows; a reload would wipe the mark.
    browser.run(&format!(
        "await page.goto('{address}'); await page.waitForSelector('[data-live]'); wrong.length = 0;
         await page.evaluate(() => (window.loadedOnce = true));"
    ));
    browser
}

/// Waits until the row of this server is in this state; how long that took.
#[track_caller]
fn shows(browser: &mut Browser, name: &str, state: &str) -> Duration {
    let start = Instant::now();
    browser.run(&format!(
        "await page.waitForFunction(([name, state]) => [...document.querySelectorAll('.row')].some((row) =>
           row.dataset.state === state && row.querySelector('.name').textContent === name), ['{name}', '{state}']);
         if (!(await page.evaluate(() => window.loadedOnce))) throw new Error('it was loaded again');"
    ));
    start.elapsed()
}

/// The same, and at once: with room for a machine that runs many tests.
#[track_caller]
fn shows_at_once(browser: &mut Browser, name: &str, state: &str) {
    let took = shows(browser, name, state);
    assert!(took < Duration::from_secs(3), "{name} {state}: {took:?}");
    println!("{name} is {state}: {took:?} after it was");
}

#[test]
fn every_turn_in_the_life_of_a_server_shows_at_once() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut browser = browser(&scratch, &dashboard, Window::default());
    browser.run("await page.getByText('No server yet').waitFor()");
    browser.picture("empty");
    let fixture = scratch.fixture("serve=yes delay-listen=2000 print=Hello");
    let mut web = scratch.run("-n web", &fixture);
    shows(&mut browser, "web", "starting");
    let ready = web.ready();
    shows_at_once(&mut browser, "web", "ready");
    let link = browser.run("return page.locator('.row .port').getAttribute('href')");
    assert_eq!(link, ready.url);
    browser.picture("one");
    let crashing = scratch.fixture("serve=yes after=300 then=3");
    let mut crash = scratch.run("-n crashing", &crashing);
    crash.ended(SOON);
    shows_at_once(&mut browser, "crashing", "crashed");
    browser.run("await page.locator('.why', { hasText: 'status 3' }).waitFor()");
    browser.run("await page.waitForFunction(() => document.title === '1 in trouble – devrun')");
    web.signal(Signal::KILL);
    web.ended(SOON);
    shows_at_once(&mut browser, "web", "crashed");
    browser.run("await page.locator('.row', { hasText: 'its devrun was killed' }).waitFor()");
    browser.run("await page.locator('.row', { hasText: 'crashing' }).locator('.name').click()");
    browser.run("await page.waitForSelector('#detail .facts')");
    browser.picture("crashed");
}

#[test]
fn one_that_hangs_and_one_that_is_started_again_show_so() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut browser = browser(&scratch, &dashboard, Window::default());
    let fixture = scratch.fixture("serve=yes");
    let mut hanging = scratch.run("-n hanging --health-interval 500ms --health-retries 1", &fixture);
    hanging.ready();
    shows(&mut browser, "hanging", "ready");
    kill(fixture.leader(), Signal::STOP);
    hanging.says("unhealthy");
    shows_at_once(&mut browser, "hanging", "unhealthy");
    browser.picture("unhealthy");
    kill(fixture.leader(), Signal::CONT);
    hanging.says("healthy again");
    shows_at_once(&mut browser, "hanging", "ready");
    // Each wait is twice as long as the one before: the fourth, of two seconds, can't be missed.
    let fixture = scratch.fixture("serve=yes");
    let script = format!("echo >>starts; [ $(wc -l <starts) -gt 3 ] || exit 3; exec {}", fixture.line());
    let args = ["-n", "again", "--restart", "always", "--", "sh", "-c", &script];
    let mut again = Running::spawn(scratch.devrun(args));
    again.ready();
    shows_at_once(&mut browser, "again", "ready");
    kill(fixture.leader(), Signal::KILL);
    let waits = || again.stderr().matches("starting again in").count();
    eventually(SOON, || if waits() == 4 { Ok(()) } else { Err(again.stderr()) });
    shows_at_once(&mut browser, "again", "backoff");
    shows(&mut browser, "again", "ready");
}

#[test]
fn what_is_clicked_is_done() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let fixture = scratch.fixture("serve=yes");
    let mut run = scratch.run("-n web", &fixture);
    let ready = run.ready();
    let mut browser = browser(&scratch, &dashboard, Window::default());
    shows(&mut browser, "web", "ready");
    browser.run("await page.getByRole('button', { name: 'Stop web' }).click()");
    run.ended(SOON);
    shows_at_once(&mut browser, "web", "stopped");
    // Opening a stopped one starts it and leads there.
    let led = browser.run(
        "const [other] = await Promise.all([context.waitForEvent('page'), page.getByRole('link', { name: 'Start and open web' }).click()]);
         await other.waitForURL((url) => !url.pathname.startsWith('/open/'));
         const led = other.url(); await other.close(); return led;",
    );
    assert_eq!(led.as_str().unwrap().trim_end_matches('/'), ready.url);
    shows(&mut browser, "web", "ready");
    let pid = dashboard.server(SOON, "web", |server| server["running"] == true)["pid"].as_u64();
    browser.run("await page.getByRole('button', { name: 'Restart web' }).click()");
    dashboard.server(SOON, "web", |server| server["state"] == "ready" && server["pid"].as_u64() != pid);
    shows_at_once(&mut browser, "web", "ready");
    assert!(!get(&ready.url).is_empty());
    browser.run(
        "await page.getByRole('button', { name: 'Stop all' }).click();
         await page.locator('#confirm').getByRole('button', { name: 'Stop all' }).click();
         await page.getByText('Stopped 1 server').waitFor();",
    );
    shows(&mut browser, "web", "stopped");
    browser.run(
        "await page.getByRole('button', { name: 'Clean up' }).click();
         await page.getByText('There is nothing to clean up').waitFor();
         await page.getByRole('button', { name: 'web', exact: true }).click();
         await page.locator('#detail').getByRole('button', { name: 'Forget' }).click();
         await page.locator('#confirm').getByRole('button', { name: 'Forget' }).click();
         await page.getByText('No server yet').waitFor();",
    );
}

#[test]
fn a_server_that_can_not_be_started_says_why() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let switch = scratch.write("switch", "");
    let line = format!("test -e {} && exec {}", switch.display(), scratch.fixture("serve=yes").line());
    let mut run = Running::spawn(scratch.devrun(["-n", "web", "--", "sh", "-c", &line]));
    run.ready();
    run.stop();
    std::fs::remove_file(switch).unwrap();
    let mut browser = browser(&scratch, &dashboard, Window::default());
    shows(&mut browser, "web", "stopped");
    browser.run("await page.getByRole('button', { name: 'Start web' }).click(); await page.locator('.toast.error').waitFor(); wrong.length = 0;");
    let id = dashboard.server(SOON, "web", |_| true)["id"].as_str().unwrap().to_string();
    let own = dashboard.host();
    browser.run(&format!("await page.goto('http://{own}/open/{id}'); await page.getByText('It could not be opened').waitFor(); wrong.length = 0;"));
    browser.picture("open-failed");
}

#[test]
fn a_start_that_waits_can_be_stopped() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let (switch, server) = (scratch.write("switch", ""), scratch.fixture("serve=yes"));
    let line = format!("test -e {} && exec {}; exec sleep 600", switch.display(), server.line());
    let mut run = Running::spawn(scratch.devrun(["-n", "web", "--", "sh", "-c", &line]));
    run.ready();
    run.stop();
    std::fs::remove_file(switch).unwrap();
    let mut browser = browser(&scratch, &dashboard, Window::default());
    shows(&mut browser, "web", "stopped");
    browser.run("await page.getByRole('button', { name: 'Start web' }).click()");
    shows(&mut browser, "web", "starting");
    // The failed start, which shows in the console, is no error on the page.
    browser.run(
        "const failed = page.waitForResponse((answer) => answer.url().endsWith('/start'), { timeout: 5000 });
         await Promise.all([failed, page.getByRole('button', { name: 'Stop web' }).click({ timeout: 3000 })]);
         await page.locator('.row[data-state=stopped]:not([aria-busy])').waitFor({ timeout: 3000 });
         if (await page.locator('.toast.error').count()) throw new Error('it complains');
         wrong.length = 0;",
    );
}

#[test]
fn the_output_is_followed_and_searched() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let count = "i=0; while i=$((i+1)); do echo \"GET /orders/$i 200\"; sleep 0.05; done";
    let line = format!("({count}) & exec {}", scratch.fixture("serve=yes print=VITE").line());
    let mut run = Running::spawn(scratch.devrun(["-n", "web", "--", "sh", "-c", &line]));
    run.ready();
    let mut browser = browser(&scratch, &dashboard, DARK);
    shows(&mut browser, "web", "ready");
    browser.run(
        "await page.getByRole('button', { name: 'web', exact: true }).click();
         const end = () => page.evaluate(() => { const lines = document.querySelector('.lines');
           return lines.scrollHeight - lines.scrollTop - lines.clientHeight < 24; });
         await page.getByText('GET /orders/60 200').waitFor();
         if (!(await end())) throw new Error('it does not follow');",
    );
    browser.picture("log");
    browser.run(
        // Moved by hand, and a line added before the browser tells of it: the reader's move counts.
        "await page.evaluate(() => {
           const lines = document.querySelector('.lines');
           return new Promise((done) => new MutationObserver((_, it) => { it.disconnect(); done(); }).observe(lines, { childList: true }))
             .then(() => { lines.scrollTop -= 400; const end = Date.now() + 200; while (Date.now() < end); });
         });
         await page.locator('.tools [aria-pressed=false]').waitFor();
         await page.getByRole('button', { name: 'Follow' }).click();
         await page.locator('.tools [aria-pressed=true]').waitFor();
         await page.locator('.lines').hover(); await page.mouse.wheel(0, -400);
         await page.locator('.tools [aria-pressed=false]').waitFor();
         const top = await page.evaluate(() => document.querySelector('.lines').scrollTop);
         const seen = await page.locator('.entry').count();
         await page.waitForFunction((seen) => document.querySelectorAll('.entry').length > seen + 5, seen);
         if (top !== await page.evaluate(() => document.querySelector('.lines').scrollTop)) throw new Error('it moved under the reader');
         await page.getByRole('button', { name: 'Follow' }).click();
         await page.getByLabel('Search the output of web').fill('ORDERS/7 ');
         await page.getByText('1 line', { exact: true }).waitFor();
         if (await page.locator('.entry mark').textContent() !== 'orders/7 ') throw new Error('not marked');",
    );
    browser.picture("log-search");
    browser.run(
        "await page.getByLabel('Search the output of web').fill(''); await page.locator('.entry', { hasText: 'VITE' }).waitFor();",
    );
}

#[test]
fn thirty_servers_are_found_sorted_and_usable_by_keyboard_alone() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let projects = ["shop", "blog", "billing", "docs", "admin", "search"];
    let mut runs = Vec::new();
    for number in 0..30 {
        let folder = scratch.dir().join(projects[number % projects.len()]);
        std::fs::create_dir_all(&folder).unwrap();
        let name = ["web", "api", "worker", "mail", "storybook"][number / projects.len()];
        let mut command = scratch.devrun(["-n", name, "-C"]);
        command.arg(&folder).arg("--").args(&scratch.fixture("serve=yes").argv);
        runs.push(Running::spawn(command));
    }
    runs.iter_mut().for_each(|run| drop(run.ready()));
    for run in runs.drain(..12) {
        run.stop();
    }
    kill(runs.pop().unwrap().pid(), Signal::KILL);
    for (window, name) in [(Window::default(), "light"), (DARK, "dark"), (NARROW, "narrow")] {
        let mut browser = browser(&scratch, &dashboard, window);
        browser.run(
            "await page.waitForFunction(() => document.querySelectorAll('.row[data-state=ready]').length === 17
               && document.querySelectorAll('.row[data-state=crashed]').length === 1);
             await page.waitForFunction(() => /MB/.test(document.body.textContent));
             const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
             if (wide > 0) throw new Error(`${wide} pixels too wide`);",
        );
        browser.picture(&format!("thirty-{name}"));
        browser.run(
            "await page.keyboard.press('/');
             await page.keyboard.type('shop api');
             await page.waitForFunction(() => document.querySelectorAll('.row').length === 1);
             await page.keyboard.press('Enter');
             await page.keyboard.press('Enter');
             await page.waitForSelector('#detail .facts');
             const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
             if (wide > 0) throw new Error(`${wide} pixels too wide`);",
        );
        browser.picture(&format!("detail-{name}"));
        browser.run(
            "await page.keyboard.press('Escape');
             await page.locator('#detail').waitFor({ state: 'hidden' });
             const focused = await page.evaluate(() => document.activeElement.className);
             if (focused !== 'name') throw new Error(`the focus is lost: ${focused}`);
             await page.keyboard.press('?');
             await page.getByText('Go from server to server').waitFor();
             await page.keyboard.press('Escape');",
        );
    }
}

#[test]
fn everything_that_can_be_used_has_a_name_and_can_be_read() {
    let scratch = Scratch::new();
    let dashboard = Dashboard::start(&scratch);
    let mut run = scratch.run("-n web", &scratch.fixture("serve=yes"));
    run.ready();
    for window in [Window::default(), DARK] {
        let mut browser = browser(&scratch, &dashboard, window);
        shows(&mut browser, "web", "ready");
        browser.run("await page.getByRole('button', { name: 'web', exact: true }).click(); await page.waitForSelector('#detail .facts')");
        let wrong = browser.run(include_str!("../browser/check.js"));
        assert_eq!(wrong, serde_json::json!([]));
    }
}
